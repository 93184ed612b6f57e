// What players see of time (design §6, splice), from the publisher's wire times on: nothing falls, nothing leaps.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classify } from '../../../src/format/codec.ts';
import { FrameKind } from '../../../src/format/frame.ts';
import {
  FakePublisher,
  FakeSink,
  GONE,
  type PayloadName,
  type Received,
  StreamBench,
} from '../../support/media.ts';

const MAX_LEAP_MS = 3000;

/**
 * Throws where a player's time falls within a track, or leaps.
 * @param aheadMs how far audio before the player's start may have been ahead of its start
 */
function checkTimes(frames: readonly Received[], aheadMs = 0): void {
  const last = new Map<number, number>();
  let newest = (frames[0]?.time ?? 0) + aheadMs;
  for (const { kind, time, payload } of frames) {
    const before = last.get(kind) ?? 0;
    if (time < before) throw new Error(`time of kind ${kind} fell from ${before} to ${time}`);
    if (time > newest + MAX_LEAP_MS) throw new Error(`time leapt from ${newest} to ${time}`);
    // Decoder set-up that opens a start has the start's time; the track itself may be a little behind.
    const role = classify(kind as FrameKind, payload);
    if (role !== 'header' && role !== 'metadata') last.set(kind, time);
    newest = Math.max(newest, time);
  }
}

const media = fc.record({
  do: fc.constant('send' as const),
  name: fc.constantFrom<PayloadName>('avc key', 'avc delta', 'avc delta', 'aac sample', 'aac sample'),
  /** Stream time that passes before it, and how far its own time is from that. */
  ms: fc.integer({ min: 0, max: 60 }),
  skewMs: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -3000, max: 3000 }) },
  ),
});
const setUp = fc.record({
  do: fc.constant('set up' as const),
  name: fc.constantFrom<PayloadName>('avc header', 'aac header', 'metadata', 'data'),
  time: fc.constantFrom('zero' as const, 'now' as const),
});
const jump = fc.record({
  do: fc.constant('jump' as const),
  byMs: fc.oneof(
    fc.integer({ min: -5000, max: 5000 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
    fc.integer({ min: 0, max: 2 ** 32 }),
  ),
});
const restart = fc.record({
  do: fc.constant('restart' as const),
  how: fc.constantFrom('hold' as const, 'takeover' as const),
  gapMs: fc.oneof(fc.nat(200), fc.nat(20_000)),
  firstTime: fc.oneof(fc.nat(2 ** 32 - 1), fc.nat(100), fc.integer({ min: 2 ** 32 - 500, max: 2 ** 32 - 1 })),
});
const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: media },
    { weight: 2, arbitrary: setUp },
    { weight: 1, arbitrary: jump },
    { weight: 1, arbitrary: restart },
    { weight: 2, arbitrary: fc.constant({ do: 'join' as const }) },
    { weight: 3, arbitrary: fc.constant({ do: 'turn' as const }) },
  ),
  { maxLength: 120, size: 'max' },
);

test("a player's time never falls within a track and never leaps by more than 3 s, whatever publishers do", () => {
  let received = 0;
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.boolean(), steps, (firstTime, withVideo, history) => {
      const bench = new StreamBench();
      const sinks = [bench.play()];
      let publisher = new FakePublisher(bench);
      let time = firstTime;
      let id = 1;
      for (const step of history) {
        switch (step.do) {
          case 'send':
            bench.clock.advance(step.ms);
            time += step.ms;
            id += 1;
            publisher.send(withVideo ? step.name : 'aac sample', time + step.skewMs, id);
            break;
          case 'set up':
            publisher.send(step.name, step.time === 'zero' ? 0 : time, 1);
            break;
          case 'jump':
            time += step.byMs;
            break;
          case 'restart':
            bench.clock.turn();
            if (step.how === 'hold') publisher.publication.end(GONE);
            bench.clock.advance(step.gapMs);
            publisher = new FakePublisher(bench);
            time = step.firstTime;
            break;
          case 'join':
            sinks.push(bench.play());
            break;
          case 'turn':
            bench.clock.turn();
            break;
        }
      }
      bench.clock.turn();
      for (const sink of sinks) {
        checkTimes(sink.frames, MAX_LEAP_MS);
        received += sink.frames.length;
        expect(sink.ends).toEqual([]);
      }
    }),
    { numRuns: 1200 },
  );
  expect(received).toBeGreaterThan(20_000);
});

