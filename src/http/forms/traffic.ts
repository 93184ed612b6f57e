// Form of `/api/v1/traffic`: bytes by node, stream, protocol, direction and pair of regions, and what they cost. Pure.
import { z } from 'zod';
import { bytes, clusterEnvelope, count, ms, nodeId, streamKey } from './common.ts';
import { protocol } from './sessions.ts';

/** What went one way at one node: media, with its framing but from publishers, without TCP and IP (docs/traffic.md). */
export const trafficRow = z.object({
  node: nodeId,
  /** Null: all streams that are counted together (docs/traffic.md). */
  stream: streamKey.nullable(),
  protocol: z.enum([...protocol.options, 'mesh']),
  /** in: from publishers, or from other nodes (mesh); out: to players, or to other nodes. */
  direction: z.enum(['in', 'out']),
  /** The other node's region; null for publishers and players, whose place is not counted. */
  region: z.string().nullable(),
  ownRegion: z.string(),
  /** Since the node began. */
  bytes,
  /** Within the window. */
  windowBytes: bytes,
  /** By `routing.prices`, of bytes out to another region: since the node began, and within the window; 0 where nothing costs. */
  cost: z.number().min(0),
  windowCost: z.number().min(0),
});
export type TrafficRow = z.output<typeof trafficRow>;

export const trafficAnswer = clusterEnvelope.extend({
  /** How far the window goes back: kept in memory, and gone with the process. */
  windowMs: ms,
  /** How the rows are summed up. */
  by: z.enum(['node', 'stream', 'protocol', 'regions', 'all']),
  total: count,
  truncated: z.boolean(),
  rows: z.array(
    trafficRow.partial({ node: true, stream: true, protocol: true, region: true, ownRegion: true }),
  ),
});
export type TrafficAnswer = z.output<typeof trafficAnswer>;
