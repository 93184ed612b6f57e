import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Log } from '../../../src/base/log.ts';
import { processEnds } from '../../../src/cli/process-end.ts';

/** A process that is only signalled, and a log that is only counted. */
function stage() {
  const exits: unknown[] = [];
  const errors: string[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: unknown) => exits.push(code) });
  const log: Log = { debug() {}, info() {}, warn() {}, error: (_fields, event) => errors.push(event) };
  const ends = processEnds(process as unknown as NodeJS.Process, log);
  return { process, ...ends, exits, errors };
}

test.each(['SIGTERM', 'SIGINT'])(
  '%s ends the node with 0, and a second signal exits at once with 1',
  async (signal) => {
    const { process, asked, exits } = stage();
    process.emit(signal, signal);
    expect(await asked).toMatchObject({ why: { code: 'process.signal' }, exitCode: 0 });
    expect(exits).toEqual([]);
    process.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([1]);
  },
);

test('an error that nobody caught is logged and ends the node in order, with 1', async () => {
  const { process, failed, exits, errors } = stage();
  // Also of one that was asked to end already, and is being emptied.
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('uncaughtException', new Error('bug'));
  process.emit('uncaughtException', new Error('another, while it stops'));
  expect(await failed).toMatchObject({ why: { code: 'process.fatal' }, exitCode: 1 });
  expect(errors).toEqual(['process.fatal', 'process.fatal']);
  expect(exits).toEqual([]);
});
