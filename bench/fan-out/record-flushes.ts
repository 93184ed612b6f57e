// Loaded into tideway's process by `node --import`: on SIGUSR2 it begins to record the flushes of `tideway.flush`, on the
// next one it writes them to the file that BENCH_FLUSH_FILE names. Between records it listens to nothing.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { renameSync, writeFileSync } from 'node:fs';
import { FLUSH_CHANNEL, type FlushEvent } from '../../src/media/flush-events.ts';

/** More flushes are left out: a minute of one a millisecond. */
const MAX_FLUSHES = 60_000;

const path = process.env.BENCH_FLUSH_FILE;
let record: FlushEvent[] | undefined;

function take(message: unknown): void {
  const { format, bytes, players, atMs } = message as FlushEvent;
  if (record && record.length < MAX_FLUSHES) record.push({ format, bytes, players, atMs });
}

if (path !== undefined) {
  process.on('SIGUSR2', () => {
    if (record === undefined) {
      record = [];
      subscribe(FLUSH_CHANNEL, take);
      return;
    }
    unsubscribe(FLUSH_CHANNEL, take);
    writeFileSync(`${path}.part`, JSON.stringify(record));
    renameSync(`${path}.part`, path);
    record = undefined;
  });
}
