// A stream as this node has it: its part in it, and the way that it comes by.
import type { StreamKey } from '../base/stream-key.ts';
import type { HereRow } from '../http/forms/streams.ts';
import type { Stream } from '../media/stream.ts';

/** A stream that this node pulls. */
export interface ReplicaFacts {
  /** Node ids from the origin to this node; undefined between two upstreams. */
  readonly path: readonly string[] | undefined;
  /** The node that it pulls from; undefined between two. */
  readonly upstream: string | undefined;
  /** The node that it would switch to. */
  readonly standby: string | undefined;
}

export interface HereNeeds {
  /** The id of this node. */
  readonly node: string;
  /** Does a publisher of this node stand by for it? */
  readonly standsBy: (key: StreamKey) => boolean;
  readonly mesh: {
    /** Undefined for a stream that is published here. */
    replica(key: StreamKey): ReplicaFacts | undefined;
    /** Nodes that pull a stream from this one. */
    children(key: StreamKey): number;
  };
}

/** @param state of the stream, which is live or in hold */
export function hereRow(
  { key, epoch, playerCount: players }: Stream,
  state: HereRow['state'],
  { node, standsBy, mesh }: HereNeeds,
): HereRow {
  const replica = mesh.replica(key);
  const common = { state, epoch, players, children: mesh.children(key) };
  if (!replica) return { role: 'origin', ...common, hops: 0, upstream: null, path: [node], standby: null };
  const { path, upstream, standby } = replica;
  return {
    role: standsBy(key) ? 'backup' : 'replica',
    ...common,
    hops: path ? path.length - 1 : null,
    upstream: upstream ?? null,
    path: path ? [...path] : [],
    standby: standby ?? null,
  };
}
