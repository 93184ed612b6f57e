import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochStartWallMs, epochTag, isPlausibleEpoch, nextEpoch } from '../../../src/registry/epoch.ts';

const ZERO_WALL_MS = Date.UTC(2024, 0, 1);
const wallMs = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2090, 0, 1) });
const tags = fc.nat(4095);

describe('an epoch', () => {
  test('is made of registry time and a tag', () => {
    expect(nextEpoch(0, ZERO_WALL_MS + 1000, 7)).toBe(1000 * 4096 + 7);
    expect(nextEpoch(0, ZERO_WALL_MS + 1000.9, 7)).toBe(1000 * 4096 + 7);
    expect(epochStartWallMs(1000 * 4096 + 7)).toBe(ZERO_WALL_MS + 1000);
  });

  test('goes on counting where the clock stood still or fell back', () => {
    const now = nextEpoch(0, ZERO_WALL_MS + 1000, 4095);
    expect(nextEpoch(now, ZERO_WALL_MS + 1000, 0)).toBe(1001 * 4096);
    expect(nextEpoch(now, 0, 0)).toBe(1001 * 4096);
    expect(nextEpoch(0, 0, 5)).toBe(4096 + 5);
  });

  test('is above the last one, below 2^53 and carries its tag, whatever the clock says', () => {
    fc.assert(
      fc.property(
        wallMs,
        fc.array(fc.tuple(fc.integer({ min: -(10 ** 10), max: 10 ** 7 }), tags)),
        (startMs, steps) => {
          let last = 0;
          let nowMs = startMs;
          for (const [step, tag] of steps) {
            nowMs = Math.min(nowMs + step, Date.UTC(2090, 0, 1));
            const epoch = nextEpoch(last, nowMs, tag);
            expect(epoch).toBeGreaterThan(last);
            expect(Number.isSafeInteger(epoch)).toBe(true);
            expect(epoch % 4096).toBe(tag);
            last = epoch;
          }
        },
      ),
    );
  });

  test('is never the same on two nodes with different tags', () => {
    fc.assert(
      fc.property(wallMs, fc.nat(2 ** 40), tags, tags, (nowMs, last, one, other) => {
        fc.pre(one !== other);
        expect(nextEpoch(last, nowMs, one)).not.toBe(nextEpoch(last, nowMs, other));
      }),
    );
  });

  test('that was made by now is plausible', () => {
    fc.assert(
      fc.property(fc.integer({ min: ZERO_WALL_MS, max: Date.UTC(2090, 0, 1) }), tags, (nowMs, tag) => {
        expect(isPlausibleEpoch(nextEpoch(0, nowMs, tag), nowMs)).toBe(true);
      }),
    );
  });

  test('is plausible up to 10 minutes ahead, and as an integer above 0 alone', () => {
    const nowMs = ZERO_WALL_MS + 1e9;
    const limit = (1e9 + 600_000) * 4096;
    expect(isPlausibleEpoch(limit + 4095, nowMs)).toBe(true);
    expect(isPlausibleEpoch(limit + 4096, nowMs)).toBe(false);
    expect(isPlausibleEpoch(1, nowMs)).toBe(true);
    for (const epoch of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 53 - 1]) {
      expect(isPlausibleEpoch(epoch, nowMs)).toBe(false);
    }
  });

  test('has a tag of 12 bits', () => {
    expect([0, 4095, 4096, 0x7fffffff].map(epochTag)).toEqual([0, 4095, 0, 4095]);
  });
});
