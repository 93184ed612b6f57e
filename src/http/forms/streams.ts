// Forms of `/api/v1/streams` and `/api/v1/streams/{app}/{name}`, and of what each node tells of its streams. Pure.
import { z } from 'zod';
import { alarmRow } from './alarms.ts';
import {
  bitsPerS,
  bytes,
  clusterEnvelope,
  count,
  epoch,
  ms,
  nodeId,
  page,
  streamKey,
  time,
} from './common.ts';
import { history, hopQuality, streamQuality } from './quality.ts';
import { sessionRow } from './sessions.ts';

export const originRow = z.object({
  node: nodeId,
  epoch,
  state: z.enum(['live', 'held']),
  /** Why it was claimed; null where only the registry would know. */
  reason: z.enum(['publish', 'failover']).nullable(),
  /** When it was claimed; null where only the registry would know. */
  since: time.nullable(),
});
export type OriginRow = z.output<typeof originRow>;

export const replicaRow = z.object({
  node: nodeId,
  /** Links between it and the origin. */
  hops: count,
  /** The node that it pulls from. */
  upstream: nodeId,
  epoch,
});
export type ReplicaRow = z.output<typeof replicaRow>;

/** A stream as one node has it. */
export const hereRow = z.object({
  role: z.enum(['origin', 'replica', 'backup']),
  state: z.enum(['live', 'held']),
  epoch,
  /** 0 at the origin; null while it has no way to one. */
  hops: count.nullable(),
  upstream: nodeId.nullable(),
  /** Node ids from the origin to the node itself. */
  path: z.array(nodeId),
  players: count,
  /** Nodes that pull from it. */
  children: count,
  /** The node that it would switch to. */
  standby: nodeId.nullable(),
});
export type HereRow = z.output<typeof hereRow>;

/** What each node answers to the question `streams`: one row for each stream that it has. */
export const nodeStream = hereRow.extend({
  key: streamKey,
  node: nodeId,
  /** When it went live or into hold here. */
  since: time,
  bitsPerS,
  frameRate: z.number().min(0),
  /** Codec names. */
  video: z.string().nullable(),
  audio: z.string().nullable(),
  /** Why it was claimed, of its origin. */
  reason: z.enum(['publish', 'failover']).optional(),
});
export type NodeStream = z.output<typeof nodeStream>;

/** One stream of the cluster, in a list. */
export const streamRow = z.object({
  key: streamKey,
  origin: originRow.nullable(),
  replicas: z.array(replicaRow),
  /** Where a second publisher stands by. */
  backup: z.object({ node: nodeId }).nullable(),
  /** At the node that answers. */
  here: hereRow.nullable(),
  /** Of all nodes that answered. */
  players: count,
  /** As the origin measures it, else any node that has it; null where none answered. */
  bitsPerS: bitsPerS.nullable(),
  frameRate: z.number().min(0).nullable(),
  video: z.string().nullable(),
  audio: z.string().nullable(),
  /** Null where `history` was not asked for. */
  history: history.nullable(),
});
export type StreamRow = z.output<typeof streamRow>;

export const streamSort = z.enum(['key', 'players', 'bitsPerS', 'nodes', 'since']);
export type StreamSort = z.output<typeof streamSort>;

export const streamsAnswer = clusterEnvelope.extend(page.shape).extend({
  limit: count,
  streams: z.array(streamRow),
});
export type StreamsAnswer = z.output<typeof streamsAnswer>;

/** A child of a node, as that node serves it. */
export const childRow = z.object({
  node: nodeId,
  /** live: it has all that was flushed; behind: it is pumped alone. */
  state: z.enum(['waiting', 'behind', 'live']),
  sentBytes: bytes,
  /** Sent and not read yet. */
  queueBytes: bytes,
  /** Frames that it went without, being slow, and times that it went on at a newer start. */
  leftOut: count,
  skips: count,
});

/** What each node answers to the question `stream`: all about one stream there. */
export const streamHere = nodeStream.extend({
  quality: streamQuality,
  /** Null at the origin, and between two upstreams. */
  hop: hopQuality.nullable(),
  childRows: z.array(childRow),
  /** Where it is published. */
  publisher: sessionRow.nullable(),
  history,
});
export type StreamHere = z.output<typeof streamHere>;

/** A node in a stream's tree. */
export const treeNode = streamHere.extend({
  /** From a frame's arrival at the origin to its arrival here: the sum of the hops; null while one is not known. */
  ageMs: ms.nullable(),
});
export type TreeNode = z.output<typeof treeNode>;

/** A stream with the tree that it goes down by. */
export const treeAnswer = clusterEnvelope.extend({
  key: streamKey,
  origin: originRow.nullable(),
  /** Of nodes that did not answer, as the registry has them. */
  replicas: z.array(replicaRow),
  backup: z.object({ node: nodeId }).nullable(),
  /** The origin first, each node behind the one that it pulls from. */
  nodes: z.array(treeNode),
  alarms: z.array(alarmRow),
});
export type TreeAnswer = z.output<typeof treeAnswer>;
