// When a replica leaves its parent for a better one.
import { expect, test } from 'vitest';
import { lotOf } from '../../../src/routing/lots.ts';
import { Prices } from '../../../src/routing/prices.ts';
import type { Parent } from '../../../src/routing/upstream-cost.ts';
import { type Option, type Reviewer, UpstreamReview } from '../../../src/routing/upstream-review.ts';

const PRICES = new Prices([{ from: '*', to: '*', price: 0.1 }]);
/** By lot: who comes before `ME` might feed it, who comes behind might be fed by it. */
const BY_LOT = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6'].sort((a, b) => lotOf(a) - lotOf(b));
const [BEFORE = '', , , ME = '', , , BEHIND = ''] = BY_LOT;

const me = (changes: Partial<Reviewer> = {}): Reviewer => {
  const usual = { node: ME, region: 'eu', prices: PRICES, pricePaid: 0, height: 0, regions: new Set(['eu']) };
  return { ...usual, ...changes };
};

const parent = (node: string, changes: Partial<Parent> = {}): Parent => {
  const usual = { region: 'eu', hops: 1, pricePaid: 0, rttMs: 2, lossShare: 0, busy: 0, isDraining: false };
  return { node, ...usual, ...changes };
};

const option = (node: string, changes: Partial<Parent> = {}, more: Partial<Option> = {}): Option => {
  return { parent: parent(node, changes), isAbove: false, payer: undefined, freed: [], ...more };
};

/** Looks each second; after how many of them it moves, and to whom. */
function movesAfter(
  review: UpstreamReview,
  fromMs: number,
  looks: (nowMs: number) => { me?: Reviewer; current: Parent; options: readonly Option[] },
  withinMs = 60_000,
): [ms: number, to: string | undefined] | undefined {
  for (let ms = 0; ms <= withinMs; ms += 1_000) {
    const { me: who = me(), current, options } = looks(fromMs + ms);
    const verdict = review.look(fromMs + ms, who, current, options);
    if (verdict.is === 'move') return [ms, verdict.to[0]?.node];
  }
  return undefined;
}

const SLOW = parent('slow', { rttMs: 152 });

test('a better parent has to be better for a while, and longer if it might come below the reviewer itself', () => {
  const soon = { current: SLOW, options: [option(BEFORE)] };
  const later = { current: SLOW, options: [option(BEHIND)] };
  expect(movesAfter(new UpstreamReview(() => 0), 0, () => soon)).toEqual([2_000, BEFORE]);
  expect(movesAfter(new UpstreamReview(() => 0.99), 0, () => soon)).toEqual([3_000, BEFORE]);
  expect(movesAfter(new UpstreamReview(() => 0), 0, () => later)).toEqual([5_000, BEHIND]);
  expect(movesAfter(new UpstreamReview(() => 0.99), 0, () => later)).toEqual([6_000, BEHIND]);
});

test('one that is better now and then is not moved to', () => {
  const looks = (nowMs: number) => ({
    current: parent('slow', { rttMs: nowMs % 2_000 === 0 ? 152 : 2 }),
    options: [option(BEFORE)],
  });
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks)).toBeUndefined();
});

test.each([
  ['it is hardly better', parent('slow', { rttMs: 31 }), option(BEFORE)],
  ['it is better by a hop only', parent('slow', { hops: 2 }), option(BEFORE)],
  ['it would be too far from the origin', SLOW, option(BEFORE, { hops: 4 })],
  ['it pays more', SLOW, option(BEFORE, { pricePaid: 0.1 })],
  [
    'who feeds it pays more',
    SLOW,
    option(BEFORE, {}, { payer: { node: 'x', region: 'eu', hops: 1, pricePaid: 0.1 } }),
  ],
])('it stays if %s', (_why, current, one) => {
  expect(movesAfter(new UpstreamReview(() => 0), 0, () => ({ current, options: [one] }))).toBeUndefined();
});

test('what the reviewer feeds has to stay near enough to the origin, too', () => {
  const looks = (height: number) => () => ({
    me: me({ height }),
    current: SLOW,
    options: [option(BEFORE, { hops: 2 })],
  });
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks(1))).toEqual([2_000, BEFORE]);
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks(2))).toBeUndefined();
});

test('who feeds it already, over others, may pay what it likes, and is no rival', () => {
  const options = [option(BEHIND, { pricePaid: 0.1 }, { isAbove: true })];
  expect(movesAfter(new UpstreamReview(() => 0), 0, () => ({ current: SLOW, options }))).toEqual([
    2_000,
    BEHIND,
  ]);
});

test('a detour that spares those above a dearer way is worth it, and no other', () => {
  const prices = new Prices([
    { from: 'us', to: 'eu', price: 11 },
    { from: 'us', to: 'ap', price: 15 },
    { from: 'ap', to: 'eu', price: 9 },
    { from: 'eu', to: 'ap', price: 3 },
  ]);
  const above = { node: 'above', region: 'ap', hops: 1, pricePaid: 15 };
  const origin = { region: 'us', hops: 0, rttMs: 2 };
  const looks = (freed: Option['freed']) => () => ({
    me: me({ prices, pricePaid: 9 }),
    current: parent('above', above),
    options: [option('origin', origin, { isAbove: true, freed })],
  });
  // It pays 2 more, and whoever fed it 12 less.
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks([above]))).toEqual([2_000, 'origin']);
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks([{ ...above, pricePaid: 4 }]))).toBeUndefined();
});

