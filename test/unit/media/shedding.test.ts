import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FrameLog, type LogEntry } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { type GoesWithout, Shedding } from '../../../src/media/shedding.ts';
import { frameOf, type PayloadName, runOf, WIDE_LOG } from '../../support/media.ts';

const SHARE = 0.5;
const LIMITS = { maxBacklogBytes: 1000, maxBacklogMs: 5000 };
/** Bytes of what carries nothing but its id. */
const SMALL = 9;

let log: FrameLog;
let shedding: Shedding;
let seq: number;

beforeEach(() => {
  log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
  log.begin(runOf(1));
  shedding = new Shedding({ ...LIMITS, maxBacklogBytes: 1e9 }, SHARE);
  seq = 0;
});

function append(name: PayloadName, time: number, size = SMALL, cameAtMs?: number): LogEntry {
  seq += 1;
  const inOrderMs = Math.max(time, log.head?.cameAtMs ?? 0);
  return log.append(frameOf(name, seq, time, size), time, cameAtMs ?? inOrderMs);
}

/** Weighs a reader at `position` against the head; what does it go without then? */
function weigh(position: number): GoesWithout {
  shedding.weigh(log, position, log.next - 1);
  return shedding.without;
}

/** The entry's frame, weighed last: is it given? */
function isGiven(position: number): boolean {
  weigh(position);
  return !shedding.leavesOut(log.at(position)?.frame ?? failed());
}

describe('a reader that starts where a group of pictures came all at once', () => {
  test.each([1, 1.2, 1.9])('and takes %s times as much as is published is given all of it', (pace) => {
    shedding = new Shedding({ ...LIMITS, maxBacklogBytes: 100_000 }, SHARE);
    for (let time = 0; time < 10_000; time += 40) append(time === 0 ? 'avc key' : 'avc delta', time, 500, 0);
    let position = 0;
    for (let nowMs = 0; nowMs < 12_000; nowMs += 40) {
      append('avc delta', 10_000 + nowMs, 500, nowMs);
      for (; position < log.next && position <= (pace * nowMs) / 40; position += 1) {
        expect(weigh(position)).toBe('nothing');
      }
    }
  });
});

describe('what came here all at once, after its source was away', () => {
  beforeEach(() => {
    shedding = new Shedding(LIMITS, SHARE);
    append('avc key', 0);
    weigh(0);
    for (let time = 1_000; time <= 9_000; time += 1_000)
      append('avc disposable', time, 500, 9_000 + time / 100);
  });

  test('is not a doing of the reader, in time or in bytes', () => {
    expect(weigh(1)).toBe('nothing');
    expect(shedding.slowness).toBeCloseTo((4_000 * (80 / 8_000)) / 1_000, 5);
  });

  test('is one once the reader takes as long for it as its limits are', () => {
    shedding = new Shedding({ ...LIMITS, maxBacklogBytes: 1e9 }, SHARE);
    weigh(log.next);
    append('avc delta', 10_000, SMALL, 11_500);
    expect([weigh(1), shedding.slowness]).toEqual(['nothing', 2_490 / 5_000]);
    append('avc delta', 10_100, SMALL, 11_600);
    expect([weigh(1), shedding.slowness]).toEqual(['disposable', 2_590 / 5_000]);
    append('avc delta', 12_600, SMALL, 14_100);
    expect([weigh(1), shedding.slowness]).toEqual(['video', 5_090 / 5_000]);
  });
});

