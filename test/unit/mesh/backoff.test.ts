// When a node is dialled again.
import { expect, test } from 'vitest';
import { Backoff } from '../../../src/mesh/backoff.ts';

const dueAt = (backoff: Backoff, fromMs: number): number => {
  for (let ms = fromMs; ; ms += 1) if (backoff.isDue(ms)) return ms - fromMs;
};

test('the lower id dials at once, the higher after two seconds', () => {
  expect(dueAt(new Backoff(true, () => 1, 0), 0)).toBe(0);
  expect(dueAt(new Backoff(false, () => 1, 0), 0)).toBe(2_000);
});

test('each failure doubles the wait, up to two seconds; half of it is chance', () => {
  const waits = (chance: number) => {
    const backoff = new Backoff(true, () => chance, 0);
    return Array.from({ length: 6 }, () => {
      backoff.failed(0);
      return dueAt(backoff, 0);
    });
  };
  expect(waits(1)).toEqual([200, 400, 800, 1_600, 2_000, 2_000]);
  expect(waits(0)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test('a link that lasted is dialled again at once, one that did not is not', () => {
  const backoff = new Backoff(true, () => 1, 0);
  for (let n = 0; n < 5; n += 1) backoff.failed(0);
  backoff.lost(0, 60_000);
  expect(dueAt(backoff, 0)).toBe(0);
  backoff.lost(0, 10);
  expect(dueAt(backoff, 0)).toBe(200);
});

test('the higher id leaves the first try after a loss to the lower', () => {
  const backoff = new Backoff(false, () => 1, 0);
  backoff.lost(5_000, 60_000);
  expect(dueAt(backoff, 5_000)).toBe(2_000);
});
