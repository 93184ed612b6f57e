// What the media of a node counts: players, how they were served, how they ended, and the memory that it takes.
import { MEMORY_KINDS, type MemoryBudget } from '../media/memory-budget.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { counter, gauge, type MetricFamily, type MetricSample } from '../observe/metrics.ts';
import type { StreamTally } from './stream-tally.ts';

export interface MediaSources {
  readonly directory: Pick<StreamDirectory, 'waitingKeyCount' | 'counters' | 'turns'>;
  readonly tally: StreamTally;
  readonly budget: Pick<MemoryBudget, 'bytesOf' | 'limitBytes' | 'stage'>;
}

export function mediaMetrics({ directory, budget, tally }: MediaSources): MetricFamily[] {
  const { counters, turns } = directory;
  const byState = (state: 'live' | 'held') => ({ labels: { state }, value: tally[state] });
  const formats = [...counters.byFormat];
  const byFormat = (of: 'flushes' | 'writes' | 'bytes'): MetricSample[] =>
    formats.map(([format, counted]) => ({ labels: { format }, value: counted[of] }));
  return [
    gauge('tideway_streams', 'Streams by state.', [byState('live'), byState('held')]),
    gauge('tideway_players', 'Players of all streams.', tally.players),
    gauge('tideway_waiting_keys', 'Unknown streams that players wait for.', directory.waitingKeyCount),
    counter(
      'tideway_flushes_total',
      'Batches of frames that were encoded for live players.',
      byFormat('flushes'),
    ),
    counter('tideway_flush_writes_total', 'Writes of such batches, one for each player.', byFormat('writes')),
    counter('tideway_flush_bytes_total', 'Bytes of those writes.', byFormat('bytes')),
    gauge('tideway_flush_loop_ratio', 'Part of the event loop that flushes took of late.', turns.flushShare),
    counter(
      'tideway_players_ended_total',
      'Players that are over, by reason.',
      [...counters.ended].map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    counter('tideway_frames_left_out_total', 'Frames that slow players and followers went without.', [
      { labels: { kind: 'disposable' }, value: tally.leftOutDisposable },
      { labels: { kind: 'video' }, value: tally.leftOutVideo },
    ]),
    counter(
      'tideway_skips_total',
      'Times that a slow player or follower went on at a newer start.',
      tally.skips,
    ),
    gauge(
      'tideway_media_memory_bytes',
      'Memory that media takes, by what it is for.',
      MEMORY_KINDS.map((kind) => ({ labels: { kind }, value: budget.bytesOf(kind) })),
    ),
    gauge('tideway_media_memory_limit_bytes', 'Memory that media may take.', budget.limitBytes),
    gauge(
      'tideway_media_memory_stage',
      'What gives way: 0 nothing, 1 new joins, 2 slow players too, 3 log depth too, 4 even the newest GOP.',
      budget.stage,
    ),
  ];
}
