import { expect, test } from 'vitest';
import type { StreamHere } from '../../../src/http/forms/streams.ts';
import { treeOf } from '../../../src/node/stream-tree.ts';

/** A node of the tree; `delayMs` of the hop from its upstream. */
function row(node: string, upstream: string | null, delayMs: number | null = 10): StreamHere {
  const hop = upstream === null ? null : { from: upstream, to: node, delayMs, queueBytes: null };
  const role = upstream === null ? 'origin' : 'replica';
  return { node, upstream, role, epoch: 1, hop, childRows: [] } as unknown as StreamHere;
}

function told(rows: StreamHere[]): [string, number | null][] {
  return treeOf(rows).map(({ node, ageMs }) => [node, ageMs]);
}

test('each node stands behind the one that it pulls from, and its age is the sum of the hops', () => {
  const rows = [row('e', 'c', 7), row('b', 'a', 20), row('c', 'a', 30.5), row('a', null), row('d', 'b', 5)];
  expect(told(rows)).toEqual([
    ['a', 0],
    ['b', 20],
    ['d', 25],
    ['c', 30.5],
    ['e', 37.5],
  ]);
});

test('behind a hop that was not measured no age is known', () => {
  expect(told([row('a', null), row('b', 'a', null), row('c', 'b', 5)])).toEqual([
    ['a', 0],
    ['b', null],
    ['c', null],
  ]);
});

test('a hop from another node than the one that it pulls from now says nothing of its age', () => {
  const moved = { ...row('c', 'b', 5), upstream: 'a' };
  expect(told([row('a', null), moved])).toEqual([
    ['a', 0],
    ['c', null],
  ]);
});

test('nodes whose upstream did not answer come behind the tree, and their own children behind them', () => {
  expect(told([row('d', 'c', 1), row('c', 'gone', 1), row('a', null)])).toEqual([
    ['a', 0],
    ['c', null],
    ['d', null],
  ]);
});

test('nodes that were asked a moment apart and pull from each other are each there once', () => {
  expect(told([row('a', null), row('b', 'c', 1), row('c', 'b', 1)])).toEqual([
    ['a', 0],
    ['b', null],
    ['c', null],
  ]);
});

test('of two that say they are the origin, the one of the higher epoch is first', () => {
  expect(told([row('a', null), { ...row('b', null), epoch: 2 }])).toEqual([
    ['b', 0],
    ['a', 0],
  ]);
});

test('how much waits on the way to a node is what its parent says', () => {
  const parent = {
    ...row('a', null),
    childRows: [{ node: 'b', queueBytes: 4_096 }],
  } as unknown as StreamHere;
  expect(treeOf([row('b', 'a'), parent]).map(({ hop }) => hop?.queueBytes)).toEqual([undefined, 4_096]);
});