test('headers and metadata with time 0 move nothing, at whatever moment they come', () => {
  const bench = new StreamBench();
  const sink = bench.play();
  const publisher = new FakePublisher(bench);
  publisher.send('metadata', 0, 1);
  publisher.send('avc header', 0, 1);
  publisher.send('aac header', 0, 1);
  publisher.send('avc key', 700_000, 2);
  publisher.send('aac sample', 700_005, 3);
  publisher.send('metadata', 0, 4);
  publisher.send('aac header', 0, 2);
  publisher.send('avc header', 0, 2);
  publisher.send('data', 0, 5);
  publisher.send('avc delta', 700_040, 6);
  publisher.send('aac sample', 700_028, 7);
  bench.clock.turn();
  expect(sink.times).toEqual([
    700_000, 700_000, 700_000, 700_000, 700_005, 700_005, 700_005, 700_000, 700_005, 700_040, 700_028,
  ]);
});

test('a publication that starts 5 s before 2^32 loses nothing, and its time goes on', () => {
  const bench = new StreamBench();
  const sink = bench.play();
  const publisher = new FakePublisher(bench);
  const first = 2 ** 32 - 5000;
  const sent: number[] = [];
  for (let ms = 0; ms < 10_000; ms += 20) {
    const id = ms + 1;
    if (ms % 40 === 0) publisher.send(ms % 2000 === 0 ? 'avc key' : 'avc delta', first + ms, id);
    else publisher.send('aac sample', first + ms, id);
    sent.push(id);
    bench.clock.pass(20);
  }
  expect(sink.ids).toEqual(sent);
  expect(sink.times).toEqual(sent.map((id) => (first % 2 ** 30) + id - 1));
  expect(publisher.publication.dropped).toBe(0);
});

test('audio from just before 2^32 and video from just behind it keep their difference', () => {
  const bench = new StreamBench();
  const sink = bench.play();
  const publisher = new FakePublisher(bench);
  publisher.send('avc key', 2 ** 32 - 10, 1);
  publisher.send('aac sample', 2 ** 32 + 15, 2);
  publisher.send('avc delta', 2 ** 32 - 3, 3);
  publisher.send('aac sample', 2 ** 32 + 38, 4);
  publisher.send('avc delta', 2 ** 32 + 37, 5);
  bench.clock.turn();
  const [start = 0] = sink.times;
  expect(sink.times.map((time) => time - start)).toEqual([0, 25, 7, 48, 47]);
});

test('a publisher whose clock leaps by an hour is spliced for audio and video alike', () => {
  for (const leapMs of [3_600_000, -3_600_000]) {
    const bench = new StreamBench();
    const sink = bench.play();
    const publisher = new FakePublisher(bench);
    publisher.send('avc key', 5_000_000, 1);
    publisher.send('aac sample', 5_000_000, 2);
    for (let ms = 20; ms < 1000; ms += 20) {
      bench.clock.pass(20);
      const at = 5_000_000 + ms + (ms < 500 ? 0 : leapMs);
      publisher.send('aac sample', at, ms);
      publisher.send('avc delta', at, ms);
    }
    bench.clock.turn();
    const of = (kind: number) => sink.frames.filter((frame) => frame.kind === kind).map(({ time }) => time);
    expect(of(FrameKind.audio)).toEqual(of(FrameKind.video));
    checkTimes(sink.frames);
    expect((sink.times.at(-1) ?? 0) - (sink.times[0] ?? 0)).toBe(980);
  }
});

test('an audio-only publisher whose clock steps back in its first second is not waited for longer', () => {
  const bench = new StreamBench();
  const sink = bench.play();
  const publisher = new FakePublisher(bench);
  publisher.send('aac sample', 9_000_000, 1);
  for (let ms = 0; ms <= 1000; ms += 20) publisher.send('aac sample', ms, 2 + ms);
  bench.clock.turn();
  expect(sink.ids.at(-1)).toBe(1002);
  checkTimes(sink.frames);
});

test('a sink that takes bytes slowly sees the same times as one that takes them at once', () => {
  const bench = new StreamBench();
  const fast = bench.play();
  const slow = bench.play(new FakeSink('by-hand', { weight: 3000 }));
  const publisher = new FakePublisher(bench);
  for (let ms = 0; ms < 4000; ms += 20) {
    publisher.send(ms % 1000 === 0 ? 'avc key' : 'avc delta', 50 + ms, ms + 1);
    bench.clock.pass(20);
    if (ms % 100 === 0) slow.drain();
  }
  slow.drainAll();
  expect(slow.times).toEqual(fast.times);
  expect(slow.ids).toEqual(fast.ids);
});
