import { beforeEach, describe, expect, test } from 'vitest';
import type { TimedFrame } from '../../../src/format/frame.ts';
import { Cursor } from '../../../src/media/cursor.ts';
import { FrameLog } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { frameOf, type PayloadName, runOf, WIDE_LOG } from '../../support/media.ts';

const ALL = 1e9;
/** Limits that no small test reaches. */
const WIDE = { maxBacklogBytes: 1e12, maxBacklogMs: 1e12 };

let log: FrameLog;
let cursor: Cursor;

beforeEach(() => {
  log = new FrameLog({ ...WIDE_LOG, logFrames: 4 }, new MemoryBudget(2 ** 40));
  cursor = new Cursor(WIDE);
});

/** Appends a frame whose id, dts and time are one number. */
function append(name: PayloadName, id: number, size = 0): void {
  log.append(frameOf(name, id, id, size), id, id);
}

function give(mark = log.next - 1, maxBytes = ALL): TimedFrame[] {
  return [...cursor.place(log, mark), ...cursor.read(log, mark, maxBytes)];
}

function read(mark?: number, maxBytes?: number): number[] {
  return give(mark, maxBytes).map(({ frame }) => frame.seq);
}

describe('a cursor', () => {
  test('waits in an empty log, and while there is no start', () => {
    expect(read()).toEqual([]);
    append('avc delta', 1);
    expect(read()).toEqual([]);
    expect(cursor.position).toBe(undefined);
    expect(cursor.skips).toBe(0);
  });

  test('starts with metadata, video and audio set-up, at the time of its start', () => {
    append('aac header', 1);
    append('avc header', 2);
    append('metadata', 3);
    append('avc key', 10);
    append('aac sample', 11);
    expect(give().map(({ frame, time }) => [frame.seq, time])).toEqual([
      [3, 10],
      [2, 10],
      [1, 10],
      [10, 10],
      [11, 11],
    ]);
    expect(cursor.position).toBe(5);
    expect(read()).toEqual([]);
  });

  test('reads up to the mark and not beyond', () => {
    for (let id = 0; id < 4; id += 1) append(id === 0 ? 'avc key' : 'avc delta', id);
    expect(read(1)).toEqual([0, 1]);
    expect(read(1)).toEqual([]);
    expect(read(2)).toEqual([2]);
    expect(cursor.position).toBe(3);
  });

  test('waits for a start beyond the mark', () => {
    append('aac sample', 0);
    append('avc key', 1);
    expect(read(0)).toEqual([]);
    expect(cursor.position).toBe(undefined);
    expect(read(1)).toEqual([1]);
  });

  test('stops once it has read as many bytes as asked, and always moves', () => {
    append('avc key', 0, 100);
    append('avc delta', 1, 100);
    append('avc delta', 2, 100);
    expect(read(2, 101)).toEqual([0, 1]);
    expect(read(2, 1)).toEqual([2]);
  });

  test('leaves out equal set-up, and counts it as read', () => {
    append('avc header', 7);
    append('avc key', 8, 8);
    read();
    log.append(frameOf('avc header', 7, 9), 9, 9);
    expect(read()).toEqual([]);
    expect(cursor.position).toBe(3);
    append('avc delta', 10);
    expect(read()).toEqual([10]);
  });

  test('that the log has overtaken skips to the newest key frame, once, with the set-up that changed meanwhile', () => {
    append('avc header', 1);
    append('aac header', 2);
    append('avc key', 3);
    expect(read()).toEqual([1, 2, 3]);
    append('avc header', 4);
    for (let id = 5; id < 12; id += 1) append(id === 9 ? 'avc key' : 'avc delta', id);
    log.trim();
    expect(read()).toEqual([4, 9, 10, 11]);
    expect(cursor.skips).toBe(1);
    append('avc delta', 12);
    expect(read()).toEqual([12]);
    expect(cursor.skips).toBe(1);
  });

  test('that was overtaken with no start left waits, and has skipped once', () => {
    append('avc key', 0);
    read();
    for (let id = 1; id < 9; id += 1) append('avc delta', id);
    log.trim();
    expect([read(), read()]).toEqual([[], []]);
    expect(cursor.position).toBe(undefined);
    expect(cursor.skips).toBe(1);
    append('avc key', 9);
    expect(read()).toEqual([9]);
    expect(cursor.skips).toBe(1);
  });

  test('goes on behind an entry that others gave its reader, set-up included', () => {
    append('avc header', 1);
    append('avc key', 2);
    append('avc delta', 3);
    cursor.follow(log.head ?? failed());
    expect(read()).toEqual([]);
    for (let id = 4; id < 9; id += 1) append('avc key', id);
    log.trim();
    cursor.follow(log.at(log.oldest) ?? failed());
    expect(read()).toEqual([6, 7, 8]);
    for (let id = 9; id < 20; id += 1) append('avc key', id);
    log.trim();
    expect(read()).toEqual([19]);
  });

  test('remembers what set-up its reader has over an epoch that has none', () => {
    append('avc header', 1);
    append('avc key', 2);
    expect(read()).toEqual([1, 2]);
    log.begin(runOf(2));
    append('aac sample', 3, 3);
    expect(read()).toEqual([3]);
    log.append(frameOf('avc header', 1, 4), 4, 4);
    for (let id = 5; id < 10; id += 1) append('avc key', id);
    log.trim();
    expect(read()).toEqual([9]);
    expect(cursor.skips).toBe(1);
  });
});

