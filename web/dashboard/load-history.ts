// The recent past of each node's load, as the page saw it: a sample a second, bounded. Pure.
import type { NodeRow } from '../../src/http/forms/nodes.ts';

export interface LoadSample {
  readonly cpu: number;
  readonly loopLagMs: number;
  readonly sentBytesPerS: number;
  readonly players: number;
}

/** Oldest first. */
export type LoadHistory = ReadonlyMap<string, readonly LoadSample[]>;

export const MAX_SAMPLES = 120;
/** Of more nodes than this, the first are kept. */
const MAX_NODES = 1000;

/** The history after one more second. Nodes that are gone are forgotten. */
export function withSample(history: LoadHistory, nodes: ReadonlyMap<string, NodeRow>): LoadHistory {
  const next = new Map<string, readonly LoadSample[]>();
  for (const [id, { load }] of nodes) {
    if (next.size === MAX_NODES) break;
    const { cpu, loopLagMs, sentBytesPerS, players } = load;
    const past = history.get(id) ?? [];
    next.set(id, [...past.slice(1 - MAX_SAMPLES), { cpu, loopLagMs, sentBytesPerS, players }]);
  }
  return next;
}
