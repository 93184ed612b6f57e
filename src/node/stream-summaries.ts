// What the node tells about its streams: rows for lists, read from the streams when asked.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { StreamSummary } from '../http/api.ts';
import type { Stream } from '../media/stream.ts';

/** A stream that this node has. */
export interface LocalStream {
  readonly key: StreamKey;
  readonly state: 'live' | 'held';
  readonly epoch: number;
  readonly players: number;
  /** A publisher of this node stands by for it. */
  readonly standsBy: boolean;
  /** When it went live or into hold, ms since 1970. */
  readonly sinceWallMs: number;
}

/** A stream that this node pulls. */
export interface ReplicaFacts {
  /** Node ids from the origin to this node; undefined between two upstreams. */
  readonly path: readonly string[] | undefined;
  /** The node that it pulls from; undefined between two. */
  readonly upstream: string | undefined;
  /** The node that it would switch to. */
  readonly standby: string | undefined;
}

export interface LocalNeeds {
  readonly clock: Clock;
  readonly standsBy: (key: StreamKey) => boolean;
}

/** Undefined while there is nothing of it, and once it ended. */
export function localStream(stream: Stream, { clock, standsBy }: LocalNeeds): LocalStream | undefined {
  const { key, state, epoch, playerCount: players } = stream;
  if (state.at !== 'live' && state.at !== 'held') return undefined;
  const sinceWallMs = clock.wallMs() - (clock.now() - state.sinceMs);
  return { key, state: state.at, epoch, players, standsBy: standsBy(key), sinceWallMs };
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
