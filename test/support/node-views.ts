// Nodes as routing sees them, for tests.
import type { LoadView, NodeView } from '../../src/routing/node-view.ts';
import type { Limits, Weights } from '../../src/routing/score.ts';

export const VERSION = '1.2.0';

export const WEIGHTS: Weights = {
  cpu: 1,
  memory: 0.5,
  bandwidth: 1,
  place: 2,
  link: 0.5,
  price: 0.5,
  stream: 0.3,
};

export const LIMITS: Limits = {
  cpu: 0.9,
  memory: 0.9,
  bandwidth: 0.95,
  loop: 0.95,
  loopLagMs: 500,
  players: undefined,
};

/** An idle node of one Gbit/s; `load` and the rest say otherwise. */
export function nodeView(
  node: string,
  { load, ...changes }: Partial<Omit<NodeView, 'load'>> & { load?: Partial<LoadView> } = {},
): NodeView {
  return {
    ...{ node, region: 'eu', zone: '', version: VERSION, draining: false, rttMs: {} },
    ...{ rtmp: `${node}:1935`, http: `${node}:80` },
    ...changes,
    load: {
      ...{ cpu: 0, memory: 0, loopBusy: 0, loopLagMs: 0, sentBytesPerS: 0, capacityBytesPerS: 125_000_000 },
      ...{ players: 0, streams: 0 },
      ...load,
    },
  };
}
