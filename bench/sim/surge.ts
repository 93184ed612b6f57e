// One stream that everybody wants at once, in a cluster that is half full.
import { type ClusterOptions, SimCluster } from './cluster.ts';
import type { Copy } from './tree.ts';
import { Watch } from './watch.ts';

export interface SurgePlan extends ClusterOptions {
  /** Players of other streams, that are there before. */
  readonly others: number;
  /** Of the one stream. */
  readonly surge: number;
  readonly surgeMs: number;
}

export interface SurgeFigures {
  readonly players: number;
  /** Nodes that pull the stream from its origin, at most and at the end. */
  readonly mostCopies: number;
  readonly copiesAtRest: number;
  /** Of the origin's node, all that it sends of the stream as a part of what all nodes do. */
  readonly originShare: number;
  readonly replicas: number;
  readonly deepest: number;
  readonly rush: number;
  readonly imbalance: number;
  readonly treeFaults: number;
  readonly unmet: number;
}

const SETTLE_MS = 3_000;
const OTHERS_MS = 30_000;
const REST_MS = 60_000;
const STREAM = 0;

export interface Surged {
  readonly figures: SurgeFigures;
  readonly cluster: SimCluster;
  readonly copies: readonly Copy[];
}

export function runSurge(plan: SurgePlan): Surged {
  const cluster = new SimCluster(plan);
  const watch = new Watch(cluster);
  const { agenda } = cluster;
  const tree = cluster.streams[STREAM]?.tree;
  if (!tree) throw new RangeError('a surge needs a stream');
  agenda.runUntil(SETTLE_MS);
  cluster.publishAll(OTHERS_MS / 3);
  agenda.runUntil(OTHERS_MS / 3 + 2 * SETTLE_MS);
  cluster.arrive(plan.others / (OTHERS_MS / 1_000), Number.POSITIVE_INFINITY, STREAM);
  agenda.runUntil(agenda.now() + OTHERS_MS);
  cluster.arrive(0);
  agenda.runUntil(agenda.now() + 4 * SETTLE_MS);
  watch.takeRush();
  const startMs = agenda.now();
  let mostCopies = 0;
  for (let player = 0; player < plan.surge; player += 1) {
    agenda.at(startMs + (player / plan.surge) * plan.surgeMs, () => {
      cluster.addPlayer(STREAM);
      mostCopies = Math.max(mostCopies, tree.origin?.children.length ?? 0);
    });
  }
  agenda.runUntil(startMs + plan.surgeMs);
  const rush = watch.takeRush();
  const imbalance = watch.imbalanceNow();
  agenda.runUntil(agenda.now() + REST_MS);
  const copies = [...tree.copies.values()];
  const sends = (copy: Copy) => copy.players + copy.children.length;
  const all = copies.reduce((sum, copy) => sum + sends(copy), 0);
  return {
    ...{ cluster, copies },
    figures: {
      players: copies.reduce((sum, { players }) => sum + players, 0),
      ...{ mostCopies, copiesAtRest: tree.origin?.children.length ?? 0 },
      originShare: tree.origin ? sends(tree.origin) / all : 0,
      replicas: copies.length - 1,
      deepest: Math.max(...copies.map(({ hops }) => hops)),
      ...{ rush, imbalance, treeFaults: watch.cycles + watch.tooDeep + watch.overfull, unmet: cluster.unmet },
    },
  };
}
