// What the node tells of its streams to everybody: those that can be played.
import { type Clock, wallMsAt } from '../base/clock.ts';
import type { StreamSummary } from '../http/api.ts';
import type { Stream } from '../media/stream.ts';

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
      sinceWallMs: wallMsAt(clock, state.sinceMs),
    });
  }
  return rows.sort((a, b) => a.key.localeCompare(b.key));
}
