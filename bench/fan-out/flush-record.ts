// A recorded row of flushes: out of what tideway told, and as the text that a floor reads. Pure.
import type { FlushEvent } from '../../src/media/flush-events.ts';
import { MAX_FLUSH_BYTES } from './flush-tags.ts';
import type { Flush, WireFormat } from './orders.ts';

/**
 * The flushes of one format, from the first of them on. Those to fewer than half of the players are those of other
 * fan-outs, and left out.
 */
export function flushesOf(events: readonly FlushEvent[], format: WireFormat): Flush[] {
  const own = events.filter((event) => event.format === format);
  const most = Math.max(0, ...own.map(({ players }) => players));
  const full = own.filter(({ players, bytes }) => bytes > 0 && players * 2 > most);
  const startMs = full[0]?.atMs ?? 0;
  return full.map(({ atMs, bytes }) => [round(atMs - startMs), bytes]);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** One line a flush: `atMs bytes`. */
export function formatRecord(flushes: readonly Flush[]): string {
  return flushes.map(([atMs, bytes]) => `${atMs.toFixed(3)} ${bytes}\n`).join('');
}

/** @throws Error for an empty record, times that fall, and sizes that no flush has */
export function parseRecord(text: string): Flush[] {
  const flushes = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Flush => {
      const [atMs = Number.NaN, bytes = Number.NaN] = line.split(' ').map(Number);
      return [atMs, bytes];
    });
  let lastMs = 0;
  for (const [atMs, bytes] of flushes) {
    if (!(atMs >= lastMs)) throw new Error(`a record has times that rise: ${atMs} came after ${lastMs}`);
    if (!(bytes > 0 && bytes <= MAX_FLUSH_BYTES)) throw new Error(`a flush of ${bytes} bytes`);
    lastMs = atMs;
  }
  if (lastMs === 0) throw new Error('a record has at least two flushes');
  return flushes;
}

/** How long a record is: its last flush is followed by the first one after the mean pause. */
export function recordMs(flushes: readonly Flush[]): number {
  const firstMs = flushes[0]?.[0] ?? 0;
  const lastMs = flushes.at(-1)?.[0] ?? 0;
  return (lastMs - firstMs) * (1 + 1 / (flushes.length - 1));
}
