// What the node tells about its streams: rows for lists, read from the streams when asked.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { StreamSummary } from '../http/api.ts';
import type { NodeStream } from '../http/forms/streams.ts';
import type { Stream } from '../media/stream.ts';
import type { ClaimReason } from '../registry/registry.ts';

/** A stream that this node pulls. */
export interface ReplicaFacts {
  /** Node ids from the origin to this node; undefined between two upstreams. */
  readonly path: readonly string[] | undefined;
  /** The node that it pulls from; undefined between two. */
  readonly upstream: string | undefined;
  /** The node that it would switch to. */
  readonly standby: string | undefined;
}

export interface StreamRowNeeds {
  readonly clock: Clock;
  readonly node: string;
  readonly standsBy: (key: StreamKey) => boolean;
  /** Why this node claimed a stream; undefined: it did not. */
  readonly claimReason: (key: StreamKey) => ClaimReason | undefined;
  /** Undefined for a stream that is published here, or not here at all. */
  readonly replica: (key: StreamKey) => ReplicaFacts | undefined;
  /** Nodes that pull a stream from this one. */
  readonly children: (key: StreamKey) => number;
}

/** The streams of this node, live or held, as it tells other nodes of them. */
export function* nodeStreams(streams: Iterable<Stream>, needs: StreamRowNeeds): Generator<NodeStream> {
  const { clock, node, standsBy } = needs;
  for (const stream of streams) {
    const { key, state, epoch, playerCount: players } = stream;
    if (state.at !== 'live' && state.at !== 'held') continue;
    const { video = null, audio = null } = stream.codecs;
    const since = new Date(clock.wallMs() - (clock.now() - state.sinceMs)).toISOString();
    const common = { key, node, state: state.at, epoch, players, children: needs.children(key), since };
    const media = { bitsPerS: 0, frameRate: 0, video, audio };
    const replica = needs.replica(key);
    if (!replica) {
      const reason = needs.claimReason(key);
      const claimed = reason && { reason };
      const way = { hops: 0, upstream: null, path: [node], standby: null };
      yield { ...common, role: 'origin', ...way, ...media, ...claimed };
      continue;
    }
    const { path, upstream = null, standby = null } = replica;
    const role = standsBy(key) ? 'backup' : 'replica';
    const hops = path ? path.length - 1 : null;
    yield { ...common, role, hops, upstream, path: [...(path ?? [])], standby, ...media };
  }
}

/** The streams that can be played, in order of their keys. */
export function streamSummaries(streams: Iterable<Stream>, clock: Clock): StreamSummary[] {
  const rows: StreamSummary[] = [];
  for (const stream of streams) {
    const { state } = stream;
    if (state.at !== 'live' && state.at !== 'held') continue;
    rows.push({
      key: stream.key,
      state: state.at,
      players: stream.playerCount,
      ...stream.codecs,
      sinceWallMs: clock.wallMs() - (clock.now() - state.sinceMs),
    });
  }
  return rows.sort((a, b) => a.key.localeCompare(b.key));
}
