import { expect, test } from 'vitest';
import { Samples } from '../../../bench/fan-out/samples.ts';

test('a spread is of what came since the last one', () => {
  const samples = new Samples();
  for (let ms = 100; ms >= 1; ms -= 1) samples.add(ms);
  expect(samples.take()).toEqual({ count: 100, p50: 50, p99: 99, max: 100 });
  expect(samples.take()).toEqual({ count: 0, p50: 0, p99: 0, max: 0 });
  samples.add(7);
  expect(samples.take()).toEqual({ count: 1, p50: 7, p99: 7, max: 7 });
});

test('millions of samples are thinned out, not kept', () => {
  const samples = new Samples();
  const count = 2_500_000;
  for (let index = 0; index < count; index += 1) samples.add((index * 7919) % 1000);
  const spread = samples.take();
  expect(spread.count).toBe(count);
  expect(spread.max).toBe(999);
  expect(Math.abs(spread.p50 - 500)).toBeLessThan(5);
});
