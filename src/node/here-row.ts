// A stream as this node has it: its part in it, and the way that it comes by.
import type { StreamKey } from '../base/stream-key.ts';
import type { HereRow } from '../http/forms/streams.ts';

export interface HereStream {
  readonly key: StreamKey;
  readonly state: 'live' | 'held';
  readonly epoch: number;
  readonly players: number;
  /** A publisher of this node stands by for it. */
  readonly standsBy: boolean;
}

export interface HereNeeds {
  /** The id of this node. */
  readonly node: string;
  readonly mesh: {
    /** Undefined for a stream that is published here. */
    replica(key: StreamKey):
      | {
          readonly path: readonly string[] | undefined;
          readonly upstream: string | undefined;
          readonly standby: string | undefined;
        }
      | undefined;
    /** Nodes that pull a stream from this one. */
    children(key: StreamKey): number;
  };
}

export function hereRow(
  { key, state, epoch, players, standsBy }: HereStream,
  { node, mesh }: HereNeeds,
): HereRow {
  const replica = mesh.replica(key);
  const common = { state, epoch, players, children: mesh.children(key) };
  if (!replica) return { role: 'origin', ...common, hops: 0, upstream: null, path: [node], standby: null };
  const { path, upstream, standby } = replica;
  return {
    role: standsBy ? 'backup' : 'replica',
    ...common,
    hops: path ? path.length - 1 : null,
    upstream: upstream ?? null,
    path: path ? [...path] : [],
    standby: standby ?? null,
  };
}
