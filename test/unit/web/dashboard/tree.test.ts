// A stream's tree of what nodes tell, and where its boxes go.
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TreeAnswer } from '../../../../src/http/forms/streams.ts';
import { flat, sentences, type TreeNode, treeOf, wayTo } from '../../../../web/dashboard/tree.ts';
import {
  ACROSS_FROM_PX,
  between,
  type Layout,
  layOut,
  linePath,
  MAX_SIBLINGS,
} from '../../../../web/dashboard/tree-layout.ts';
import { alarmOf, MadeUpCluster } from '../../../support/made-up-cluster.ts';

const KEY = 'live/stream-00000';
let whole: TreeAnswer;

beforeAll(() => {
  whole = MadeUpCluster.treeOfFive(KEY);
});

type Row = TreeAnswer['nodes'][number];

/** An answer in which each node is fed by the one that it is mapped to; null: by nobody. */
function answerOf(feeds: Readonly<Record<string, string | null>>, origin: string | null): TreeAnswer {
  const [sample] = whole.nodes;
  if (!sample) throw new Error('no row');
  return {
    ...whole,
    origin: origin === null || !whole.origin ? null : { ...whole.origin, node: origin },
    nodes: Object.entries(feeds).map(
      ([node, upstream]): Row => ({
        ...sample,
        ...{ node, upstream, role: upstream === null ? 'origin' : 'replica', hop: null, players: 1 },
      }),
    ),
  };
}

function shape(roots: readonly TreeNode[]): unknown {
  return roots.map(({ id, children }) => [id, shape(children)]);
}

describe('the tree', () => {
  test('begins at the origin, and each node is behind the one that feeds it', () => {
    const roots = treeOf(whole);
    expect(shape(roots)).toEqual([
      [
        'n0',
        [
          ['n1', [['n2', []]]],
          ['n3', []],
          ['n4', []],
        ],
      ],
    ]);
    expect(wayTo(roots, 'n2').map(({ id }) => id)).toEqual(['n0', 'n1', 'n2']);
    expect(wayTo(roots, 'nobody')).toEqual([]);
  });

  test('a node that did not answer is where the registry has it, and its hop is not known', () => {
    const told = whole.nodes.filter(({ node }) => node !== 'n1');
    const answer = {
      ...whole,
      nodes: told,
      replicas: [{ node: 'n1', hops: 1, upstream: 'n0', epoch: 7 }],
    };
    const n1 = flat(treeOf(answer)).find(({ id }) => id === 'n1');
    expect(n1).toMatchObject({ knownBy: 'stale', state: 'unknown', hop: { from: 'n0', verdict: 'unknown' } });
    expect(n1?.children.map(({ id }) => id)).toEqual(['n2']);
  });

  test('without its parent a node stands alone beside the origin', () => {
    const answer = answerOf({ a: null, b: 'lost', c: 'b' }, 'a');
    expect(shape(treeOf(answer))).toEqual([
      ['a', []],
      ['b', [['c', []]]],
    ]);
  });

  test('a hop is slow by an alarm about it, and stalled when nothing comes; alarms that ended count no more', () => {
    const verdictOf = (answer: TreeAnswer, id: string) =>
      flat(treeOf(answer)).find((node) => node.id === id)?.hop?.verdict;
    const slow = alarmOf(KEY, '1');
    expect(verdictOf(whole, 'n1')).toBe('good');
    expect(verdictOf({ ...whole, alarms: [slow] }, 'n1')).toBe('slow');
    expect(verdictOf({ ...whole, alarms: [slow] }, 'n3')).toBe('good');
    expect(verdictOf({ ...whole, alarms: [{ ...slow, kind: 'stalled' }] }, 'n1')).toBe('stalled');
    expect(verdictOf({ ...whole, alarms: [{ ...slow, until: slow.since }] }, 'n1')).toBe('good');
    const silent = whole.nodes.map((row) => ({ ...row, quality: { ...row.quality, silentMs: 4000 } }));
    expect(verdictOf({ ...whole, nodes: silent }, 'n1')).toBe('stalled');
  });

  test('a measurement of the way from another parent is not shown at this one', () => {
    const nodes = whole.nodes.map((row) =>
      row.node === 'n3' && row.hop ? { ...row, hop: { ...row.hop, from: 'n1' } } : row,
    );
    const n3 = flat(treeOf({ ...whole, nodes })).find(({ id }) => id === 'n3');
    expect(n3?.hop).toMatchObject({ from: 'n0', delayMs: null, resumes: 0 });
  });

  test('each node has its sentence', () => {
    const said = sentences(treeOf(whole), (ms) => `${ms} ms`);
    expect(said[0]).toBe('n0: origin, live, 0 players.');
    expect(said[1]).toBe('n1: replica fed by n0, 11 ms later, hop good, live, 12 players.');
  });

  test('whatever nodes tell of who feeds whom, each node is in it once', () => {
    const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const feeds = fc.dictionary(ids, fc.option(ids));
    fc.assert(
      fc.property(feeds, fc.option(ids), (fed, origin) => {
        const answer = answerOf(fed, origin);
        const drawn = flat(treeOf(answer)).map(({ id }) => id);
        const known = new Set([...Object.keys(fed), ...(origin === null ? [] : [origin])]);
        expect([...drawn].sort()).toEqual([...known].sort());
        if (origin !== null) expect(drawn[0]).toBe(origin);
      }),
      { numRuns: 500 },
    );
  });
});

