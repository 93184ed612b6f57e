// The quality of streams and its alarms as metrics: of so many streams by name, those with the most players first; what all
// others come to where that has a sum.
import type { Stream } from '../media/stream.ts';
import { ALARM_KINDS } from '../observe/alarm-rules.ts';
import type { AlarmBook } from '../observe/alarms.ts';
import { counter, gauge, type MetricFamily, type MetricSample } from '../observe/metrics.ts';
import type { QualityWatch } from './quality-watch.ts';
import { bytesPerSOf, droppedOf, type StreamTally } from './stream-tally.ts';

/** The value of the label for all streams that are not named: no stream has it, since each has a slash. */
const OTHER = 'other';

export interface StreamMetricSources {
  readonly tally: Pick<StreamTally, 'named' | 'players' | 'bytesPerS' | 'otherCount' | 'otherDropped'>;
  readonly watch: Pick<QualityWatch, 'windowOf' | 'worstTurnMs'> & {
    readonly alarms: Pick<AlarmBook, 'countOf' | 'raisedOf'>;
  };
}

export function streamMetrics({ tally, watch }: StreamMetricSources): MetricFamily[] {
  /** Nothing for NaN: not known. */
  const each = (valueFor: (stream: Stream) => number): MetricSample[] =>
    tally.named.flatMap((stream) => {
      const value = valueFor(stream);
      return Number.isNaN(value) ? [] : [{ labels: { stream: stream.key }, value }];
    });
  const withOthers = (own: readonly MetricSample[], value: number): MetricSample[] => {
    return tally.otherCount > 0 ? [...own, { labels: { stream: OTHER }, value }] : [...own];
  };
  /** @param all of all streams, the named ones among them */
  const summed = (all: number, valueFor: (stream: Stream) => number): MetricSample[] => {
    const own = each(valueFor);
    return withOthers(
      own,
      own.reduce((left, { value }) => Math.max(0, left - value), all),
    );
  };
  const kinds = (valueFor: (kind: (typeof ALARM_KINDS)[number]) => number): MetricSample[] =>
    ALARM_KINDS.map((kind) => ({ labels: { kind }, value: valueFor(kind) }));
  return [
    gauge(
      'tideway_stream_bytes_per_second',
      'Media of a stream, over the last 5 s.',
      summed(tally.bytesPerS, (stream) => bytesPerSOf(stream, watch)),
    ),
    gauge(
      'tideway_stream_players',
      'Players of a stream.',
      summed(tally.players, ({ playerCount }) => playerCount),
    ),
    counter(
      'tideway_stream_frames_dropped_total',
      'Frames that no decoder could use, or that never came.',
      withOthers(each(droppedOf), tally.otherDropped),
    ),
    gauge(
      'tideway_stream_frame_rate',
      'Video frames a second, over the last 5 s.',
      each((stream) => watch.windowOf(stream).rates.frameRate),
    ),
    gauge(
      'tideway_stream_key_frame_interval_seconds',
      'Stream time between the last two key frames.',
      each(({ meter }) => meter.keyIntervalMs / 1000),
    ),
    gauge(
      'tideway_stream_jitter_seconds',
      'How unevenly frames come, against their dts.',
      each(({ meter }) => meter.jitterMs / 1000),
    ),
    gauge(
      'tideway_stream_skew_seconds',
      'dts of the newest audio less that of the newest video.',
      each(({ meter }) => meter.skewMs / 1000),
    ),
    gauge(
      'tideway_stream_longest_gap_seconds',
      'The longest pause between two frames of the last 5 s.',
      each((stream) => watch.windowOf(stream).rates.longestGapMs / 1000),
    ),
    gauge(
      'tideway_alarms',
      'Alarms that last, by kind.',
      kinds((kind) => watch.alarms.countOf(kind)),
    ),
    counter(
      'tideway_alarms_raised_total',
      'Alarms that began, by kind.',
      kinds((kind) => watch.alarms.raisedOf(kind)),
    ),
    gauge(
      'tideway_stream_look_worst_seconds',
      'The longest that looks at streams held up the event loop at once.',
      watch.worstTurnMs / 1000,
    ),
  ];
}
