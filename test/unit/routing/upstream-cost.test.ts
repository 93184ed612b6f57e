import { describe, expect, test } from 'vitest';
import { Prices } from '../../../src/routing/prices.ts';
import {
  isWorthIt,
  mayMoveBelow,
  type Parent,
  type ParentCost,
  parentCost,
  rankParents,
} from '../../../src/routing/upstream-cost.ts';

const ME = { node: 'me', region: 'eu', prices: new Prices([{ from: '*', to: '*', price: 2 }]) };

function parent(node: string, changes: Partial<Parent> = {}): Parent {
  return {
    ...{ node, region: 'eu', hops: 1, pricePaid: 0, rttMs: 2, lossShare: 0, busy: 0, isDraining: false },
    ...changes,
  };
}

function order(...parents: Parent[]): string[] {
  return rankParents(parents, ME).map(({ node }) => node);
}

function costOf(total: number): ParentCost {
  return { ...parentCost(parent('x'), ME), total };
}

describe('the cheapest parent', () => {
  test('is the nearest to the origin, among equals', () => {
    expect(order(parent('b', { hops: 2 }), parent('a'), parent('o', { hops: 0 }))).toEqual(['o', 'a', 'b']);
  });

  test('is on this side of a priced border, some hops further', () => {
    expect(order(parent('o', { hops: 0, region: 'us' }), parent('a', { hops: 3 }))).toEqual(['a', 'o']);
  });

  test('is the quicker way, by more than a hop', () => {
    expect(order(parent('slow', { hops: 0, rttMs: 150 }), parent('quick'))).toEqual(['quick', 'slow']);
    expect(order(parent('slow', { hops: 0, rttMs: 15 }), parent('quick'))).toEqual(['slow', 'quick']);
  });

  test('is not one that loses heartbeats, is full, or drains', () => {
    const best = parent('best', { hops: 2 });
    expect(order(parent('lossy', { lossShare: 0.1 }), best)).toEqual(['best', 'lossy']);
    expect(order(parent('full', { busy: 0.95 }), best)).toEqual(['best', 'full']);
    expect(order(parent('draining', { hops: 0, isDraining: true }), best)).toEqual(['best', 'draining']);
  });

  test('is never this node, and none that is as deep as the tree may be', () => {
    expect(order(parent('me'), parent('deep', { hops: 4 }), parent('a', { hops: 3 }))).toEqual(['a']);
  });

  test('of a way that nobody measured is guessed by regions', () => {
    expect(parentCost(parent('a', { rttMs: undefined }), ME).parts.rtt).toBe(2);
    expect(parentCost(parent('a', { rttMs: undefined, region: 'us' }), ME).parts.rtt).toBe(100);
  });
});

test('pullers of equal parents spread over them', () => {
  const parents = ['a', 'b', 'c'].map((node) => parent(node));
  const firsts = Array.from(
    { length: 90 },
    (_, at) => rankParents(parents, { ...ME, node: `n${at}` })[0]?.node,
  );
  for (const node of ['a', 'b', 'c']) expect(firsts.filter((one) => one === node).length).toBeGreaterThan(15);
});

test('a way over a border that leaves no hop to feed others of the region costs them, too', () => {
  const prices = new Prices([{ from: '*', to: '*', price: 1 }]);
  const puller = { ...ME, prices };
  const [far, last] = [2, 3].map((hops) => parent('a', { region: 'elsewhere', hops }));
  if (!far || !last) throw new Error('no parents');
  expect(parentCost(last, puller, false).parts.price).toBe(parentCost(far, puller, true).parts.price);
  expect(parentCost(last, puller, true).parts.price).toBeGreaterThan(
    parentCost(far, puller, true).parts.price,
  );
  expect(rankParents([last, parent('b', { hops: 4, region: ME.region })], puller)[0]?.parts.price).toBe(
    parentCost(last, puller, true).parts.price,
  );
});

describe('a move', () => {
  test.each([
    [100, 60, true],
    [100, 71, false],
    [40, 11, false],
    [1000, 760, false],
    [1000, 700, true],
  ])('from a cost of %d to one of %d is worth it: %s', (from, to, expected) => {
    expect(isWorthIt(costOf(from), costOf(to))).toBe(expected);
  });

  test('a hop alone is no reason', () => {
    const deep = parentCost(parent('a', { hops: 1 }), ME);
    const origin = parentCost(parent('o', { hops: 0 }), ME);
    expect(isWorthIt(deep, origin)).toBe(false);
  });

  test('of two that want each other exactly one goes: who is spared more, else by lot', () => {
    const prices = new Prices([
      { from: 'eu', to: 'us', price: 1 },
      { from: 'us', to: 'eu', price: 9 },
    ]);
    const eu = { node: 'eu', region: 'eu', hops: 1, pricePaid: 12 };
    const us = { node: 'us', region: 'us', hops: 1, pricePaid: 10 };
    // us is spared 9 below eu, eu 3 below us, though it pays more.
    expect([mayMoveBelow(us, eu, prices), mayMoveBelow(eu, us, prices)]).toEqual([true, false]);
    for (let at = 0; at < 50; at += 1) {
      const one = { node: `a${at}`, region: 'eu', hops: 1, pricePaid: 1 };
      const other = { node: `b${at}`, region: 'eu', hops: 1, pricePaid: 1 };
      expect(mayMoveBelow(one, other, prices)).toBe(!mayMoveBelow(other, one, prices));
    }
  });

  test('below an origin anybody may go', () => {
    const origin = { node: 'o', region: 'us', hops: 0, pricePaid: 0 };
    expect(mayMoveBelow({ node: 'a', region: 'eu', pricePaid: 0 }, origin, new Prices())).toBe(true);
  });
});
