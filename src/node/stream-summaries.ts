// What the node tells about its streams: rows for lists, read from the streams when asked.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { StreamSummary } from '../http/api.ts';
import type { Stream } from '../media/stream.ts';
import type { LocalStream } from './cluster-summaries.ts';

export interface LocalNeeds {
  readonly clock: Clock;
  readonly standsBy: (key: StreamKey) => boolean;
}

/** The streams of this node, as what is told of the cluster begins with them. */
export function* localStreams(streams: Iterable<Stream>, needs: LocalNeeds): Generator<LocalStream> {
  for (const stream of streams) {
    const local = localStream(stream, needs);
    if (local) yield local;
  }
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
