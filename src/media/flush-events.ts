// Each flush is told of as it begins, for who measures: on a diagnostics channel, to which nobody listens in a node that
// serves.
import { channel } from 'node:diagnostics_channel';

export const FLUSH_CHANNEL = 'tideway.flush';

/** One flush of one fan-out. */
export interface FlushEvent {
  readonly format: string;
  /** Bytes that each player gets. */
  readonly bytes: number;
  readonly players: number;
  /** Monotonic, ms. */
  readonly atMs: number;
}

const flushes = channel(FLUSH_CHANNEL);

/** Does anybody listen? Without one, no event is worth making. */
export function isFlushHeard(): boolean {
  return flushes.hasSubscribers;
}

export function tellFlush(event: FlushEvent): void {
  flushes.publish(event);
}
