import { expect, test } from 'vitest';
import { Prices } from '../../../src/routing/prices.ts';

const PRICES = new Prices([
  { from: 'eu', to: 'us', price: 2 },
  { from: 'eu', to: '*', price: 8 },
  { from: '*', to: 'ap', price: 4 },
]);

test.each([
  ['eu', 'us', 2],
  ['eu', 'ap', 8],
  ['us', 'ap', 4],
  ['us', 'eu', 0],
  ['eu', 'eu', 0],
  ['ap', 'ap', 0],
  ['', 'ap', 4],
])('from %s to %s a gigabyte costs %d: the first rule counts', (from, to, price) => {
  expect(PRICES.of(from, to)).toBe(price);
  expect(PRICES.of(from, to)).toBe(price);
  expect(PRICES.share(from, to)).toBe(price / 8);
});

test('without rules nothing costs anything', () => {
  const none = new Prices();
  expect([none.of('eu', 'us'), none.share('eu', 'us'), none.highest]).toEqual([0, 0, 0]);
});

test('regions that others invent fill no memory, and don’t spoil prices', () => {
  for (let at = 0; at < 30_000; at += 1) PRICES.of(`r${at}`, 'ap');
  expect(PRICES.of('r29999', 'ap')).toBe(4);
  expect(PRICES.of('eu', 'us')).toBe(2);
});
