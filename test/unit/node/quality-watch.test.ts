import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import { encode } from '../../../src/format/amf0.ts';
import { FrameKind } from '../../../src/format/frame.ts';
import { questions } from '../../../src/http/forms/questions.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Publication } from '../../../src/media/publication.ts';
import type { StreamSource } from '../../../src/media/stream.ts';
import { StreamDirectory } from '../../../src/media/stream-directory.ts';
import { QualityWatch } from '../../../src/node/quality-watch.ts';
import { type StreamAnswers, streamAnswers } from '../../../src/node/stream-answers.ts';
import { streamMetrics } from '../../../src/node/stream-metrics.ts';
import { tallyStreams } from '../../../src/node/stream-tally.ts';
import type { ParentHas } from '../../../src/observe/alarm-rules.ts';
import { OthersSum } from '../../../src/observe/others-sum.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  frameOf,
  GONE,
  KEY,
  kindOf,
  NEWER,
  type PayloadName,
  payloadOf,
  runOf,
  STREAM_OPTIONS,
  TestEncoder,
} from '../../support/media.ts';

const LOST = { code: 'relay.lost', message: 'the node is gone' };
const LIMITS = { stalledMs: 2_000, noKeyFrameMs: 15_000, bitrateShare: 0.4, hopMs: 500 };

const ASKER = { request: 'test' };

/** A node's streams, without doors and mesh. */
class WatchBench {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly budget = new MemoryBudget(2 ** 40);
  readonly directory: StreamDirectory;
  readonly watch: QualityWatch;
  readonly answers: StreamAnswers;
  /** Of streams that are pulled. */
  readonly upstreams = new Map<string, string | undefined>();
  has: ParentHas = 'nothing';
  hopDelayMs: number | undefined;
  #epoch = 0;

  constructor() {
    const { clock, log, budget } = this;
    this.directory = new StreamDirectory(
      { maxStreams: 20_000, waitMs: 1_000, maxWaitingKeys: 10 },
      STREAM_OPTIONS,
      { clock, log, budget, seek: () => {}, changed: (stream) => this.watch.streamChanged(stream) },
    );
    const mesh = {
      replica: (key: string) =>
        this.upstreams.has(key)
          ? { path: ['o', 'self'], upstream: this.upstreams.get(key), standby: undefined }
          : undefined,
      upstreamHas: () => this.has,
      hopDelayMs: () => this.hopDelayMs,
      children: () => 2,
    };
    const streams = () => this.directory.streams;
    this.watch = new QualityWatch(LIMITS, { clock, log, node: 'self', streams, mesh });
    this.answers = streamAnswers({
      ...{ clock, node: 'self', watch: this.watch, streams, mesh },
      claimReason: () => undefined,
      standsBy: () => false,
      streamOf: (key) => this.directory.get(key),
      hop: () => null,
      childRows: () => [],
      publisher: () => null,
    });
    this.watch.start();
  }

