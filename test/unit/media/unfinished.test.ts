import { expect, test } from 'vitest';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Unfinished } from '../../../src/media/unfinished.ts';

const MIB = 2 ** 20;

test('what a peer has not finished is charged, until the peer is gone', () => {
  const budget = new MemoryBudget(100 * MIB);
  const [one, two] = [new Unfinished(budget), new Unfinished(budget)];
  one.hold(5000);
  two.hold(300);
  one.hold(200);
  expect(budget.bytesOf('unfinished')).toBe(500);
  one.clear();
  two.clear();
  expect(budget.usedBytes).toBe(0);
});

test('only who holds much goes, and only until the others have room', () => {
  const budget = new MemoryBudget(4 * MIB);
  const peers = Array.from({ length: 4 }, () => new Unfinished(budget));
  const [small, ...big] = peers;
  expect(
    big.map((peer) => peer.hold(1.6 * MIB)?.code),
    'all that is there is 4.8 MiB',
  ).toEqual([undefined, undefined, undefined]);
  expect(small?.hold(MIB)).toBe(undefined);
  expect(budget.isExhausted).toBe(true);
  const closed = big.filter((peer) => {
    const why = peer.hold(1.6 * MIB);
    if (why) peer.clear();
    return why?.code === 'publish.unfinished';
  });
  expect(closed).toHaveLength(1);
  expect(budget.isExhausted).toBe(false);
});
