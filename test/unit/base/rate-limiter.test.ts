import { expect, test } from 'vitest';
import { RateLimiter } from '../../../src/base/rate-limiter.ts';

function limiter(perSecond: number, burst: number, maxKeys = 10): RateLimiter {
  return new RateLimiter({ table: 'some', maxKeys, rate: () => ({ perSecond, burst }) });
}

test('a burst goes through, then one each time that the rate allows', () => {
  const limit = limiter(2, 3);
  const taken = (nowMs: number, times: number) =>
    Array.from({ length: times }, () => limit.take('a', nowMs)).filter((took) => took).length;
  expect(taken(0, 5)).toBe(3);
  expect(taken(499, 1)).toBe(0);
  expect(taken(500, 2)).toBe(1);
  // What is not used is kept up to the burst, and no more.
  expect(taken(1_000_000, 9)).toBe(3);
});

test('what is refused costs nothing', () => {
  const limit = limiter(1, 1);
  expect(limit.take('a', 0)).toBe(true);
  for (let ms = 0; ms < 1000; ms += 100) expect(limit.take('a', ms)).toBe(false);
  expect(limit.take('a', 1000)).toBe(true);
});

test('looking takes nothing', () => {
  const limit = limiter(1, 1);
  expect([limit.allows('a', 0), limit.allows('a', 0), limit.take('a', 0), limit.allows('a', 0)]).toEqual([
    ...[true, true, true, false],
  ]);
});

test('each key has its own; a rate that is lowered counts at once', () => {
  const rate = { perSecond: 1, burst: 5 };
  const limit = new RateLimiter({ table: 'some', maxKeys: 10, rate: () => rate });
  expect([limit.take('a', 0), limit.take('b', 0)]).toEqual([true, true]);
  rate.burst = 1;
  expect([limit.take('a', 0), limit.take('a', 0), limit.take('b', 0)]).toEqual([true, false, true]);
});

test('a full table forgets who has its whole burst again; who finds no room shares one with the others', () => {
  const limit = limiter(1, 2, 3);
  for (const key of ['a', 'b', 'c']) limit.take(key, 0);
  expect(limit.table).toEqual({ table: 'some', entries: 3, limit: 4 });
  // They are all in use: d, e and f share a burst of 2.
  expect(['d', 'e', 'f'].map((key) => limit.take(key, 0))).toEqual([true, true, false]);
  expect(limit.allows('g', 0)).toBe(false);
  expect(limit.table.entries).toBe(4);
  expect(limit.take('a', 0)).toBe(true);
  // Later they are forgotten, and g has a burst of its own.
  expect([limit.take('g', 2_000), limit.take('g', 2_000), limit.take('g', 2_000)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(limit.table.entries).toBe(1);
});

test('a flood of keys keeps the table within its bound', () => {
  const limit = limiter(1, 1, 100);
  for (let at = 0; at < 10_000; at += 1) limit.take(`key ${at}`, at);
  expect(limit.table.entries).toBeLessThanOrEqual(101);
});
