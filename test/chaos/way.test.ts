// Since when there is a way, and how long there was none.
import { expect, test } from 'vitest';
import { Way } from './way.ts';

test('a way knows since when it is there, and how long it was not', () => {
  const way = new Way();
  way.is(false, 1_000);
  expect([way.sinceMs, way.longestLackMs(1_400)]).toEqual([undefined, 400]);
  way.is(true, 1_500);
  way.is(true, 1_700);
  expect([way.sinceMs, way.longestLackMs(2_000)]).toEqual([1_500, 500]);
  way.is(false, 3_000);
  expect([way.sinceMs, way.longestLackMs(3_200)]).toEqual([undefined, 500]);
  expect(way.longestLackMs(4_000)).toBe(1_000);
  way.is(true, 5_000);
  expect(way.longestLackMs(6_000)).toBe(2_000);
});

test('a lack of over a minute ago is forgotten once another has ended', () => {
  const way = new Way();
  way.is(false, 0);
  way.is(true, 9_000);
  way.is(false, 80_000);
  way.is(true, 80_100);
  expect(way.longestLackMs(80_200)).toBe(100);
  expect(way.longestLackMs(80_200, 80_100)).toBe(0);
});
