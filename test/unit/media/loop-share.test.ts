import { describe, expect, test } from 'vitest';
import { LoopShare } from '../../../src/media/loop-share.ts';

/** Work of `busyMs` in every `everyMs`, for two seconds; then the share. */
function steady(busyMs: number, everyMs: number): number {
  const share = new LoopShare();
  let nowMs = 0;
  for (; nowMs < 2000; nowMs += everyMs) share.spent(busyMs, nowMs + busyMs);
  return share.at(nowMs);
}

describe('the share of the event loop', () => {
  test('is nothing before there was work', () => {
    expect(new LoopShare().at(1e9)).toBe(0);
  });

  test('is the part of the time that work took, however it was cut', () => {
    expect(steady(1, 10)).toBeCloseTo(0.1, 1);
    expect(steady(25, 100)).toBeGreaterThan(0.18);
    expect(steady(25, 100)).toBeLessThan(0.32);
    expect(steady(0.1, 1)).toBeCloseTo(0.1, 1);
    expect(steady(10, 10)).toBeCloseTo(1, 1);
  });

  test('halves in 300 ms without work', () => {
    const share = new LoopShare();
    share.spent(1000, 1000);
    const before = share.at(1000);
    expect(share.at(1300)).toBeCloseTo(before / 2, 5);
    expect(share.at(1600)).toBeCloseTo(before / 4, 5);
  });

  test('is never over 1', () => {
    const share = new LoopShare();
    for (let nowMs = 1e6; nowMs < 1e6 + 1e5; nowMs += 1000) share.spent(1000, nowMs);
    expect(share.at(1e6 + 1e5)).toBeLessThanOrEqual(1);
  });
});
