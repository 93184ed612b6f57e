// A small world of the simulator: it is the same each time, and what routing promises holds in it.
import { expect, test } from 'vitest';
import { Agenda } from '../../../bench/sim/agenda.ts';
import { bestTreePrice } from '../../../bench/sim/best-tree.ts';
import { drawTree } from '../../../bench/sim/draw-tree.ts';
import { readOptions } from '../../../bench/sim/options.ts';
import { Random, Weighted, zipf } from '../../../bench/sim/random.ts';
import { rowsOf, tableOf } from '../../../bench/sim/report.ts';
import { runSmallCases } from '../../../bench/sim/small.ts';
import { runSteady } from '../../../bench/sim/steady.ts';
import { runSurge } from '../../../bench/sim/surge.ts';
import { realWorld } from '../../../bench/sim/world.ts';

const world = realWorld(3);
const TINY = { world, nodes: 24, streams: 60, players: 1_200, busy: 0.25, stayMs: 60_000 };
const PHASES = { publishMs: 5_000, fillMs: 10_000, phaseMs: 20_000, restMs: 60_000 };
const steady = (seed: string) => runSteady({ seed, ...TINY, ...PHASES }, () => {}).figures;
const first = steady('a');
const surge = (seed: string) => {
  return runSurge({ seed, ...TINY, others: 500, surge: 2_000, surgeMs: 20_000 });
};

test('the same seed gives the same figures, and another one others', () => {
  expect(steady('a')).toEqual(first);
  expect(steady('b')).not.toEqual(first);
});

test('trees stay whole while nodes join and die, and one copy crosses a priced border', () => {
  const { trees, rest, steady: even, join, unmet, longestDeadMs } = first;
  expect(trees).toMatchObject({ cycles: 0, tooDeep: 0, overfull: 0, lost: 0 });
  expect(trees.deepest).toBeLessThanOrEqual(4);
  expect(rest.regions).toBeGreaterThan(50);
  expect(rest.faults).toBe(0);
  expect(even.imbalance).toBeLessThan(1.4);
  expect(join.rush).toBeLessThan(3);
  expect(longestDeadMs).toBeLessThan(5_500);
  expect(unmet).toBe(0);
});

test('a surge of one stream leaves its origin with few copies', () => {
  const { figures, copies } = surge('a');
  expect(figures.players).toBe(2_000);
  expect(figures.mostCopies).toBeLessThan(8);
  expect(figures.replicas).toBeGreaterThan(12);
  expect(figures).toMatchObject({ treeFaults: 0, unmet: 0 });
  const svg = drawTree(copies, world);
  expect(svg.match(/<circle/g)).toHaveLength(copies.length);
  expect(svg.match(/<path/g)).toHaveLength(copies.length - 1);
});

test('small trees cost about as little as the best', () => {
  const { mean, cases, best } = runSmallCases('1', 60);
  expect(mean).toBeLessThan(1.02);
  expect(best / cases).toBeGreaterThan(0.9);
});

test('the best tree is found, within the links that may be', () => {
  // 0 -> 1 costs 5, 1 -> 2 costs 1, 0 -> 2 costs 9, and all else 20.
  const prices: Record<string, number> = { '0 1': 5, '1 2': 1, '0 2': 9 };
  expect(bestTreePrice([0, 1, 2], (from, to) => (from === to ? 0 : (prices[`${from} ${to}`] ?? 20)))).toBe(6);
  // A chain of five would cost 1 each, and four links may be.
  const chain = (from: number, to: number) => (to === from + 1 ? 1 : 10);
  expect(bestTreePrice([0, 1, 2, 3, 4], chain)).toBe(4);
  expect(bestTreePrice([0, 1, 2, 3, 4, 5], chain)).toBe(14);
});

test('what is due happens in order, and at the same time in the order in which it was set', () => {
  const agenda = new Agenda();
  const random = new Random('agenda');
  const seen: [number, number][] = [];
  const times = Array.from({ length: 200 }, () => random.below(50));
  for (const [order, atMs] of times.entries()) agenda.at(atMs, () => seen.push([agenda.now(), order]));
  agenda.runUntil(100);
  const expected = times
    .map((atMs, order) => [atMs, order])
    .sort(([a = 0, x = 0], [b = 0, y = 0]) => a - b || x - y);
  expect(seen).toEqual(expected);
  expect(agenda.now()).toBe(100);
});

test('streams are drawn as often as they are popular', () => {
  const weights = zipf(100, 1);
  const drawn = new Weighted(weights);
  const random = new Random('zipf');
  const counts = weights.map(() => 0);
  for (let turn = 0; turn < 20_000; turn += 1) {
    const at = drawn.draw(random);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  const sum = weights.reduce((all, weight) => all + weight, 0);
  for (const at of [0, 1, 9]) expect((counts[at] ?? 0) / 20_000).toBeCloseTo((weights[at] ?? 0) / sum, 1);
  expect(counts.every((count) => count > 0)).toBe(true);
});

test('the table holds each figure against its bar', () => {
  const small = { cases: 1, mean: 1.2, worst: 1.2, over: 1, best: 0, worstTree: '' };
  const rows = rowsOf({ small });
  expect(rows.map(({ isMet }) => isMet)).toEqual([false, false, false]);
  expect(tableOf(rows)).toContain('| the same, the worst case | 1.20 | <= 1.15 | MISSED |');
});

test('a command line is read, and what is wrong with it named', () => {
  expect(readOptions(['--full'])).toMatchObject({ nodes: 1_000, streams: 100_000, players: 1_000_000 });
  expect(readOptions(['--scenario', 'small', '--cases', '5'])).toMatchObject({
    scenarios: ['small'],
    cases: 5,
  });
  expect(() => readOptions(['--scenario', 'storm'])).toThrow('storm');
  expect(() => readOptions(['--nodes', '-1'])).toThrow('--nodes');
  expect(readOptions(['--help'])).toBeUndefined();
});
