// The flushes that tideway tells of on its diagnostics channel `tideway.flush`, and the row of them that a floor replays.
import type { Flush, WireFormat } from './orders.ts';

/** One flush of one fan-out, as the channel has it. */
export interface FlushEvent {
  readonly format: string;
  /** To each player. */
  readonly bytes: number;
  readonly players: number;
  /** On the clock of `performance.now()` in the node's process. */
  readonly atMs: number;
}

export const FLUSH_CHANNEL = 'tideway.flush';

/**
 * The row of one format, from the first of its flushes on; of all, where none has that name. Flushes to fewer than half of
 * the players are those of other fan-outs, and left out.
 */
export function flushesOf(events: readonly FlushEvent[], format: WireFormat): Flush[] {
  const named = events.filter((event) => event.format === format);
  const own = named.length > 0 ? named : events;
  const most = Math.max(0, ...own.map(({ players }) => players));
  const full = own.filter(({ players, bytes }) => bytes > 0 && players * 2 > most);
  const startMs = full[0]?.atMs ?? 0;
  return full.map(({ atMs, bytes }) => [round(atMs - startMs), bytes]);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
