import { expect, test } from 'vitest';
import { AddressCount } from '../../../src/base/address-count.ts';

test('an address has as many as came and did not go', () => {
  const count = new AddressCount();
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.2']) count.add(address);
  expect([count.of('10.0.0.1'), count.of('10.0.0.2'), count.of('10.0.0.3'), count.size]).toEqual([
    2, 1, 0, 2,
  ]);
  count.remove('10.0.0.1');
  count.remove('10.0.0.2');
  expect([count.of('10.0.0.1'), count.of('10.0.0.2'), count.size]).toEqual([1, 0, 1]);
});

test('a network of 64 bits is one address, and leaves nothing behind', () => {
  const count = new AddressCount();
  for (let at = 1; at <= 1_000; at += 1) count.add(`2001:db8::${at}`);
  expect([count.of('2001:db8::ffff'), count.of('2001:db8:0:1::1'), count.size]).toEqual([1_000, 0, 1]);
  for (let at = 1; at <= 1_000; at += 1) count.remove(`2001:db8::${at}`);
  expect(count.size).toBe(0);
});
