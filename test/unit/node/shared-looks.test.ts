import { beforeEach, expect, test } from 'vitest';
import { FRESH_MS, SharedLooks } from '../../../src/node/shared-looks.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { settle } from '../../support/settle.ts';

let clock: FakeClock;
let looks: SharedLooks<number>;
let made: number;
const make = async () => {
  made += 1;
  return made;
};

beforeEach(() => {
  clock = new FakeClock();
  looks = new SharedLooks(clock, 2);
  made = 0;
});

test('an answer is shared while it is made and while it is fresh, and then let go', async () => {
  expect(await Promise.all([looks.get('a', make), looks.get('a', make)])).toEqual([1, 1]);
  clock.advance(FRESH_MS - 1);
  expect(await looks.get('a', make)).toBe(1);
  expect(looks.kept.entries).toBe(1);
  clock.advance(1);
  expect(looks.kept.entries).toBe(0);
  expect(await looks.get('a', make)).toBe(2);
});

test('one that failed is told to all who waited, and made again for who comes later', async () => {
  const fail = async () => Promise.reject(new Error('no'));
  const asked = await Promise.allSettled([looks.get('a', fail), looks.get('a', make)]);
  expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await looks.get('a', make)).toBe(1);
});

test('the oldest makes room, and its end does not take a newer one of its name away', async () => {
  let finish = (_: number) => {};
  const slow = looks.get('a', () => new Promise((resolve) => (finish = resolve)));
  await looks.get('b', make);
  await looks.get('c', make);
  expect(looks.kept.entries).toBe(2);
  expect(await looks.get('a', make)).toBe(3);
  clock.advance(1);
  finish(0);
  expect(await slow).toBe(0);
  clock.advance(FRESH_MS - 1);
  await settle();
  expect(await looks.get('a', make)).toBe(4);
  clock.advance(1);
  expect(await looks.get('a', make)).toBe(4);
});
