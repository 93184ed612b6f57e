import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { FrameLog, type LogLimits } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { frameOf, type PayloadName, runOf, WIDE_LOG } from '../../support/media.ts';

const ENTRY_BYTES = 256;

class LogBench {
  readonly budget: MemoryBudget;
  readonly log: FrameLog;
  #id = 0;

  constructor(limits: Partial<LogLimits> = {}, budgetBytes = 2 ** 40) {
    this.budget = new MemoryBudget(budgetBytes);
    this.log = new FrameLog({ ...WIDE_LOG, ...limits }, this.budget);
  }

  append(name: PayloadName, time: number, size = 0): void {
    this.#id += 1;
    this.log.append(frameOf(name, this.#id, time, size), time, time);
  }

  kept(): number[] {
    const positions: number[] = [];
    for (let at = this.log.oldest; at < this.log.next; at += 1)
      positions.push(this.log.at(at)?.position ?? -1);
    return positions;
  }
}

describe('a frame log', () => {
  test('is empty at first', () => {
    const { log } = new LogBench();
    expect([log.oldest, log.next, log.bytes]).toEqual([0, 0, 0]);
    expect([log.head, log.at(0), log.at(-1), log.startPosition()]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(log.hasVideo).toBe(false);
    log.trim();
    log.clear();
  });

  test('numbers frames across epochs, and counts the bytes between them', () => {
    const bench = new LogBench();
    bench.log.begin(runOf(1));
    bench.append('avc key', 0, 100);
    bench.log.begin(runOf(2));
    bench.append('aac sample', 1, 50);
    expect(bench.log.at(0)).toMatchObject({ position: 0, run: runOf(1), time: 0, totalBytes: 100 });
    expect(bench.log.head).toMatchObject({ position: 1, run: runOf(2), time: 1, totalBytes: 150 });
    expect(bench.log.bytes).toBe(150 + 2 * ENTRY_BYTES);
    expect(bench.budget.usedBytes).toBe(bench.log.bytes);
  });

  test('is charged for the set-up in effect, which outlives its entries, and lets go of it', () => {
    const bench = new LogBench({ logFrames: 1 });
    const setUpBytes = () => {
      bench.log.trim();
      return bench.budget.usedBytes - bench.log.bytes;
    };
    bench.log.begin(runOf(1));
    bench.append('avc header', 0, 1000);
    bench.append('aac header', 0, 100);
    bench.append('avc header', 0, 3000);
    bench.append('metadata', 0, 500);
    bench.append('avc key', 0, 9000);
    const inEffect = 3000 + 100 + 500 + 3 * ENTRY_BYTES;
    expect(setUpBytes()).toBe(inEffect);
    bench.log.begin(runOf(2));
    expect(setUpBytes(), 'to tell what is repeated').toBe(inEffect);
    bench.append('avc header', 40, 2000);
    bench.append('avc key', 40, 9000);
    expect(setUpBytes()).toBe(2000 + ENTRY_BYTES);
    bench.log.forgetHeader(FrameKind.video);
    expect(setUpBytes()).toBe(0);
    bench.append('avc header', 80, 2000);
    bench.log.clear();
    expect(bench.budget.usedBytes).toBe(0);
  });

  test('keeps no set-up that is larger than any decoder needs', () => {
    const bench = new LogBench();
    bench.log.begin(runOf(1));
    bench.append('avc header', 0, 100);
    bench.append('avc header', 0, 256 * 1024 + 1);
    bench.append('metadata', 0, 256 * 1024 + 1);
    expect(bench.log.head?.headers).toMatchObject({
      metadata: undefined,
      video: { payload: { length: 100 } },
    });
    bench.append('avc header', 0, 256 * 1024);
    expect(bench.log.head?.headers.video?.payload.length).toBe(256 * 1024);
  });

  test('evicts nothing until it is trimmed', () => {
    const bench = new LogBench({ logFrames: 2 });
    for (let time = 0; time < 100; time += 1) bench.append('avc key', time);
    expect(bench.kept()).toHaveLength(100);
    bench.log.trim();
    expect(bench.kept()).toEqual([98, 99]);
  });

  test('is bounded by time, in bytes and in frames, and always keeps its head', () => {
    const byTime = new LogBench({ logMs: 100 });
    for (let time = 0; time <= 500; time += 50) byTime.append('avc key', time);
    byTime.log.trim();
    expect(byTime.kept()).toEqual([8, 9, 10]);
    const byBytes = new LogBench({ logBytes: 3 * (1000 + ENTRY_BYTES) });
    for (let time = 0; time < 10; time += 1) byBytes.append('avc key', time, 1000);
    byBytes.log.trim();
    expect(byBytes.kept()).toEqual([7, 8, 9]);
    byBytes.append('avc key', 11, 1_000_000);
    byBytes.log.trim();
    expect(byBytes.kept()).toEqual([10]);
  });

  test('keeps a GOP longer than logMs whole, up to gopMs; then there is no start until the next key frame', () => {
    const bench = new LogBench({ logMs: 100, gopMs: 1000 });
    bench.append('avc key', 0);
    bench.append('avc key', 50);
    for (let time = 100; time <= 1050; time += 50) bench.append('avc delta', time);
    bench.log.trim();
    expect(bench.log.oldest).toBe(1);
    expect(bench.log.startPosition()).toBe(1);
    bench.append('avc delta', 1051);
    bench.log.trim();
    expect(bench.log.oldest).toBe(2);
    expect(bench.log.startPosition()).toBe(undefined);
    bench.append('avc key', 1100);
    expect(bench.log.startPosition()).toBe(bench.log.next - 1);
    bench.log.trim();
    expect(bench.log.at(bench.log.oldest)?.time).toBe(1000);
  });

  test('keeps no more than its newest GOP while the node is over its budget', () => {
    const bench = new LogBench({}, 5000);
    for (const time of [0, 1000]) {
      bench.append('avc key', time, 1000);
      bench.append('avc delta', time + 40, 1000);
    }
    bench.log.trim();
    expect(bench.kept()).toEqual([1, 2, 3]);
    bench.append('avc delta', 1080, 3000);
    bench.log.trim();
    expect(bench.kept()).toEqual([2, 3, 4]);
    expect(bench.budget.isOver).toBe(true);
  });

  test('lets go of its newest GOP, too, while the node is a quarter over its budget', () => {
    const bench = new LogBench({}, 5000);
    for (let time = 0; time < 10; time += 1) bench.append(time === 0 ? 'avc key' : 'avc delta', time, 1000);
    bench.log.trim();
    expect(bench.kept()).toEqual([6, 7, 8, 9]);
    expect(bench.budget.usedBytes).toBeLessThanOrEqual(6250);
    expect(bench.log.startPosition()).toBe(undefined);
  });

  test('keeps the last second of audio alone while the node is over its budget: that is its GOP', () => {
    const bench = new LogBench({}, 5000);
    for (let time = 0; time <= 4000; time += 250) bench.append('aac sample', time, 900);
    bench.log.trim();
    expect(bench.kept()).toEqual([12, 13, 14, 15, 16]);
  });

  test('grows its ring while a slow flush lets frames gather, and finds every one again', () => {
    const bench = new LogBench({ logFrames: 10 });
    // The ring wraps first, so that growing has to unroll it.
    for (let time = 0; time < 100; time += 1) {
      bench.append('avc key', time);
      if (time < 40) bench.log.trim();
    }
    for (let time = 100; time < 1000; time += 1) bench.append('avc delta', time);
    for (let at = bench.log.oldest; at < bench.log.next; at += 1) expect(bench.log.at(at)?.time).toBe(at);
    expect(bench.log.at(bench.log.oldest - 1)).toBe(undefined);
    expect(bench.log.at(bench.log.next)).toBe(undefined);
  });

  test('gives its memory back when it is cleared, and goes on counting', () => {
    const bench = new LogBench();
    for (let time = 0; time < 200; time += 1) bench.append('avc key', time, 1000);
    bench.log.clear();
    expect(bench.budget.usedBytes).toBe(0);
    expect(bench.log.bytes).toBe(0);
    expect(bench.log.head).toBe(undefined);
    expect(bench.log.startPosition()).toBe(undefined);
    bench.append('avc key', 200);
    expect(bench.log.head?.position).toBe(200);
  });

  test('holds exactly the newest frames within its bounds, and their cost, whatever comes', () => {
    const history = fc.array(
      fc.record({ key: fc.boolean(), ms: fc.nat(80), size: fc.nat(3000), trim: fc.boolean() }),
      { maxLength: 200, size: 'max' },
    );
    const bounds = fc.record({
      logMs: fc.integer({ min: 50, max: 1000 }),
      logBytes: fc.integer({ min: 2000, max: 60_000 }),
      logFrames: fc.integer({ min: 1, max: 90 }),
    });
    fc.assert(
      fc.property(history, bounds, (steps, limits) => {
        const bench = new LogBench({ ...limits, gopMs: limits.logMs });
        const costs: number[] = [];
        let time = 0;
        for (const { key, ms, size, trim } of steps) {
          time += ms;
          bench.append(key ? 'avc key' : 'avc delta', time, size);
          costs.push((bench.log.head?.frame.payload.length ?? 0) + ENTRY_BYTES);
          if (!trim) continue;
          bench.log.trim();
          const { oldest, next } = bench.log;
          const held = costs.slice(oldest).reduce((sum, cost) => sum + cost, 0);
          expect([bench.log.bytes, bench.budget.usedBytes]).toEqual([held, held]);
          if (next - oldest === 1) continue;
          expect(next - oldest).toBeLessThanOrEqual(limits.logFrames);
          expect(held).toBeLessThanOrEqual(limits.logBytes);
          expect(time - (bench.log.at(oldest)?.time ?? 0)).toBeLessThanOrEqual(limits.logMs);
        }
        bench.log.clear();
        expect(bench.budget.usedBytes).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('where a reader may start', () => {
  test('is the newest key frame while video flows', () => {
    const bench = new LogBench();
    bench.append('aac sample', 0);
    expect(bench.log.startPosition()).toBe(0);
    bench.append('avc delta', 10);
    expect(bench.log.startPosition()).toBe(undefined);
    bench.append('avc key', 20);
    bench.append('aac sample', 25);
    bench.append('avc key', 30);
    bench.append('avc disposable', 40);
    expect(bench.log.startPosition()).toBe(4);
    expect(bench.log.hasVideo).toBe(true);
  });

  test('is the first audio frame of the last second without video', () => {
    const bench = new LogBench();
    bench.append('metadata', 0);
    bench.append('aac header', 0);
    for (let time = 0; time <= 3000; time += 100) bench.append('aac sample', time);
    bench.append('data', 3000);
    const start = bench.log.startPosition() ?? -1;
    expect(bench.log.at(start)?.time).toBe(2000);
    expect(bench.log.hasVideo).toBe(false);
  });

  test('is audio again when video was silent for 10 s, and video again when it is back', () => {
    const bench = new LogBench();
    bench.append('avc header', 0);
    bench.append('avc key', 0);
    for (let time = 0; time < 10_000; time += 100) bench.append('aac sample', time);
    expect(bench.log.startPosition()).toBe(1);
    expect(bench.log.hasVideo).toBe(true);
    bench.append('aac sample', 10_000);
    expect(bench.log.hasVideo).toBe(false);
    expect(bench.log.at(bench.log.startPosition() ?? -1)?.time).toBe(9000);
    bench.append('avc key', 10_040);
    expect(bench.log.startPosition()).toBe(bench.log.next - 1);
  });

  test('is nowhere in what was closed to joiners', () => {
    const bench = new LogBench();
    bench.append('avc key', 0);
    bench.append('aac sample', 10);
    bench.log.closeToJoiners();
    expect(bench.log.startPosition()).toBe(undefined);
    expect(bench.log.hasVideo).toBe(false);
    bench.append('aac sample', 20);
    expect(bench.log.startPosition()).toBe(2);
    bench.append('avc key', 30);
    expect(bench.log.startPosition()).toBe(3);
  });
});

describe('decoder set-up in the log', () => {
  test('is on every entry from where it takes effect', () => {
    const bench = new LogBench();
    for (const [name, time] of [
      ['avc key', 0],
      ['metadata', 1],
      ['avc header', 2],
      ['aac header', 3],
      ['aac sample', 4],
      ['avc header', 5],
    ] as const) {
      bench.append(name, time);
    }
    const headers = [0, 1, 2, 3, 4, 5].map((at) => {
      const { metadata, video, audio } = bench.log.at(at)?.headers ?? {};
      return [metadata?.seq, video?.seq, audio?.seq];
    });
    expect(headers).toEqual([
      [undefined, undefined, undefined],
      [2, undefined, undefined],
      [2, 3, undefined],
      [2, 3, 4],
      [2, 3, 4],
      [2, 6, 4],
    ]);
    expect(bench.log.at(4)?.headers).toBe(bench.log.at(3)?.headers);
  });

  test('that is equal to the one in effect is marked as repeated; metadata never is', () => {
    const { log } = new LogBench();
    const marks = [
      frameOf('avc header', 1, 0),
      frameOf('avc header', 1, 1),
      frameOf('aac header', 1, 2),
      frameOf('avc header', 2, 3),
      frameOf('avc header', 1, 4),
      frameOf('metadata', 1, 5),
      frameOf('metadata', 1, 6),
    ].map((frame) => log.append(frame, frame.dts, frame.dts).repeated);
    expect(marks).toEqual([false, true, false, false, false, false, false]);
  });

  test('of the epoch before is repeated too, but not in effect until it came', () => {
    const { log } = new LogBench();
    log.append(frameOf('avc header', 1, 0), 0, 0);
    log.append(frameOf('aac header', 1, 0), 0, 0);
    log.begin(runOf(2));
    const data = log.append(frameOf('data', 2, 1), 1, 1);
    expect(data.headers).toEqual({ metadata: undefined, video: undefined, audio: undefined });
    const second = log.append(frameOf('avc header', 1, 1), 1, 1);
    expect(second.repeated).toBe(true);
    expect(second.headers.video).toBe(second.frame);
    expect(second.headers.audio).toBe(undefined);
    log.begin(runOf(3));
    expect(log.append(frameOf('aac header', 1, 2), 2, 2).repeated).toBe(false);
  });

  test('of the epoch before is new again once a reader may have started in this one', () => {
    for (const name of ['avc key', 'aac sample'] as const) {
      const { log } = new LogBench();
      log.append(frameOf('avc header', 1, 0), 0, 0);
      log.begin(runOf(2));
      log.append(frameOf(name, 2, 1), 1, 1);
      expect(log.append(frameOf('avc header', 1, 1), 1, 1).repeated).toBe(false);
      expect(log.append(frameOf('avc header', 1, 2), 2, 2).repeated).toBe(true);
    }
  });

  test('of a codec that is gone is forgotten, in its track alone', () => {
    const { log } = new LogBench();
    log.append(frameOf('avc header', 1, 0), 0, 0);
    log.append(frameOf('aac header', 2, 0), 0, 0);
    log.begin(runOf(2));
    log.append(frameOf('avc header', 1, 0), 0, 0);
    log.append(frameOf('aac header', 2, 0), 0, 0);
    log.forgetHeader(8);
    const { headers } = log.append(frameOf('mp3 sample', 3, 1), 1, 1);
    expect(headers.audio).toBe(undefined);
    expect(headers.video?.seq).toBe(1);
    expect(log.append(frameOf('aac header', 2, 2), 2, 2).repeated).toBe(false);
  });
});
