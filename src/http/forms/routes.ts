// Form of `/api/v1/route/play` and `/api/v1/route/publish`. Pure.
import { z } from 'zod';
import { nodeId } from './common.ts';
import { consideredRow, filteredRow } from './decisions.ts';

export const routeDocument = z.object({
  /** The node that was chosen. */
  node: nodeId,
  /** The stream there, ready to use but for the query that this cluster asks of its publishers. */
  url: z.string(),
  /** Next best first. */
  alternatives: z.array(z.object({ node: nodeId, url: z.string() })),
  /** How long the answer is worth using. */
  ttlSeconds: z.number().min(0),
  /** As it was given; it is in the URLs, too. */
  session: z.string().nullable(),
  /** Where who asks was taken to be, and who said so; both empty if nobody knows. */
  place: z.object({
    region: z.string(),
    zone: z.string(),
    from: z.enum(['query', 'header', 'network', 'node', 'unknown']),
  }),
  /** In one line, for people. */
  why: z.string(),
  considered: z.array(consideredRow),
  filtered: z.array(filteredRow),
});
export type RouteDocument = z.output<typeof routeDocument>;