  publish(key: StreamKey = KEY): Publication {
    this.#epoch += 1;
    const stream = this.directory.feed(key);
    const publication = new Publication(
      {
        key,
        query: new URLSearchParams(),
        protocol: 'rtmp',
        session: 'publisher1',
        remote: '203.0.113.2:4',
        ended: () => {},
      },
      { epoch: this.#epoch, stream, holds: { holdMs: 30_000, holdAfterStopMs: 30_000 } },
      this,
    );
    stream.attach(publication, NEWER);
    return publication;
  }

  /** The stream is pulled, and has its first frame. */
  pull(upstream: string, key: StreamKey = KEY): StreamSource {
    this.upstreams.set(key, upstream);
    const stream = this.directory.feed(key);
    const source: StreamSource = {
      epoch: 1,
      silentMs: (nowMs) => stream.silentMs(nowMs),
      displace: () => {},
    };
    stream.attach(source, NEWER);
    stream.begin(runOf(1));
    stream.append(frameOf('avc key', 1, 0));
    return source;
  }

  /** Time goes by, and the event loop turns. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 20) this.clock.pass(20);
  }

  /** 25 frames a second with audio beside them; a key frame each second, or none. */
  play(publication: Publication, fromMs: number, seconds: number, { keys = true, bytes = 1_000 } = {}): void {
    for (let ms = fromMs; ms < fromMs + seconds * 1000; ms += 40) {
      const name = keys && ms % 1_000 === 0 ? 'avc key' : 'avc delta';
      this.send(publication, name, ms, bytes);
      this.send(publication, 'aac sample', ms, 100);
      this.clock.pass(40);
    }
  }

  send(publication: Publication, name: PayloadName, ms: number, bytes = 0): void {
    publication.append(kindOf(name), ms, payloadOf(name, 1, bytes));
  }

  get alarms(): string[] {
    return [...this.answers.alarms({ limit: 100 }, ASKER).rows].map(({ kind, hop, until }) => {
      const about = hop ? ` ${hop.from}>${hop.to}` : '';
      return `${kind}${about}${until === null ? '' : ' over'}`;
    });
  }

  here(key: StreamKey = KEY) {
    const [row] = this.answers.stream({ key }, ASKER).rows;
    if (row) questions.stream.row.parse(row);
    return row;
  }
}

let bench: WatchBench;
beforeEach(() => {
  bench = new WatchBench();
});

describe('what is told of a stream', () => {
  test('is what is in it, how fast, and how even', () => {
    const publication = bench.publish();
    publication.append(
      FrameKind.data,
      0,
      encode('onMetaData', { width: 640, height: 360, audiosamplerate: 48_000, stereo: true }),
    );
    publication.append(FrameKind.video, 0, Buffer.from('170000000001', 'hex'));
    publication.append(FrameKind.audio, 0, Buffer.from('af001210', 'hex'));
    bench.play(publication, 0, 10);
    const here = bench.here();
    expect(here).toMatchObject({
      ...{ key: KEY, node: 'self', role: 'origin', state: 'live', hops: 0, path: ['self'], children: 2 },
      ...{ video: 'avc', audio: 'aac', hop: null, publisher: null },
    });
    const { quality } = here ?? {};
    expect(quality).toMatchObject({
      // The record says nothing, so the metadata is believed.
      video: { codec: 'avc', width: 640, height: 360, keyIntervalMs: 1_000, keyAgeMs: 1_000 },
      audio: { codec: 'aac', sampleRate: 44_100, channels: 2 },
      ...{ jitterMs: 0, longestGapMs: 40, skewMs: 0, dropped: 0, silentMs: 40 },
    });
    expect(Math.abs((quality?.video?.frameRate ?? 0) - 25)).toBeLessThan(0.3);
    expect(Math.abs((quality?.video?.bitsPerS ?? 0) / 200_000 - 1)).toBeLessThan(0.02);
    expect(Math.abs((quality?.audio?.bitsPerS ?? 0) / 20_000 - 1)).toBeLessThan(0.02);
    expect(here?.history.bitsPerS).toHaveLength(5);
    expect([...bench.answers.streams({}, ASKER).rows]).toMatchObject([
      { key: KEY, bitsPerS: here?.bitsPerS, frameRate: here?.frameRate, since: here?.since },
    ]);
  });

  test('is less where it is held, and nothing once it ended', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 3);
    publication.end(GONE);
    bench.pass(10_000);
    expect(bench.here()).toMatchObject({ state: 'held', bitsPerS: 0, frameRate: 0 });
    bench.pass(20_100);
    expect(bench.here()).toBeUndefined();
    const { total, rows } = bench.answers.streams({}, ASKER);
    expect([total, [...rows]]).toEqual([0, []]);
    expect(bench.answers.history({ keys: [KEY, 'live/none'] }, ASKER)).toEqual({ total: 0, rows: [] });
  });

  test('of many streams is the curve of those that were asked for', () => {
    const other = parseStreamKey('live', 'other');
    bench.play(bench.publish(), 0, 5);
    bench.publish(other);
    bench.pass(2_500);
    const { total, rows } = bench.answers.history({ keys: [KEY, 'live/none', other] }, ASKER);
    expect(total).toBe(2);
    const [first, second] = [...rows].map((row) => questions.history.row.parse(row));
    expect([first?.key, first?.bitsPerS.length, first?.bitsPerS.at(-1)]).toEqual([
      KEY,
      3,
      expect.any(Number),
    ]);
    expect([second?.key, second?.bitsPerS]).toEqual([other, [0]]);
  });
});

