// What the node answers of its streams when it is asked: one row for each, all about one, their recent past, and its alarms.
import { type Clock, wallMsAt } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { audioFacts, metadataFacts, videoFacts } from '../format/track-facts.ts';
import type { AlarmRow } from '../http/forms/alarms.ts';
import type { History, HopQuality, StreamQuality } from '../http/forms/quality.ts';
import type { NodeAnswer, NodeAnswers, QuestionRow } from '../http/forms/questions.ts';
import type { SessionRow } from '../http/forms/sessions.ts';
import type { NodeStream, StreamHere } from '../http/forms/streams.ts';
import type { Stream } from '../media/stream.ts';
import type { Alarm } from '../observe/alarms.ts';
import type { Rates } from '../observe/quality-window.ts';
import type { ClaimReason } from '../registry/registry.ts';
import { type HereNeeds, hereRow } from './here-row.ts';
import type { QualityWatch } from './quality-watch.ts';

export type ChildRow = StreamHere['childRows'][number];

export interface StreamAnswerNeeds extends HereNeeds {
  readonly clock: Clock;
  readonly watch: QualityWatch;
  /** Why this node claimed a stream; undefined: it did not. */
  readonly claimReason: (key: StreamKey) => ClaimReason | undefined;
  readonly streams: () => Iterable<Stream>;
  readonly streamOf: (key: StreamKey) => Stream | undefined;
  /** The way from its upstream; null at the origin, and between two upstreams. */
  readonly hop: (key: StreamKey) => HopQuality | null;
  /** Nodes that pull it from here. */
  readonly childRows: (key: StreamKey) => readonly ChildRow[];
  /** Who publishes it here. */
  readonly publisher: (key: StreamKey) => SessionRow | null;
}

/** The questions about streams. */
export type StreamAnswers = Pick<NodeAnswers, 'streams' | 'stream' | 'history' | 'alarms'>;

export function streamAnswers(needs: StreamAnswerNeeds): StreamAnswers {
  const { watch, node } = needs;
  const streamOf = (key: string) => needs.streamOf(key as StreamKey);
  return {
    streams: () => {
      const streams = [...needs.streams()].filter(({ state }) => state.at === 'live' || state.at === 'held');
      // Made while they are read, so that who sends many can do other things in between.
      return { total: streams.length, rows: made(streams, (stream) => nodeStream(stream, needs)) };
    },
    stream: ({ key }) => {
      const stream = streamOf(key);
      return rowsOf(stream ? [stream] : [], (each) => streamHere(each, needs));
    },
    history: ({ keys }) =>
      rowsOf(keys, (key) => {
        const stream = streamOf(key);
        return stream && { key, node, ...watch.windowOf(stream).curves };
      }),
    alarms: ({ stream, withinMs, limit }) => {
      const fromWallMs = withinMs === undefined ? 0 : needs.clock.wallMs() - withinMs;
      const alarms = watch.alarms
        .list(stream)
        .filter(({ untilWallMs = fromWallMs }) => untilWallMs >= fromWallMs);
      return { total: alarms.length, rows: alarms.slice(0, limit).map((alarm) => alarmRow(alarm, node)) };
    },
  };
}

function rowsOf<K extends 'stream' | 'history', T>(
  items: Iterable<T>,
  row: (item: T) => QuestionRow<K> | undefined,
): NodeAnswer<K> {
  const rows = [...made(items, row)];
  return { total: rows.length, rows };
}

function* made<T, R>(items: Iterable<T>, row: (item: T) => R | undefined): Generator<R> {
  for (const item of items) {
    const one = row(item);
    if (one) yield one;
  }
}

function nodeStream(stream: Stream, needs: StreamAnswerNeeds): NodeStream | undefined {
  const { state } = stream;
  if (state.at !== 'live' && state.at !== 'held') return undefined;
  const { bitsPerS, frameRate } = needs.watch.windowOf(stream).rates;
  const { video, audio } = stream.codecs;
  const here = hereRow(stream, state.at, needs);
  const reason = needs.claimReason(stream.key);
  // Field by field: with a spread it takes seven times as long, and there are many.
  const row: NodeStream = {
    key: stream.key,
    node: needs.node,
    role: here.role,
    state: here.state,
    epoch: here.epoch,
    hops: here.hops,
    upstream: here.upstream,
    path: here.path,
    players: here.players,
    children: here.children,
    standby: here.standby,
    since: new Date(wallMsAt(needs.clock, state.sinceMs)).toISOString(),
    bitsPerS: Math.round(bitsPerS),
    frameRate: hundredths(frameRate),
    video: video ?? null,
    audio: audio ?? null,
  };
  if (reason) row.reason = reason;
  return row;
}

function streamHere(stream: Stream, needs: StreamAnswerNeeds): StreamHere | undefined {
  const row = nodeStream(stream, needs);
  if (!row) return undefined;
  const { key } = stream;
  const window = needs.watch.windowOf(stream);
  const history: History = window.curves;
  return {
    ...row,
    quality: qualityOf(stream, window.rates, needs.clock.now()),
    hop: needs.hop(key),
    childRows: [...needs.childRows(key)],
    publisher: needs.publisher(key),
    history,
  };
}

function qualityOf(stream: Stream, rates: Rates, nowMs: number): StreamQuality {
  const { meter, codecs, headers } = stream;
  const said = headers.metadata && metadataFacts(headers.metadata.payload);
  const size = headers.video && videoFacts(headers.video.payload);
  const sound = headers.audio && audioFacts(headers.audio.payload);
  const silentMs = stream.silentMs(nowMs);
  const isLive = stream.state.at === 'live';
  return {
    video:
      codecs.video === undefined
        ? null
        : {
            codec: codecs.video,
            width: size?.width ?? said?.width ?? null,
            height: size?.height ?? said?.height ?? null,
            frameRate: hundredths(rates.frameRate),
            bitsPerS: Math.round(rates.videoBitsPerS),
            keyIntervalMs: known(meter.keyIntervalMs),
            keyAgeMs: known(nowMs - meter.lastKeyMs),
          },
    audio:
      codecs.audio === undefined
        ? null
        : {
            codec: codecs.audio,
            sampleRate: sound?.sampleRate ?? said?.sampleRate ?? null,
            channels: sound?.channels ?? said?.channels ?? null,
            bitsPerS: Math.round(rates.audioBitsPerS),
          },
    bitsPerS: Math.round(rates.bitsPerS),
    jitterMs: hundredths(meter.jitterMs),
    // The pause that it is in counts, unless nobody sends.
    longestGapMs: hundredths(Math.max(rates.longestGapMs, isLive ? silentMs : 0)),
    skewMs: known(meter.skewMs),
    dropped: Math.min(meter.missing + meter.unusable, Number.MAX_SAFE_INTEGER),
    silentMs: hundredths(silentMs),
  };
}

function alarmRow(alarm: Alarm, node: string): AlarmRow {
  const { id, kind, stream, hop, sinceWallMs, untilWallMs, value, limit, unit, detail } = alarm;
  return {
    ...{ id: String(id), kind, node, stream, hop: hop ? { ...hop } : null },
    since: new Date(sinceWallMs).toISOString(),
    until: untilWallMs === undefined ? null : new Date(untilWallMs).toISOString(),
    ...{ value: hundredths(value), limit: hundredths(limit), unit, detail },
  };
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : hundredths(value);
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