describe('a cursor of a slow player', () => {
  beforeEach(() => {
    log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
    cursor = new Cursor({ maxBacklogBytes: 10_000, maxBacklogMs: 5000 });
    append('avc key', 0);
    read();
  });

  test('goes without disposable frames over half of its limits, and is in step again when it has caught up', () => {
    append('avc disposable', 100);
    append('avc delta', 2601);
    append('avc disposable', 2602);
    expect(cursor.takesAll(log, log.next - 1)).toBe(false);
    expect(read()).toEqual([2601, 2602]);
    expect(cursor.takesAll(log, log.next - 1)).toBe(true);
    expect([cursor.without, cursor.isInStep]).toEqual(['nothing', true]);
    expect(cursor.leftOut).toEqual({ disposable: 1, video: 0 });
  });

  test('goes without video over its limits, and is not in step until there is a key frame', () => {
    append('avc delta', 100);
    append('aac sample', 101);
    append('avc header', 102);
    append('avc delta', 5101);
    expect(read()).toEqual([101, 102]);
    expect([cursor.position, cursor.without, cursor.isInStep]).toEqual([log.next, 'video', false]);
    append('avc delta', 5140);
    append('aac sample', 5141);
    expect(read()).toEqual([5141]);
    expect(cursor.takesAll(log, log.next - 1)).toBe(false);
    append('avc key', 5180);
    expect(cursor.takesAll(log, log.next - 1)).toBe(true);
    expect(read()).toEqual([5180]);
    expect(cursor.leftOut).toEqual({ disposable: 0, video: 3 });
    expect(cursor.skips).toBe(0);
  });

  test('that is slower than twice its limits skips to the newest start, with the set-up that it lacks', () => {
    append('aac sample', 100);
    append('avc key', 200);
    append('aac header', 300);
    append('avc key', 400);
    append('aac sample', 10_100);
    expect(read()).toEqual([100, 300, 400, 10_100]);
    append('aac sample', 10_101);
    append('aac header', 10_200);
    append('avc key', 10_300);
    append('aac sample', 20_102);
    expect(read()).toEqual([10_200, 10_300, 20_102]);
    expect([cursor.skips, cursor.leftOut.video]).toEqual([1, 1]);
  });

  test('stays where there is no start ahead of it, or none that was flushed', () => {
    append('aac sample', 100);
    append('aac sample', 10_101);
    append('avc key', 10_200);
    expect(read(2)).toEqual([100, 10_101]);
    append('aac sample', 20_300);
    append('aac sample', 20_301);
    read(4);
    expect(cursor.skips).toBe(0);
  });

  test('stays where it is at the newest start, however small its limits are', () => {
    log.closeToJoiners();
    cursor = new Cursor({ maxBacklogBytes: 1e9, maxBacklogMs: 100 });
    append('aac sample', 1000);
    read();
    append('aac sample', 2100);
    append('aac sample', 2900);
    expect(read()).toEqual([2100, 2900]);
    expect(cursor.skips).toBe(0);
  });

  test('skips sooner in a stream of audio alone, where nothing else could go', () => {
    log.closeToJoiners();
    append('aac sample', 100);
    append('aac sample', 4500);
    append('aac sample', 5100);
    expect(cursor.takesAll(log, log.next - 1)).toBe(false);
    expect(read(log.next - 1, 1)).toEqual([100]);
    append('aac sample', 9501);
    expect(read()).toEqual([9501]);
    expect(cursor.skips).toBe(1);
    expect(cursor.takesAll(log, log.next - 1)).toBe(true);
  });
});