describe('alarms at the origin', () => {
  test('a publisher that stalls is told of within three seconds, and of its end', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 4);
    bench.pass(1_900);
    expect(bench.alarms).toEqual([]);
    bench.pass(700);
    expect(bench.alarms).toEqual(['stalled']);
    bench.play(publication, 7_000, 1.6);
    expect(bench.alarms).toEqual(['stalled over']);
  });

  test('a publisher that connects after a hold is not stalled yet', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 4);
    bench.pass(5_000);
    expect(bench.alarms).toEqual(['stalled']);
    publication.end(GONE);
    bench.pass(500);
    expect(bench.alarms).toEqual(['stalled over']);
    bench.pass(20_000);
    const next = bench.publish();
    bench.pass(1_900);
    bench.play(next, 0, 2);
    expect(bench.alarms).toEqual(['stalled over']);
  });

  test('a publisher is not to blame for the time in which the node itself stood still', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 4);
    bench.clock.spend(6_000);
    bench.clock.pass(0);
    expect(bench.alarms).toEqual([]);
    bench.play(publication, 10_000, 2);
    expect(bench.alarms).toEqual([]);
    bench.pass(2_600);
    expect(bench.alarms).toEqual(['stalled']);
  });

  test('video without a key frame is told of, also where nothing of it can be used', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 1);
    bench.play(publication, 1_000, 13, { keys: false });
    expect(bench.alarms).toEqual([]);
    bench.play(publication, 14_000, 2, { keys: false });
    expect(bench.alarms).toEqual(['no-key-frame']);
    bench.play(publication, 16_000, 1);
    expect(bench.alarms).toEqual(['no-key-frame over']);
    publication.end(GONE);
    const next = bench.publish();
    bench.play(next, 0, 16, { keys: false });
    expect(bench.alarms).toEqual(['no-key-frame', 'no-key-frame over']);
    expect(bench.here()?.video).toBeNull();
  });

  test('a bitrate that collapses is told of, but not after the publisher came back with less', () => {
    const publication = bench.publish();
    bench.play(publication, 0, 40);
    bench.play(publication, 40_000, 2, { bytes: 200 });
    expect(bench.alarms).toEqual([]);
    bench.play(publication, 42_000, 4, { bytes: 200 });
    expect(bench.alarms).toEqual(['bitrate-collapsed']);
    publication.end(GONE);
    const next = bench.publish();
    bench.play(next, 0, 40, { bytes: 200 });
    expect(bench.alarms).toEqual(['bitrate-collapsed over']);
  });
});

describe('alarms at a replica', () => {
  test('are about the hop if the parent has more, or is silent; not if it has nothing either', () => {
    bench.pull('p');
    bench.pass(5_000);
    expect(bench.alarms).toEqual([]);
    bench.has = 'more';
    bench.pass(500);
    expect(bench.alarms).toEqual(['stalled p>self']);
    bench.has = 'nothing';
    bench.pass(1_500);
    expect(bench.alarms).toEqual(['stalled p>self over']);
    bench.has = 'unknown';
    bench.pass(500);
    expect(bench.alarms).toEqual(['stalled p>self', 'stalled p>self over']);
  });

  test('go on in the hold of a replica whose parent is gone, and end when it is fed again', () => {
    const source = bench.pull('p');
    bench.pass(500);
    bench.has = 'unknown';
    bench.upstreams.set(KEY, undefined);
    bench.directory.get(KEY)?.detach(source, LOST, 30_000);
    bench.pass(2_500);
    expect(bench.alarms).toEqual(['stalled p>self']);
    bench.pull('q');
    bench.has = 'nothing';
    bench.pass(1_500);
    expect(bench.alarms).toEqual(['stalled p>self over']);
  });

  test('wait for the first frame of a parent that was found in a hold as for any other', () => {
    const source = bench.pull('p');
    const stream = bench.directory.get(KEY);
    stream?.detach(source, GONE, 30_000);
    bench.pass(10_000);
    bench.has = 'unknown';
    stream?.attach(source, NEWER);
    bench.pass(1_900);
    expect(bench.alarms).toEqual([]);
    bench.pass(700);
    expect(bench.alarms).toEqual(['stalled p>self']);
  });

  test('are none in a hold that the parent told of, also when the parent goes afterwards', () => {
    const source = bench.pull('p');
    bench.pass(500);
    bench.directory.get(KEY)?.detach(source, LOST, 30_000);
    bench.pass(1_000);
    bench.upstreams.set(KEY, undefined);
    bench.pass(5_000);
    expect(bench.alarms).toEqual([]);
  });

  test('tell of a hop that is slow, and nothing of what the publisher does', () => {
    bench.pull('p');
    bench.hopDelayMs = 800;
    bench.pass(3_100);
    expect(bench.alarms).toEqual(['hop-slow p>self']);
    bench.pass(30_000);
    expect(bench.alarms).toEqual(['hop-slow p>self']);
  });

  test('end with their stream', () => {
    bench.pull('p');
    bench.has = 'more';
    bench.pass(3_000);
    expect(bench.watch.alarms.count).toBe(1);
    bench.directory.get(KEY)?.end(GONE);
    expect([bench.watch.alarms.count, bench.alarms]).toEqual([0, ['stalled p>self over']]);
  });

  test('that ended are left out when only those of the last so many ms are asked for', () => {
    bench.pull('p');
    bench.has = 'more';
    bench.pass(30_000);
    const within = (withinMs: number) => bench.answers.alarms({ withinMs, limit: 100 }, ASKER).total;
    expect(within(0), 'it lasts').toBe(1);
    bench.directory.get(KEY)?.end(GONE);
    bench.clock.advance(2_000);
    expect([within(2_000), within(1_999)]).toEqual([1, 0]);
  });
});

