// Forms of `/api/v1/streams/{app}/{name}/preload`. Pure.
import { z } from 'zod';
import { isLabel } from '../../base/label.ts';
import { count, nodeId, reason, streamKey, time } from './common.ts';

export const MAX_TTL_S = 86_400;

const region = z.string().refine(isLabel, 'is 1 to 64 of A-Z a-z 0-9 _ . + -');

/** Either nodes, or regions with copies in each of them. */
export const preloadBody = z.strictObject({
  nodes: z.optional(z.array(nodeId).min(1).max(64)),
  regions: z.optional(z.array(region).min(1).max(32)),
  copies: z.optional(z.int().min(1).max(16)),
  ttlSeconds: z.int().min(1).max(MAX_TTL_S),
});
export type PreloadBody = z.output<typeof preloadBody>;

/** So many copies that are to be ready, and who was asked for them. */
export const preloadRow = z.object({
  /** An order of this API, a rule of `preload`, or `relay.standbyPlayers`. */
  for: z.enum(['order', 'rule', 'standby']),
  /** Null: wherever. */
  region: z.string().nullable(),
  copies: count,
  /** `ready`: it had the stream when that was looked up last. */
  nodes: z.array(z.object({ node: nodeId, ready: z.boolean() })),
  /** Copies for which there is no node now; it is looked for. */
  missing: count,
  why: reason.nullable(),
});

export const preloadAnswer = z.object({
  /** The node that answers, and keeps the order. */
  node: nodeId,
  stream: streamKey,
  /** When the order runs out; null without one. */
  until: time.nullable(),
  asked: z.array(preloadRow),
});
