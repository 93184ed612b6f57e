// In which order nodes are asked for a stream.
import { expect, test } from 'vitest';
import { below, type Candidate, inOrder, onPath, type ParentFacts } from '../../../src/mesh/candidates.ts';
import { Prices } from '../../../src/routing/prices.ts';

const candidate = (node: string, changes: Partial<Candidate> = {}): Candidate => {
  return { node, epoch: 5, hops: 1, upstream: 'o', isOld: false, ...changes };
};

/** Round trips by node; who is not named is as far as nobody knows. */
function factsOf(rtts: Readonly<Record<string, number>>): ParentFacts {
  return {
    puller: { node: 'me', region: '', prices: new Prices() },
    of: ({ node, hops }) => {
      const rest = { pricePaid: 0, lossShare: 0, busy: 0, isDraining: false };
      return { node, hops, region: rtts[node] === undefined ? 'far' : '', rttMs: rtts[node], ...rest };
    },
  };
}

function order(
  candidates: readonly Candidate[],
  {
    rtts = {},
    links = [],
    urgent = false,
  }: { rtts?: Record<string, number>; links?: string[]; urgent?: boolean },
): string {
  const isLinked = (node: string) => links.includes(node);
  return inOrder(candidates, { parents: factsOf(rtts), isLinked, urgent }).join(' ');
}

const O = candidate('o', { hops: 0, upstream: undefined });
const B = candidate('b');
const C = candidate('c', { hops: 2, upstream: 'b' });

test('the cheapest comes first, and who nobody knows is not left out', () => {
  const rtts = { o: 90, b: 2, c: 3 };
  expect(order([O, B, C, candidate('x')], { rtts, links: ['o', 'b', 'c'] })).toBe('b c o x');
});

test('a link is worth a dial, and no more', () => {
  expect(order([B, candidate('d')], { rtts: { b: 2, d: 20 }, links: ['d'] })).toBe('d b');
  expect(order([B, candidate('d')], { rtts: { b: 2, d: 40 }, links: ['d'] })).toBe('b d');
});

test('in need those that have a link come first, each by cost', () => {
  const rtts = { o: 90, b: 2, c: 3, d: 1 };
  const all = [O, B, C, candidate('d')];
  expect(order(all, { rtts, links: ['o', 'c'], urgent: true })).toBe('c o d b');
});

test('who is too deep comes behind, and last who has an older epoch, or is known of long ago', () => {
  const old = candidate('old', { isOld: true });
  const before = candidate('before', { epoch: 4 });
  const deep = candidate('deep', { hops: 4 });
  const rtts = { o: 90, old: 1, before: 1, deep: 1 };
  const links = ['o', 'old', 'before', 'deep'];
  expect(order([old, deep, before, O], { rtts, links }).split(' ').slice(0, 2)).toEqual(['o', 'deep']);
});

test('one that the puller feeds is known by who pulls from whom, however deep', () => {
  const tree = [O, candidate('me'), candidate('d', { upstream: 'me' }), candidate('e', { upstream: 'd' }), B];
  expect([...below('me', tree)]).toEqual([
    ['d', 1],
    ['e', 2],
  ]);
  expect(below('x', tree).size).toBe(0);
  // What is told of different moments may even look like a ring.
  const ring = [
    candidate('me', { upstream: 'e' }),
    candidate('d', { upstream: 'me' }),
    candidate('e', { upstream: 'd' }),
  ];
  expect([...below('me', ring).keys()]).toEqual(['d', 'e']);
});

test('the nodes of a way know their place in it', () => {
  expect(onPath(['o', 'b', 'c']).map(({ node, hops, upstream }) => [node, hops, upstream])).toEqual([
    ['o', 0, undefined],
    ['b', 1, 'o'],
    ['c', 2, 'b'],
  ]);
});