test('of two at the end of ways over a border, the one in the way of its parent goes first', () => {
  // Both parents pay, and the reviewer stands too deep for its own to come below the other.
  const payers = BY_LOT.slice(0, 2).map((node) => ({ node, region: 'eu', hops: 3, pricePaid: 0.1 }));
  const [first, second] = payers;
  if (!first || !second) throw new Error('no payers');
  const looks = (of: Option['freed'][number], to: Option['freed'][number]) => () => ({
    current: parent(of.node, of),
    options: [option(to.node, to, { payer: to, freed: [of] })],
  });
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks(second, first))?.[1]).toBe(first.node);
  expect(movesAfter(new UpstreamReview(() => 0), 0, looks(first, second))).toBeUndefined();
});

test('of many that all pay for the stream, all others go to the one that stays', () => {
  const abroad = parent('origin', { region: 'us', hops: 0, rttMs: 80 });
  for (const node of BY_LOT) {
    const options = BY_LOT.filter((other) => other !== node).map((other, at) =>
      option(other, { pricePaid: 0.1, rttMs: 2 + at / 2 }),
    );
    const looks = () => ({ me: me({ node, pricePaid: 0.1 }), current: abroad, options });
    const [ms, to] = movesAfter(new UpstreamReview(() => 0.5), 0, looks) ?? [];
    if (node === BEFORE) expect(ms).toBeGreaterThanOrEqual(5_000);
    else expect([ms, to]).toEqual([3_000, BEFORE]);
  }
});

test('for its load alone a parent is left later, by one after the other', () => {
  const looks = () => ({ current: parent('hot', { busy: 1 }), options: [option(BEFORE)] });
  const times = [0, 0.25, 0.5, 0.75, 0.99].map((chance) => {
    return movesAfter(new UpstreamReview(() => chance), 0, looks)?.[0];
  });
  expect(times).toEqual([10_000, 15_000, 20_000, 25_000, 30_000]);
});

test('after a move it rests for thirty seconds, unless its parent drains', () => {
  const review = new UpstreamReview(() => 0);
  review.moved('slow', 'better', 0);
  const bad = { current: parent('bad', { rttMs: 300 }), options: [option(BEFORE)] };
  expect(movesAfter(review, 1_000, () => bad)).toEqual([31_000, BEFORE]);
  review.moved('bad', 'better', 40_000);
  const drains = { current: parent(BEFORE, { isDraining: true }), options: [option('other')] };
  expect(movesAfter(review, 41_000, () => drains)?.[0]).toBeLessThan(7_000);
});

test('a parent that it left is not gone back to for a minute, and each time for twice as long, to eight minutes', () => {
  const review = new UpstreamReview(() => 0);
  let nowMs = 0;
  let [current, other] = [BEFORE, BEHIND];
  const stays: number[] = [];
  for (let turn = 0; turn < 12; turn += 1) {
    const looks = () => ({ current: parent(current, { rttMs: 200 }), options: [option(other)] });
    const [ms = 0, to] = movesAfter(review, nowMs, looks, 3_600_000) ?? [];
    expect(to).toBe(other);
    stays.push(ms);
    nowMs += ms;
    review.moved(current, 'better', nowMs);
    [current, other] = [other, current];
  }
  expect(stays[0]).toBeLessThan(6_000);
  const pairs = stays.slice(2).map((ms, at) => ms + (stays[at + 1] ?? 0));
  expect(pairs[0]).toBeGreaterThan(60_000);
  expect(pairs.at(-1)).toBeGreaterThan(480_000);
  expect(Math.max(...stays)).toBeLessThan(500_000);
});

test('one that failed it is not gone back to for a minute; one that sent it away at once', () => {
  const looks = () => ({ current: SLOW, options: [option(BEFORE)] });
  const failed = new UpstreamReview(() => 0);
  failed.moved(BEFORE, 'failed', 0);
  expect(movesAfter(failed, 0, looks, 100_000)).toEqual([62_000, BEFORE]);
  const sent = new UpstreamReview(() => 0);
  sent.moved(BEFORE, 'sent', 0);
  expect(movesAfter(sent, 0, looks)).toEqual([2_000, BEFORE]);
});

test('one that refused is passed over for a while', () => {
  const review = new UpstreamReview(() => 0);
  const looks = () => ({ current: SLOW, options: [option(BEFORE), option('other', { rttMs: 20 })] });
  expect(movesAfter(review, 0, looks)).toEqual([2_000, BEFORE]);
  review.refused(BEFORE, 2_000);
  expect(review.worth(3_000, me(), SLOW, looks().options).map(({ node }) => node)).toEqual(['other']);
  expect(review.worth(12_000, me(), SLOW, looks().options)[0]?.node).toBe(BEFORE);
});
