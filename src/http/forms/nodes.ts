// Forms of `/api/v1/nodes`, `/api/v1/links` and `/api/v1/status`. Pure.
import { z } from 'zod';
import {
  bytesPerS,
  clusterEnvelope,
  count,
  envelope,
  ms,
  nodeId,
  reason,
  share,
  signedMs,
} from './common.ts';

/** A link between the node that answers and another. Null before the first sample. */
export const linkRow = z.object({
  rttMs: ms.nullable(),
  rttDevMs: ms.nullable(),
  /** The other's monotonic clock minus ours. */
  offsetMs: signedMs.nullable(),
  /** Of the other's heartbeats of the last 10 s, the part that did not come in time. */
  lossShare: share.nullable(),
  /** From and to the other, smoothed over some seconds. */
  receivedBytesPerS: bytesPerS.nullable(),
  sentBytesPerS: bytesPerS.nullable(),
  /** The node that dialled it. */
  dialledBy: nodeId,
});
export type LinkRow = z.output<typeof linkRow>;

/** What each node answers to the question `links`: one row for each of its links. */
export const nodeLink = linkRow.extend({
  node: nodeId,
  peer: nodeId,
  /** How long it is open. */
  ageMs: ms,
  receivedBytes: count,
  sentBytes: count,
  /** Sent and not read yet. */
  queueBytes: count,
});
export type NodeLink = z.output<typeof nodeLink>;

export const linksAnswer = clusterEnvelope.extend({ links: z.array(nodeLink) });
export type LinksAnswer = z.output<typeof linksAnswer>;

export const loadRow = z.object({
  /** Of the container or the host. */
  cpu: share,
  memory: share,
  /** Part of its time in which the event loop was busy. */
  loopBusy: share,
  loopLagMs: ms,
  sentBytesPerS: bytesPerS,
  receivedBytesPerS: bytesPerS,
  /** What it may send; 0: nobody knows. */
  capacityBytesPerS: bytesPerS,
  players: count,
  publishers: count,
  streams: count,
  /** Alarms that last. */
  alarms: count,
});

export const nodeRow = z.object({
  node: nodeId,
  boot: z.string(),
  host: z.string(),
  version: z.string(),
  region: z.string(),
  zone: z.string(),
  tags: z.array(z.string()),
  draining: z.boolean(),
  /** "host:port" for other nodes, best first. */
  mesh: z.array(z.string()),
  /** "host:port" for publishers and players; empty where that door is shut. */
  rtmp: z.string(),
  http: z.string(),
  /** For those within the cluster's network; empty where that is no other. */
  rtmpInternal: z.string(),
  httpInternal: z.string(),
  load: loadRow,
  /** Its median round trip to other regions. */
  rttMs: z.record(z.string(), ms),
  /** How long its last beat counts yet; 0: known from before, and silent; null: the node that answers. */
  leaseMs: ms.nullable(),
  /** The node that answers. */
  self: z.boolean(),
  /** Between it and the node that answers; null without one. */
  link: linkRow.nullable(),
});
export type NodeRow = z.output<typeof nodeRow>;

export const nodesAnswer = envelope.extend({ nodes: z.array(nodeRow) });
export type NodesAnswer = z.output<typeof nodesAnswer>;

export const statusAnswer = envelope.extend({
  version: z.string(),
  uptimeMs: ms,
  /** Why the node that answers can't take publishers and players now; null: it can. */
  notReady: reason.nullable(),
  /** What is wrong although it can. */
  trouble: reason.nullable(),
  /** Where publishers of the node that answers go, for hints. */
  rtmpPort: count,
  /** What publishers of the node that answers put behind the key of `stream`, and what there is to say about it. */
  publishHint: z.object({ stream: z.string(), append: z.string(), note: z.string().nullable() }),
  /** Sums over the nodes, as their beats tell; a stream that several nodes have counts at each. */
  cluster: z.object({
    nodes: z.object({ up: count, draining: count, silent: count }),
    streams: count,
    players: count,
    publishers: count,
    alarms: count,
    receivedBytesPerS: bytesPerS,
    sentBytesPerS: bytesPerS,
    capacityBytesPerS: bytesPerS,
    /** By region, '' for nodes of none. */
    regions: z.array(
      z.object({
        region: z.string(),
        nodes: count,
        players: count,
        streams: count,
        sentBytesPerS: bytesPerS,
      }),
    ),
  }),
});
export type StatusAnswer = z.output<typeof statusAnswer>;
