import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FlushWindow, type FrameRank } from '../../../src/media/flush-window.ts';

/** A window whose last flushes all cost so much, ms. */
function costing(costMs: number, maxMs = 100): FlushWindow {
  const window = new FlushWindow(maxMs);
  for (let flush = 0; flush < 100; flush += 1) window.flushed(0, costMs);
  return window;
}

describe('the flush window', () => {
  test('is nothing while flushes are cheap', () => {
    expect(new FlushWindow(100).ms(0)).toBe(0);
    expect(costing(0.5).ms(0)).toBe(0);
  });

  test('grows until flushing takes its share of the time, and shrinks again', () => {
    const window = costing(3);
    expect(window.ms(0)).toBeCloseTo(20, 5);
    for (let flush = 0; flush < 100; flush += 1) window.flushed(0, 0);
    expect(window.ms(0)).toBe(0);
  });

  test('follows a single dear flush by a fifth', () => {
    const window = new FlushWindow(1000);
    window.flushed(0, 15);
    expect(window.ms(0)).toBeCloseTo(20, 5);
  });

  test('grows for cheap flushes, too, where all of them together take much of the event loop', () => {
    const window = costing(0.1);
    expect(window.ms(0.4)).toBe(0);
    expect(window.ms(0.6)).toBeCloseTo(50, 5);
    expect(window.ms(0.8)).toBe(100);
    expect(window.ms(1)).toBe(100);
  });

  test('is ended by a frame that leads once three quarters are over', () => {
    const window = costing(3);
    window.flushed(1000, 3);
    const at = [1000, 1014.9, 1015.1, 1021, 5000];
    expect(at.map((nowMs) => Math.round(window.waitMs(nowMs, 0, 'leads', nowMs)))).toEqual([25, 10, 0, 0, 0]);
  });

  test('lets others wait for such a frame for a quarter of it more', () => {
    const window = costing(3);
    window.flushed(1000, 3);
    const at = [1000, 1015.1, 1020, 1024, 1025.1, 5000];
    expect(at.map((nowMs) => Math.round(window.waitMs(nowMs, 0, 'beside', nowMs)))).toEqual([
      25, 10, 5, 1, 0, 0,
    ]);
  });

  test('makes none wait longer than it may since it came, however it came to wait', () => {
    const window = costing(15);
    window.flushed(1000, 15);
    const waits = [0, 40, 99, 100, 130].map((ms) => window.waitMs(1010, 0, 'beside', 1010 - ms));
    expect(waits.map(Math.round)).toEqual([100, 60, 1, 0, 0]);
  });

  test('never makes a frame wait longer than it may, nor when it is to wait for nothing', () => {
    const flush = fc.record({
      gapMs: fc.double({ min: 0, max: 1000, noNaN: true }),
      costMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
      loopShare: fc.double({ min: 0, max: 1, noNaN: true }),
      rank: fc.constantFrom<FrameRank>('leads', 'beside'),
    });
    fc.assert(
      fc.property(fc.nat(500), fc.array(flush), (maxMs, flushes) => {
        const window = new FlushWindow(maxMs);
        let nowMs = 0;
        for (const { gapMs, costMs, loopShare, rank } of flushes) {
          nowMs += gapMs;
          const waitMs = window.waitMs(nowMs, loopShare, rank, nowMs);
          expect(waitMs).toBeGreaterThanOrEqual(0);
          expect(waitMs).toBeLessThanOrEqual(maxMs + 1e-6);
          window.flushed(nowMs + waitMs, costMs);
        }
      }),
    );
  });
});
