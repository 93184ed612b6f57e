// Form of `/api/v1/decisions`: which nodes were chosen, and why. Pure.
import { z } from 'zod';
import { clusterEnvelope, count, nodeId, page, streamKey, time } from './common.ts';

/** A node that could have been chosen. */
export const consideredRow = z.object({
  node: nodeId,
  region: z.string(),
  /** Lower is better. */
  score: z.number(),
  /** What the score is the sum of. */
  parts: z.object({
    cpu: z.number(),
    memory: z.number(),
    bandwidth: z.number(),
    place: z.number(),
    link: z.number(),
    price: z.number(),
    stream: z.number(),
  }),
  /** Who was sent there of late, and does not show in its load yet. */
  promised: z.object({ players: z.number(), bytesPerS: z.number() }),
});

/** Nodes that could not be chosen, by reason. */
export const filteredRow = z.object({
  reason: z.enum(['draining', 'version', 'door', 'cpu', 'memory', 'bandwidth', 'loop', 'players']),
  count,
  /** The first of them. */
  nodes: z.array(nodeId),
});

/** A node that a stream could be pulled from: the sum of the parts, in ms. */
export const parentRow = z.object({
  node: nodeId,
  total: z.number(),
  parts: z.object({
    rtt: z.number(),
    hops: z.number(),
    loss: z.number(),
    busy: z.number(),
    price: z.number(),
    draining: z.number(),
  }),
});

export const decisionRow = z.object({
  /** Counts up within the process of the node that decided. */
  id: count,
  /** The node that decided. */
  by: nodeId,
  time,
  kind: z.enum(['play', 'publish', 'redirect', 'preload', 'reconnect', 'upstream']),
  /** Null where it was about no stream. */
  stream: streamKey.nullable(),
  /** Of who asked; null where the node itself did. */
  place: z.object({ region: z.string(), zone: z.string() }).nullable(),
  /** The node that was chosen; null: none was left. */
  node: nodeId.nullable(),
  /** In one line, for people. */
  why: z.string(),
  /** Best first; of `upstream` none, since those are `parents`. */
  considered: z.array(consideredRow),
  filtered: z.array(filteredRow),
  /** Cheapest first; of `upstream` only. */
  parents: z.array(parentRow),
});
export type DecisionRow = z.output<typeof decisionRow>;

export const decisionsAnswer = clusterEnvelope.extend(page.shape).extend({
  /** Newest first. */
  decisions: z.array(decisionRow),
});
export type DecisionsAnswer = z.output<typeof decisionsAnswer>;
