// Small cases whose best tree can be found by trying all: what do replicas pay that only follow the rules, each for itself?
import { loadConfig } from '../../src/config/load.ts';
import { Router } from '../../src/routing/router.ts';
import { Agenda } from './agenda.ts';
import { bestTreePrice } from './best-tree.ts';
import { NoDecisions } from './cluster.ts';
import { SimNode, VERSION } from './node.ts';
import { Random } from './random.ts';
import { StreamTree } from './tree.ts';
import { textOf } from './watch.ts';
import { type World, worldOf } from './world.ts';

/** Replicas come one after the other, at most so much later. */
const APART_MS = 5_000;
const REST_MS = 600_000;

export interface SmallCase {
  readonly price: number;
  readonly best: number;
  /** For people: who pulls from whom. */
  readonly text: string;
}

export interface SmallFigures {
  readonly cases: number;
  /** What all trees together cost over the best of each. */
  readonly mean: number;
  readonly worst: number;
  /** Cases above 1.15, and cases that are the best. */
  readonly over: number;
  readonly best: number;
  readonly worstTree: string;
}

export function runSmallCases(seed: string, count: number): SmallFigures {
  const all = Array.from({ length: count }, (_, at) => runSmall(`${seed} ${at}`));
  const ratio = ({ price, best }: SmallCase) => price / best;
  const worst = all.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
  const sum = (of: (each: SmallCase) => number) => all.reduce((total, each) => total + of(each), 0);
  return {
    cases: count,
    mean: sum(({ price }) => price) / sum(({ best }) => best),
    worst: ratio(worst),
    over: all.filter((each) => ratio(each) > 1.15).length,
    best: all.filter((each) => ratio(each) < 1 + 1e-9).length,
    worstTree: worst.text,
  };
}

/** Runs one case to rest. */
export function runSmall(seed: string): SmallCase {
  const random = new Random(`${seed} small`);
  const regions = 3 + random.below(2);
  const nodes = 3 + random.below(4);
  const world = randomWorld(regions, random);
  const agenda = new Agenda();
  const tree = new StreamTree(250_000, { agenda, world, random, linked: () => {} });
  const { weights, limits } = loadConfig({ newNodeId: () => 'sim' }).routing;
  const all = Array.from({ length: nodes }, (_, at) => {
    // One in each region first, so that borders are what it is about.
    const region = at < regions ? at : random.below(regions);
    const name = `${world.regions[region]?.name}-${at}`;
    const router = new Router(
      {
        ...{ self: name, version: VERSION, prices: world.prices, weights },
        limits: { ...limits, players: limits.players },
      },
      { clock: agenda, random: () => random.share(), decisions: new NoDecisions(() => 0) },
    );
    const regionName = world.regions[region]?.name ?? '';
    return new SimNode({ name, region, regionName, capacityBytesPerS: 1e9, isAsked: false }, router);
  });
  const [origin, ...others] = random.shuffled(all);
  if (!origin) throw new RangeError('a case without a node');
  tree.publish(origin);
  for (const node of others) agenda.at(random.between(0, APART_MS), () => tree.addPlayer(node));
  agenda.each(1_000, 1_000, () => tree.reviewAll());
  agenda.runUntil(REST_MS);
  const price = [...tree.copies.values()].reduce((sum, { pricePaid }) => sum + pricePaid, 0);
  const pays = (from: number, to: number) =>
    world.prices.of(world.regions[from]?.name ?? '', world.regions[to]?.name ?? '');
  return {
    price,
    best: bestTreePrice(
      [origin, ...others].map(({ region }) => region),
      pays,
    ),
    text: textOf(tree),
  };
}

function randomWorld(count: number, random: Random): World {
  const names = Array.from({ length: count }, (_, at) => `r${at}`);
  const rules = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to) => ({ from, to, price: 1 + random.below(20) })),
  );
  const rttMs = names.map(() => names.map(() => 0));
  for (let a = 0; a < count; a += 1) {
    for (let b = 0; b < a; b += 1) {
      const ms = random.between(10, 250);
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const row = rttMs[from];
        if (row) row[to] = ms;
      }
    }
  }
  return worldOf(names, rttMs, rules);
}
