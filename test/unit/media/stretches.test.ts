import { beforeEach, describe, expect, test } from 'vitest';
import type { LogEntry } from '../../../src/media/frame-log.ts';
import { FrameLog } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Stretches } from '../../../src/media/stretches.ts';
import { frameOf, WIDE_LOG } from '../../support/media.ts';

const MIB = 1024 * 1024;
const NO_MARK = -1;
const WHOLE = 64 * 1024;
let stretches: Stretches;
let last: LogEntry;

beforeEach(() => {
  stretches = new Stretches();
  last = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40)).append(frameOf('avc key', 1, 0), 0, 0);
});

/** Keeps a stretch of so many bytes; which positions are still kept? */
function keep(start: number, bytes: number): number[] {
  stretches.keep(start, { bytes: Buffer.alloc(bytes), last });
  return [1, 2, 3, 4, 5, 6].filter((at) => stretches.at(at, NO_MARK) !== undefined);
}

describe('stretches', () => {
  test('are found by where they begin', () => {
    keep(1, WHOLE);
    expect(stretches.at(1, NO_MARK)?.last).toBe(last);
    expect(stretches.at(2, NO_MARK)).toBeUndefined();
  });

  test('hold 4 MiB at most: the oldest make room; one that is bigger is kept alone', () => {
    expect(keep(1, MIB)).toEqual([1]);
    expect(keep(2, 2 * MIB)).toEqual([1, 2]);
    expect(keep(3, MIB)).toEqual([1, 2, 3]);
    expect(keep(4, WHOLE)).toEqual([2, 3, 4]);
    expect(stretches.bytes).toBe(3 * MIB + WHOLE);
    expect(keep(5, 4 * MIB + 1)).toEqual([5]);
    expect(keep(6, 4 * MIB)).toEqual([6]);
    expect(stretches.bytes).toBe(4 * MIB);
  });

  test('go when nobody was given them between two sweeps', () => {
    keep(1, WHOLE);
    keep(2, WHOLE);
    stretches.sweep();
    stretches.at(1, NO_MARK);
    stretches.sweep();
    expect(stretches.bytes).toBe(WHOLE);
    expect(stretches.at(2, NO_MARK)).toBeUndefined();
    expect(stretches.at(1, NO_MARK)).toBeDefined();
    stretches.sweep();
    stretches.sweep();
    expect(stretches.bytes).toBe(0);
  });

  test('that are no whole ones serve until the flush mark moves: the newest alone', () => {
    stretches.keep(1, { bytes: Buffer.alloc(10), last });
    expect(stretches.at(1, last.position)?.bytes.length).toBe(10);
    expect(stretches.at(1, last.position + 1)).toBeUndefined();
    stretches.keep(2, { bytes: Buffer.alloc(20), last });
    expect(stretches.at(1, last.position)).toBeUndefined();
    expect(stretches.at(2, last.position)?.bytes.length).toBe(20);
    expect(stretches.bytes).toBe(20);
    stretches.sweep();
    expect(stretches.bytes).toBe(0);
  });
});
