import { expect, test } from 'vitest';
import { bytesText, durationText, mbitText, msText } from '../../../src/cli/units.ts';

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 m'],
  [3_599_999, '59 m'],
  [7_200_000, '2 h'],
  [200_000_000, '2 d'],
])('%i ms is "%s"', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test.each([
  [null, '-'],
  [0, '0.0 ms'],
  [-3.25, '-3.3 ms'],
  [9.96, '10 ms'],
  [999.4, '999 ms'],
  [1000, '1.0 s'],
])('a measured %s ms is "%s"', (ms, text) => {
  expect(msText(ms)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9_949, '9.9 kB'],
  [9_950, '10 kB'],
  [999_499, '999 kB'],
  [999_600, '1.0 MB'],
  [2_500_000_000, '2.5 GB'],
  [5e21, '5000000 PB'],
])('%i bytes are "%s"', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test('bitrates are in one unit, whatever their size', () => {
  expect([null, 0, 43_000, 9_960_000, 1.25e9].map(mbitText)).toEqual([
    '-',
    '0.0 Mbit/s',
    '0.0 Mbit/s',
    '10 Mbit/s',
    '1250 Mbit/s',
  ]);
});