test('a cursor that starts anew is not slow for what it has to catch up with then', () => {
  log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
  cursor = new Cursor({ maxBacklogBytes: 1e9, maxBacklogMs: 5000 });
  append('avc key', 0);
  read();
  append('avc delta', 40);
  append('avc key', 12_000);
  append('avc disposable', 12_001);
  append('avc delta', 16_000);
  log.trim();
  expect(read()).toEqual([12_000, 12_001, 16_000]);
  expect([cursor.skips, cursor.leftOut]).toEqual([1, { disposable: 0, video: 0 }]);
});

describe('a cursor whose player others serve', () => {
  const all = () => cursor.takesAll(log, log.next - 1);

  test('takes all from its start on, without a read of its own', () => {
    append('avc header', 1);
    append('avc key', 2);
    expect(all()).toBe(false);
    expect(cursor.place(log, 1).map(({ frame }) => frame.seq)).toEqual([1]);
    expect([cursor.position, all()]).toEqual([1, true]);
    expect(cursor.place(log, 1)).toEqual([]);
    cursor.follow(log.head ?? failed());
    expect(all()).toBe(true);
    append('avc delta', 3);
    expect(all()).toBe(true);
    expect(read()).toEqual([3]);
  });

  test('is slow by what it lags behind them, though it started late', () => {
    cursor = new Cursor({ maxBacklogBytes: 1e9, maxBacklogMs: 5000 });
    append('avc key', 0);
    append('avc delta', 4000);
    cursor.place(log, 1);
    expect(all()).toBe(true);
    cursor.follow(log.head ?? failed());
    append('avc disposable', 4100);
    append('avc delta', 6601);
    expect([all(), cursor.without]).toEqual([false, 'disposable']);
  });

  test('is given no set-up twice where the log overtakes it before it was given more', () => {
    append('avc header', 1);
    append('avc key', 2);
    expect(cursor.place(log, 1).length).toBe(1);
    for (let id = 3; id < 9; id += 1) append('avc key', id);
    log.trim();
    expect(read()).toEqual([8]);
  });

  test('does not where the log has overtaken it, until it has its place', () => {
    append('avc key', 0);
    read();
    for (let id = 1; id < 9; id += 1) append('avc delta', id);
    log.trim();
    expect([all(), read(), all()]).toEqual([false, [], false]);
    append('avc key', 9);
    expect(all()).toBe(false);
    cursor.place(log, log.next - 1);
    expect(all()).toBe(true);
  });

  test('gives set-up again where that of epochs in between may have taken its place', () => {
    append('avc header', 1);
    append('avc key', 2);
    read();
    log.begin(runOf(2));
    append('avc header', 7);
    log.begin(runOf(3));
    append('aac sample', 8);
    cursor.follow(log.head ?? failed());
    log.begin(runOf(4));
    log.append(frameOf('avc header', 1, 9), 9, 9);
    for (let id = 10; id < 16; id += 1) append('avc key', id);
    log.trim();
    expect(read()).toEqual([1, 15]);
  });
});

function failed(): never {
  throw new Error('there is no entry');
}