describe('its layout', () => {
  const feedsOf = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }).map((parents) => {
    const feeds: Record<string, string | null> = { n0: null };
    for (const [at, parent] of parents.entries()) feeds[`n${at + 1}`] = `n${parent % (at + 1)}`;
    return feeds;
  });

  test.each([360, 900])('with %i px no two boxes overlap, and all are inside', (roomPx) => {
    fc.assert(
      fc.property(feedsOf, (feeds) => {
        const layout = layOut(treeOf(answerOf(feeds, 'n0')), roomPx);
        expect(layout.direction).toBe(roomPx < ACROSS_FROM_PX ? 'down' : 'across');
        expect(overlaps(layout)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('who has one child stands level with it, and who has more in the middle of the first and the last', () => {
    const { placed } = layOut(treeOf(whole), 900);
    const middle = (id: string) => {
      const found = placed.find(({ box }) => box.id === id);
      return found ? found.y + found.height / 2 : Number.NaN;
    };
    expect(middle('players of n3')).toBe(middle('n3'));
    expect(middle('n1')).toBe((middle('players of n1') + middle('n2')) / 2);
    expect(middle('n0')).toBe((middle('n1') + middle('n4')) / 2);
  });

  test('on a phone, a tree of usual depth fits', () => {
    const deep = { n0: null, n1: 'n0', n2: 'n1', n3: 'n2', n4: 'n3' };
    expect(layOut(treeOf(answerOf(deep, 'n0')), 300).width).toBeLessThanOrEqual(300);
  });

  test('a node keeps its place when another is added behind it, whatever order the rows came in', () => {
    const feeds = { n0: null, n1: 'n0', n2: 'n0', n3: 'n1' };
    const answer = answerOf(feeds, 'n0');
    const one = layOut(treeOf(answer), 900);
    const other = layOut(treeOf({ ...answer, nodes: [...answer.nodes].reverse() }), 900);
    expect(other).toEqual(one);
  });

  test('of many that are well the first are drawn, and the rest is one box; those with a fault always are', () => {
    const ids = Array.from({ length: 40 }, (_, at) => `r${String(at).padStart(2, '0')}`);
    const answer = answerOf({ n0: null, ...Object.fromEntries(ids.map((id) => [id, 'n0'])) }, 'n0');
    const slow = { ...alarmOf(KEY, '1'), hop: { from: 'n0', to: 'r33' } };
    const boxes = layOut(treeOf({ ...answer, alarms: [slow] }), 900).placed.map(({ box }) => box);
    const drawn = boxes.flatMap((box) => (box.kind === 'node' ? box.id : []));
    expect(drawn).toEqual(['n0', ...ids.slice(0, MAX_SIBLINGS - 1), 'r33']);
    const more = boxes.find(({ kind }) => kind === 'more');
    expect(more?.kind === 'more' && more.nodes).toHaveLength(40 - MAX_SIBLINGS);
  });

  test('lines begin and end at their boxes', () => {
    const from = { x: 0, y: 0, width: 100, height: 40 };
    const to = { x: 200, y: 100, width: 100, height: 40 };
    expect(linePath(from, to, 'across')).toMatch(/^M100 20C.* 120H200$/);
    expect(linePath(from, to, 'down')).toBe('M11 40V120H200');
    expect(between(from, to, 0.5)).toEqual({ x: 100, y: 50, width: 100, height: 40 });
  });
});

/** Ids of boxes that lie on each other, or outside. */
function overlaps({ placed, width, height }: Layout): string[] {
  return placed.flatMap((one, at) => {
    const isOut = one.x < 0 || one.y < 0 || one.x + one.width > width || one.y + one.height > height;
    const on = placed
      .slice(at + 1)
      .filter(
        (other) =>
          one.x < other.x + other.width &&
          other.x < one.x + one.width &&
          one.y < other.y + other.height &&
          other.y < one.y + one.height,
      )
      .map((other) => `${one.box.id} on ${other.box.id}`);
    return isOut ? [`${one.box.id} outside`, ...on] : on;
  });
}
