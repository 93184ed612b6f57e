import { describe, expect, test } from 'vitest';
import {
  HISTORY_POINTS,
  HISTORY_STEP_MS,
  LOOK_EVERY_MS,
  QualityWindow,
  type Tally,
} from '../../../src/observe/quality-window.ts';

/** A stream of constant rates that is looked at twice a second. */
class WindowBench {
  readonly window = new QualityWindow();
  #tally: Tally = {
    ...{ nowMs: 10_000, streamMs: 0, bytes: 0, videoBytes: 0, audioBytes: 0 },
    ...{ videoFrames: 0, longestGapMs: 0, players: 0 },
  };

  constructor() {
    this.window.push(this.#tally);
  }

  /** @param bitsPerS of video; audio is a tenth of it */
  pass(seconds: number, bitsPerS: number, changes: Partial<Tally> = {}): void {
    for (let left = (seconds * 1000) / LOOK_EVERY_MS; left > 0; left -= 1) {
      this.look(LOOK_EVERY_MS, bitsPerS, changes);
    }
  }

  look(realMs: number, bitsPerS: number, changes: Partial<Tally> = {}, streamMs = realMs): void {
    const before = this.#tally;
    const videoBytes = before.videoBytes + (bitsPerS * streamMs) / 8000;
    const audioBytes = before.audioBytes + (bitsPerS * streamMs) / 80_000;
    this.#tally = {
      ...before,
      nowMs: before.nowMs + realMs,
      streamMs: before.streamMs + streamMs,
      ...{ videoBytes, audioBytes, bytes: videoBytes + audioBytes },
      videoFrames: before.videoFrames + streamMs / 40,
      ...changes,
    };
    this.window.push(this.#tally);
  }
}

describe('rates', () => {
  test('are those of the last five seconds', () => {
    const bench = new WindowBench();
    expect(bench.window.rates).toMatchObject({ bitsPerS: 0, frameRate: 0 });
    bench.pass(1, 1e6);
    expect(bench.window.rates.videoBitsPerS).toBeCloseTo(1e6);
    bench.pass(9, 1e6);
    const { rates } = bench.window;
    expect([rates.videoBitsPerS, rates.audioBitsPerS, rates.bitsPerS].map(Math.round)).toEqual([
      1_000_000, 100_000, 1_100_000,
    ]);
    expect(rates.frameRate).toBeCloseTo(25);
    bench.pass(2.5, 0);
    expect(bench.window.rates.videoBitsPerS).toBeCloseTo(0.5e6);
    bench.pass(2.5, 0);
    expect(bench.window.rates.videoBitsPerS).toBe(0);
  });

  test('of a burst are those of the time that it was made in', () => {
    const bench = new WindowBench();
    bench.look(500, 2e6, {}, 4_000);
    expect(bench.window.rates.videoBitsPerS).toBeCloseTo(2e6);
    expect(bench.window.rates.frameRate).toBeCloseTo(25);
  });

  test('tell the longest gap as long as it is of the last five seconds', () => {
    const bench = new WindowBench();
    bench.look(500, 1e6, { longestGapMs: 700 });
    bench.pass(4.5, 1e6, { longestGapMs: 40 });
    expect(bench.window.rates.longestGapMs).toBe(700);
    bench.pass(0.5, 1e6, { longestGapMs: 40 });
    expect(bench.window.rates.longestGapMs).toBe(40);
  });
});

describe('curves', () => {
  test('have a point each two seconds, oldest first, and no more than sixty', () => {
    const bench = new WindowBench();
    bench.pass(4, 1e6, { players: 3 });
    bench.pass(2, 2e6, { players: 5 });
    expect(bench.window.curves).toEqual({
      stepMs: HISTORY_STEP_MS,
      bitsPerS: [1_100_000, 1_100_000, 2_200_000],
      frameRate: [25, 25, 25],
      players: [3, 3, 5],
    });
    bench.pass(1.5, 1e6);
    expect(bench.window.curves.bitsPerS).toHaveLength(3);
    bench.pass(130, 3e6);
    const { bitsPerS, players } = bench.window.curves;
    expect([bitsPerS.length, players.length]).toEqual([HISTORY_POINTS, HISTORY_POINTS]);
    expect(new Set(bitsPerS)).toEqual(new Set([3_300_000]));
  });

  test('have alike points for a while in which nobody looked', () => {
    const bench = new WindowBench();
    bench.look(8_100, 1e6);
    expect(bench.window.curves.bitsPerS).toEqual([1_100_000, 1_100_000, 1_100_000, 1_100_000]);
    bench.look(3_600_000, 1e6);
    expect(bench.window.curves.bitsPerS).toHaveLength(HISTORY_POINTS);
  });
});

describe('the usual bitrate', () => {
  test('is the median of the minute before the last seconds', () => {
    const bench = new WindowBench();
    bench.pass(24, 1e6);
    expect(bench.window.usualBitsPerS).toBeNaN();
    bench.pass(2, 1e6);
    expect(bench.window.usualBitsPerS).toBeCloseTo(1.1e6);
    bench.pass(60, 1e6);
    bench.pass(28, 0.2e6);
    expect(bench.window.usualBitsPerS).toBeCloseTo(1.1e6);
    bench.pass(12, 0.2e6);
    expect(bench.window.usualBitsPerS).toBeCloseTo(0.22e6);
  });

  test('is not known again after a restart, and pauses are no part of it', () => {
    const bench = new WindowBench();
    bench.pass(60, 1e6);
    bench.window.restart();
    expect(bench.window.usualBitsPerS).toBeNaN();
    bench.pass(20, 0);
    bench.pass(24, 3e6);
    expect(bench.window.usualBitsPerS).toBeNaN();
    bench.pass(2, 3e6);
    expect(bench.window.usualBitsPerS).toBeCloseTo(3.3e6);
  });
});