describe('a reader that was there from the start', () => {
  beforeEach(() => {
    append('avc key', 0);
    weigh(0);
    append('avc disposable', 0);
  });

  test('goes without nothing up to half of its limit, in time or in bytes', () => {
    append('avc delta', 2500);
    expect(weigh(1)).toBe('nothing');
    expect(shedding.slowness).toBe(0.5);
    shedding = new Shedding({ ...LIMITS, maxBacklogMs: 1e9 }, SHARE);
    weigh(log.next);
    append('avc delta', 2500, 20);
    const from = log.next - 1;
    append('avc delta', 2500, 500);
    expect(weigh(from)).toBe('nothing');
    expect(shedding.slowness).toBe(0.5);
  });

  test('goes without disposable frames over half, until it is below a quarter', () => {
    append('avc disposable', 1251);
    append('avc disposable', 1252);
    append('aac sample', 1252);
    append('avc delta', 2501);
    expect([1, 2, 3, 4, 5].map(isGiven)).toEqual([false, false, true, true, true]);
    expect(shedding.leftOut).toEqual({ disposable: 2, video: 0 });
    append('avc disposable', 3000);
    append('avc delta', 5500);
    expect(weigh(6)).toBe('nothing');
    append('avc delta', 5501);
    expect([weigh(6), weigh(9)]).toEqual(['disposable', 'nothing']);
  });

  test('goes without all video over its limit, audio, data, metadata and set-up kept, up to the newest key frame', () => {
    append('avc delta', 10);
    append('aac sample', 10);
    append('avc key', 20);
    append('avc delta', 30);
    append('avc header', 30);
    append('aac header', 30);
    append('metadata', 30);
    append('data', 30);
    append('avc key', 40);
    append('avc disposable', 40);
    append('avc delta', 5011);
    const given = Array.from({ length: log.next - 1 }, (_, index) => isGiven(index + 1));
    expect(given).toEqual([false, false, true, false, false, true, true, true, true, true, true, true]);
    expect(shedding.leftOut).toEqual({ disposable: 1, video: 3 });
  });

  test('that is over its limit in bytes is, too', () => {
    shedding = new Shedding({ ...LIMITS, maxBacklogMs: 1e9 }, SHARE);
    weigh(log.next);
    append('avc delta', 10);
    append('avc delta', 10, 1001);
    expect([2, 3].map(isGiven)).toEqual([false, false]);
    append('avc key', 10);
    expect(isGiven(4)).toBe(true);
  });

  test('goes on with any key frame where it is slow by less than half', () => {
    append('avc delta', 100);
    append('avc key', 2601);
    append('avc key', 2603);
    append('avc key', 3000);
    append('avc key', 5101);
    expect([2, 3].map(isGiven)).toEqual([false, false]);
    expect(isGiven(4)).toBe(true);
    expect(shedding.without).toBe('disposable');
  });

  test('goes past the key frames of a stretch that is closed, but for those that it is in time for', () => {
    append('avc delta', 100);
    append('avc key', 200);
    append('avc key', 2700);
    log.closeToJoiners();
    append('aac sample', 5101);
    expect([2, 3, 4].map(isGiven)).toEqual([false, false, true]);
  });

  test('that goes without video is given none when it has caught up, until there is a key frame', () => {
    append('avc delta', 100);
    append('avc delta', 5101);
    expect([2, 3].map(isGiven)).toEqual([false, false]);
    expect(weigh(4)).toBe('video');
    append('avc disposable', 5120);
    append('avc delta', 5140);
    append('avc key', 5160);
    append('avc delta', 5180);
    expect([4, 5, 6, 7].map(isGiven)).toEqual([false, false, true, true]);
  });

  test('that goes on with the newest key frame starts anew: the rest of a long group of pictures is given', () => {
    append('avc delta', 100);
    append('avc key', 200);
    append('avc delta', 300);
    append('avc disposable', 5300);
    expect([2, 3, 4, 5].map(isGiven)).toEqual([false, true, true, true]);
    append('avc delta', 12_000);
    expect([4, 5].map(isGiven)).toEqual([false, false]);
  });

  test('goes without nothing of a stream that has audio alone, but is known to be slow', () => {
    append('aac sample', 10);
    append('aac sample', 20_000);
    expect([isGiven(2), shedding.slowness > 3]).toEqual([true, true]);
    expect(isGiven(3)).toBe(true);
    expect(weigh(4)).toBe('nothing');
  });

  test('starts anew where it is told so', () => {
    append('avc delta', 100);
    append('avc delta', 6000);
    expect(weigh(2)).toBe('video');
    shedding.restart();
    expect([weigh(2), shedding.slowness]).toEqual(['nothing', 0]);
  });
});

