// Forms of `/api/v1/sessions`: publishers and players, those that are there and those that ended of late. Pure.
import { z } from 'zod';
import {
  bytes,
  bytesPerS,
  clusterEnvelope,
  count,
  ms,
  nodeId,
  page,
  reason,
  sessionId,
  streamKey,
  time,
} from './common.ts';

export const protocol = z.enum(['rtmp', 'http-flv', 'ws-flv']);

export const sessionRow = z.object({
  id: sessionId,
  node: nodeId,
  kind: z.enum(['publisher', 'player']),
  stream: streamKey,
  protocol,
  /** "address:port". */
  remote: z.string(),
  since: time,
  durationMs: ms,
  /**
   * Of a publisher: live, or standby. Of a player: waiting for a frame to start at, behind and served alone, or live. ended:
   * it is over, for `ended`.
   */
  state: z.enum(['live', 'standby', 'waiting', 'behind', 'ended']),
  /** From a publisher, or to a player. */
  bytes,
  /** Over the last two seconds or less; 0 once it ended. */
  bytesPerS,
  /** Given to the socket and not taken by the kernel yet. */
  backlogBytes: bytes,
  /** Frames that a player went without, being slow; of a publisher those that no decoder could use. */
  dropped: count,
  /** Times that a player went on at a newer start. */
  skips: count,
  /** Why it ended; null while it is there. */
  ended: reason.nullable(),
});
export type SessionRow = z.output<typeof sessionRow>;

export const sessionsAnswer = clusterEnvelope.extend(page.shape).extend({ sessions: z.array(sessionRow) });
export type SessionsAnswer = z.output<typeof sessionsAnswer>;
