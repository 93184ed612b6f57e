import { describe, expect, test } from 'vitest';
import { StreamMeter } from '../../../src/media/stream-meter.ts';
import { FakePublisher, frameOf, GONE, type PayloadName, runOf, StreamBench } from '../../support/media.ts';

/** A meter that frames come to at given times. */
class MeterBench {
  readonly meter = new StreamMeter();
  #seq = 0;

  begin(epoch: number, { from = 1, isEpoch = true } = {}): void {
    this.meter.begin(runOf(epoch, from), isEpoch);
    this.#seq = from - 1;
  }

  came(name: PayloadName, dts: number, atMs: number, size = 0): void {
    this.#seq += 1;
    this.meter.appended(frameOf(name, this.#seq, dts, size), atMs);
  }

  leaveOut(frames: number): void {
    this.#seq += frames;
  }
}

test('bytes are counted by track, frames without decoder set-up', () => {
  const bench = new MeterBench();
  bench.begin(1);
  bench.came('metadata', 0, 0, 90);
  bench.came('avc header', 0, 0, 50);
  bench.came('aac header', 0, 0, 20);
  bench.came('avc key', 0, 0, 1_000);
  bench.came('aac sample', 0, 0, 100);
  bench.came('avc delta', 40, 40, 200);
  const { meter } = bench;
  expect([meter.video.bytes, meter.audio.bytes, meter.dataBytes, meter.bytes]).toEqual([
    1_250, 120, 90, 1_460,
  ]);
  expect([meter.video.frames, meter.audio.frames, meter.keyFrames]).toEqual([2, 1, 1]);
});

test('the interval of key frames is stream time, and when the last one came is real time', () => {
  const bench = new MeterBench();
  bench.begin(1);
  bench.came('avc key', 1_000, 50);
  expect([bench.meter.keyIntervalMs, bench.meter.lastKeyMs]).toEqual([Number.NaN, 50]);
  bench.came('avc key', 3_000, 60);
  expect([bench.meter.keyIntervalMs, bench.meter.lastKeyMs]).toEqual([2_000, 60]);
  // Frames are missing, and perhaps a key frame among them.
  bench.begin(1, { from: 100, isEpoch: false });
  bench.came('avc key', 9_000, 70);
  expect(bench.meter.keyIntervalMs).toBe(2_000);
  bench.begin(2);
  expect([bench.meter.keyIntervalMs, bench.meter.lastKeyMs]).toEqual([Number.NaN, Number.NaN]);
});

describe('jitter', () => {
  /** 25 frames a second; every second one is late. */
  const uneven = (bench: MeterBench, lateMs: number, frames = 200): void => {
    for (let at = 0; at < frames; at += 1) {
      bench.came(at === 0 ? 'avc key' : 'avc delta', at * 40, 5_000 + at * 40 + (at % 2) * lateMs);
    }
  };

  test('is the mean deviation of arrivals from their dts', () => {
    const bench = new MeterBench();
    bench.begin(1);
    uneven(bench, 10);
    expect(bench.meter.jitterMs).toBeCloseTo(10, 2);
    expect(bench.meter.video.jitterMs).toBe(bench.meter.jitterMs);
    expect(bench.meter.audio.jitterMs).toBe(0);
  });

  test('is none of a stream that comes as it should, audio after video', () => {
    const bench = new MeterBench();
    bench.begin(1);
    for (let at = 0; at < 100; at += 1) {
      bench.came(at === 0 ? 'avc key' : 'avc delta', at * 40, at * 40);
      bench.came('aac sample', at * 40 - 300, at * 40);
    }
    expect(bench.meter.jitterMs).toBe(0);
  });

  test('is none of what a newcomer is sent at once, and counts once it has caught up', () => {
    const bench = new MeterBench();
    bench.begin(1);
    for (let at = 0; at < 50; at += 1) bench.came(at === 0 ? 'avc key' : 'avc delta', at * 40, 0.1 * at);
    expect(bench.meter.jitterMs).toBe(0);
    bench.came('avc delta', 50 * 40, 45);
    bench.came('avc delta', 51 * 40, 165);
    expect(bench.meter.jitterMs).toBeGreaterThan(4);
  });

  test('is none of a hold, a splice or a leap of time', () => {
    const bench = new MeterBench();
    bench.begin(1);
    uneven(bench, 0, 10);
    bench.meter.attached();
    bench.came('avc delta', 400, 65_000);
    expect(bench.meter.jitterMs).toBe(0);
    bench.begin(1, { from: 500, isEpoch: false });
    bench.came('avc delta', 90_000, 65_040);
    bench.came('avc delta', 3_000_000, 65_080);
    bench.came('avc delta', 3_000_040, 65_120);
    expect(bench.meter.jitterMs).toBe(0);
    bench.came('avc delta', 3_000_080, 65_170);
    expect(bench.meter.jitterMs).toBeCloseTo(10 / 16);
    bench.begin(2);
    expect(bench.meter.jitterMs).toBe(0);
  });
});

test('the longest gap is told once, and a hold is none', () => {
  const bench = new MeterBench();
  bench.begin(1);
  bench.came('avc key', 0, 100);
  bench.came('aac sample', 0, 350);
  bench.came('avc delta', 40, 400);
  expect(bench.meter.takeLongestGapMs()).toBe(250);
  expect(bench.meter.takeLongestGapMs()).toBe(0);
  bench.meter.attached();
  bench.came('avc delta', 80, 30_000);
  bench.came('avc delta', 120, 30_040);
  expect(bench.meter.takeLongestGapMs()).toBe(40);
});

test('audio ahead of video is a skew above zero, and there is none without both', () => {
  const bench = new MeterBench();
  bench.begin(1);
  bench.came('avc key', 1_000, 0);
  expect(bench.meter.skewMs).toBeNaN();
  bench.came('aac sample', 1_120, 0);
  expect(bench.meter.skewMs).toBe(120);
  bench.begin(2);
  expect(bench.meter.skewMs).toBeNaN();
});

test('frames that are missing count, whether within a run or between two; those of another epoch do not', () => {
  const bench = new MeterBench();
  bench.begin(1, { from: 7 });
  bench.came('avc key', 0, 0);
  bench.leaveOut(3);
  bench.came('avc delta', 40, 40);
  expect(bench.meter.missing).toBe(3);
  bench.begin(1, { from: 21, isEpoch: false });
  expect(bench.meter.missing).toBe(3 + 9);
  bench.begin(2, { from: 1_000 });
  bench.came('avc key', 0, 0);
  expect(bench.meter.missing).toBe(12);
});

test('stream time goes on over bursts and leaps, a leap being worth little', () => {
  const bench = new MeterBench();
  bench.begin(1);
  for (let at = 0; at <= 50; at += 1) bench.came(at === 0 ? 'avc key' : 'avc delta', at * 40, 0);
  expect(bench.meter.streamMs).toBe(2_000);
  bench.came('avc delta', 9e9, 0);
  expect(bench.meter.streamMs).toBe(7_000);
  bench.came('avc delta', 0, 0);
  bench.came('avc delta', 40, 0);
  expect(bench.meter.streamMs).toBe(7_040);
});

test('a stream meters what its publisher sends, and what of it no decoder could use', () => {
  const bench = new StreamBench();
  const publisher = new FakePublisher(bench);
  publisher.send('avc delta', 0, 1);
  publisher.send('avc key', 40, 2, 500);
  publisher.send('aac sample', 40, 3, 60);
  publisher.send('avc delta', 80, 4, 100);
  const { meter } = bench.stream;
  expect([meter.video.bytes, meter.audio.bytes, meter.unusable, meter.missing]).toEqual([600, 60, 1, 0]);
  publisher.publication.end(GONE);
  bench.clock.pass(20_000);
  new FakePublisher(bench).send('avc key', 0, 5, 500);
  expect([meter.video.bytes, meter.keyFrames, meter.missing]).toEqual([1_100, 2, 0]);
  expect(meter.takeLongestGapMs()).toBe(0);
});