describe('what a reader had to catch up with', () => {
  test('is no slowness of its own', () => {
    append('avc key', 0);
    append('avc disposable', 4900);
    append('avc delta', 20_000, 5000);
    shedding = new Shedding(LIMITS, SHARE);
    expect([0, 1, 2].map(isGiven)).toEqual([true, true, true]);
  });

  test('is forgotten as it catches up', () => {
    append('avc key', 0);
    append('avc delta', 1000);
    append('avc delta', 4000);
    expect([weigh(0), weigh(1)]).toEqual(['nothing', 'nothing']);
    append('avc delta', 6501);
    expect([shedding.slowness, weigh(1), shedding.slowness]).toEqual([0, 'disposable', 2501 / 5000]);
  });

  test('is nothing once others gave it all that was flushed', () => {
    append('avc key', 0);
    append('avc delta', 4000);
    weigh(0);
    shedding.pass(log.at(0) ?? failed());
    append('avc disposable', 6700);
    expect(weigh(1)).toBe('nothing');
    shedding.pass(log.at(2) ?? failed());
    append('avc disposable', 7000);
    append('avc delta', 9501);
    expect(weigh(3)).toBe('disposable');
  });
});

test('a reader is not slow where others gave it the track that is ahead', () => {
  append('aac sample', 0);
  weigh(0);
  shedding.pass(append('avc disposable', 4000));
  append('aac sample', 0);
  append('avc disposable', 4040);
  expect([weigh(2), weigh(3)]).toEqual(['nothing', 'nothing']);
});

test.each([
  ['video', 'avc disposable', 'aac sample'],
  ['audio', 'aac sample', 'avc disposable'],
] as const)('a reader is not slow where the other track lags behind %s', (_, first, second) => {
  append('avc key', 0);
  for (let time = 10_000; time < 15_000; time += 100) {
    const from = log.next;
    append(first, time);
    append(second, time - 4000);
    if (time % 700 === 0) append(first, time);
    const upTo = log.next - 1;
    if (time % 300 === 0) {
      expect(weigh(from)).toBe('nothing');
      shedding.pass(log.at(upTo) ?? failed());
    } else {
      for (let at = from; at <= upTo + 1; at += 1) expect(weigh(at)).toBe('nothing');
    }
  }
});

test('shedding begins again only after half of the share of new time or bytes', () => {
  let begun = 0;
  const appended = fc.record({
    name: fc.constantFrom<PayloadName>('avc key', 'avc delta', 'avc disposable', 'aac sample'),
    ms: fc.nat(600),
    size: fc.integer({ min: SMALL, max: 200 }),
  });
  const step = fc.record({ appended: fc.array(appended, { maxLength: 6 }), read: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), (steps) => {
      log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
      log.begin(runOf(1));
      shedding = new Shedding(LIMITS, SHARE);
      let [position, time] = [0, 0];
      let without: GoesWithout = 'nothing';
      let ended: LogEntry | undefined;
      for (const { appended, read } of steps) {
        for (const { name, ms, size } of appended) {
          time += ms;
          append(name, time, size);
        }
        for (let reads = 0; reads <= read && position <= log.next; reads += 1) {
          const now = weigh(position);
          const mark = log.head;
          if (without === 'nothing' && now !== 'nothing') {
            begun += 1;
            const ms = mark && ended ? mark.time - ended.time : LIMITS.maxBacklogMs;
            const bytes = mark && ended ? mark.totalBytes - ended.totalBytes : LIMITS.maxBacklogBytes;
            expect(Math.max(ms / LIMITS.maxBacklogMs, bytes / LIMITS.maxBacklogBytes)).toBeGreaterThan(
              SHARE / 2,
            );
          }
          if (without !== 'nothing' && now === 'nothing') ended = mark;
          without = now;
          if (position < log.next && reads < read) position += 1;
        }
      }
    }),
    { numRuns: 200 },
  );
  expect(begun).toBeGreaterThan(40);
});

function failed(): never {
  throw new Error('there is no entry');
}
