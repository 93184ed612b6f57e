import { describe, expect, test } from 'vitest';
import { TakeoverLimit } from '../../../src/media/takeover.ts';

const BUSY = 40;

describe('takeovers of a stream', () => {
  test('are allowed 3 times within a minute', () => {
    const limit = new TakeoverLimit();
    expect([0, 10, 59_999, 59_999.5].map((atMs) => limit.allows(atMs, BUSY))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  test('are allowed for ever if they are far enough apart', () => {
    const limit = new TakeoverLimit();
    for (let atMs = 0; atMs < 3_600_000; atMs += 20_000) expect(limit.allows(atMs, BUSY)).toBe(true);
  });

  test('are refused after that until a minute went by without one more attempt', () => {
    const limit = new TakeoverLimit();
    for (const atMs of [0, 1, 2]) limit.allows(atMs, BUSY);
    expect(limit.allows(50_000, BUSY)).toBe(false);
    for (let atMs = 55_000; atMs < 600_000; atMs += 5000) expect(limit.allows(atMs, BUSY)).toBe(false);
    expect(limit.allows(595_000 + 59_999, BUSY)).toBe(false);
    expect(limit.allows(654_999 + 60_000, BUSY)).toBe(true);
  });

  test('from a publisher that was silent for 2 s are always allowed, and not counted', () => {
    const limit = new TakeoverLimit();
    for (let atMs = 0; atMs < 100; atMs += 1) expect(limit.allows(atMs, 2000)).toBe(true);
    expect([100, 101, 102, 103].map((atMs) => limit.allows(atMs, 1999))).toEqual([true, true, true, false]);
    expect(limit.allows(104, 2000)).toBe(true);
  });
});
