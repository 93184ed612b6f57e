// Forms of `/api/v1/node/drain`. Pure.
import { z } from 'zod';
import { count, ms, nodeId, time } from './common.ts';

/** Of a drain that names none. */
export const DEFAULT_DEADLINE_S = 3_600;
export const MAX_DEADLINE_S = 86_400;

export const drainBody = z.strictObject({
  deadlineSeconds: z.number().min(0).max(MAX_DEADLINE_S).default(DEFAULT_DEADLINE_S),
});

/** A drain as it is told: who is left, and how long they may stay. */
export const drainAnswer = z.object({
  node: nodeId,
  /** `drained`: nobody was left, or the deadline has passed. */
  state: z.enum(['serving', 'draining', 'drained']),
  /** When the drain began; null while the node serves. */
  since: time.nullable(),
  /** Until players and publishers are ended; null while the node serves. */
  deadlineMs: ms.nullable(),
  players: count,
  /** Those that stand by among them. */
  publishers: count,
  /** Streams that other nodes pull from it. */
  children: count,
});
export type DrainAnswer = z.output<typeof drainAnswer>;
