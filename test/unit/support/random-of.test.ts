// Chance by a seed.
import { expect, test } from 'vitest';
import { randomOf } from '../../support/random-of.ts';

test('the same seed gives the same numbers, in 0..1', () => {
  const [one, two, other] = [randomOf(1), randomOf(1), randomOf(2)];
  const numbers = Array.from({ length: 1_000 }, () => one());
  expect(Array.from({ length: 1_000 }, () => two())).toEqual(numbers);
  expect(other()).not.toBe(numbers[0]);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.reduce((sum, each) => sum + each, 0) / 1_000).toBeCloseTo(0.5, 1);
});