test('the alarms of one stream are as many as were asked for, and those that there are', () => {
  const other = parseStreamKey('live', 'other');
  bench.publish();
  bench.publish(other);
  bench.pass(3_000);
  const { total, rows } = bench.answers.alarms({ limit: 1 }, ASKER);
  expect([total, [...rows].length]).toEqual([2, 1]);
  const ofOther = bench.answers.alarms({ stream: other, limit: 5 }, ASKER);
  expect([...ofOther.rows].map((row) => questions.alarms.row.parse(row).stream)).toEqual([other]);
});

test('a few streams are looked at in each turn, so that many hold nobody up', () => {
  for (let at = 0; at < 1_000; at += 1) bench.publish(parseStreamKey('live', `s${at}`));
  bench.clock.advance(2_500);
  const looked: number[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    bench.clock.turn();
    looked.push(bench.watch.alarms.count);
  }
  expect(looked).toEqual([200, 400, 600, 800, 1_000, 1_000, 1_000, 1_000]);
});

test('metrics name the streams with the most players, and sum up the others', () => {
  const sink = new FakeSink();
  for (const [at, name] of ['a', 'b', 'c'].entries()) {
    const publication = bench.publish(parseStreamKey('live', name));
    bench.send(publication, 'avc delta', 0);
    bench.send(publication, 'avc key', 0, 1_000 * (at + 1));
  }
  sink.player = bench.directory
    .get(parseStreamKey('live', 'b'))
    ?.play(new TestEncoder(), sink, { remote: 'x:1' });
  bench.pass(1_000);
  const sources = { ...bench, droppedOfOthers: new OthersSum() };
  const told = (named: number) => {
    const work = tallyStreams(sources, named);
    let step = work.next();
    while (!step.done) step = work.next();
    return streamMetrics({ tally: step.value, watch: bench.watch });
  };
  const families = told(1);
  const samplesOf = (name: string) => families.find((family) => family.name === name)?.samples;
  expect(samplesOf('tideway_stream_players')).toEqual([
    { labels: { stream: 'live/b' }, value: 1 },
    { labels: { stream: 'other' }, value: 0 },
  ]);
  expect(samplesOf('tideway_stream_frames_dropped_total')).toEqual([
    { labels: { stream: 'live/b' }, value: 1 },
    { labels: { stream: 'other' }, value: 2 },
  ]);
  expect(samplesOf('tideway_stream_bytes_per_second')?.map(({ value }) => value)).toEqual([2_000, 4_000]);
  // Not known, and so not told; no sum of others.
  expect(samplesOf('tideway_stream_key_frame_interval_seconds')).toEqual([]);
  expect(samplesOf('tideway_stream_jitter_seconds')).toEqual([{ labels: { stream: 'live/b' }, value: 0 }]);
  bench.pass(2_000);
  const later = told(0);
  expect(later.find(({ name }) => name === 'tideway_alarms')?.samples[0]).toEqual({
    labels: { kind: 'stalled' },
    value: 3,
  });
  expect(later.find(({ name }) => name === 'tideway_stream_players')?.samples).toEqual([
    { labels: { stream: 'other' }, value: 1 },
  ]);
});
