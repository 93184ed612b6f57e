import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FlushWindow } from '../../../src/media/flush-window.ts';

describe('the flush window', () => {
  test('is nothing while flushes are cheap', () => {
    const window = new FlushWindow(100);
    expect(window.ms).toBe(0);
    for (let flush = 0; flush < 100; flush += 1) window.flushed(0.9);
    expect(window.ms).toBe(0);
  });

  test('grows until flushing takes a quarter of the time, and shrinks again', () => {
    const window = new FlushWindow(100);
    for (let flush = 0; flush < 100; flush += 1) window.flushed(10);
    expect(window.ms).toBeCloseTo(40, 5);
    for (let flush = 0; flush < 100; flush += 1) window.flushed(0);
    expect(window.ms).toBe(0);
  });

  test('follows a single dear flush by a fifth', () => {
    const window = new FlushWindow(1000);
    window.flushed(10);
    expect(window.ms).toBeCloseTo(8, 5);
  });

  test('is never longer than the most that a frame may wait, and 0 where none may', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.array(fc.double({ min: 0, max: 10_000, noNaN: true })), (maxMs, costs) => {
        const window = new FlushWindow(maxMs);
        for (const cost of costs) {
          window.flushed(cost);
          expect(window.ms).toBeGreaterThanOrEqual(0);
          expect(window.ms).toBeLessThanOrEqual(maxMs);
        }
      }),
    );
  });
});
