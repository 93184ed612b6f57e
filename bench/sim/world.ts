// Where a simulation takes place: regions, how far they are from each other and what traffic between them costs, and the
// sizes of everything.
import { lotOf } from '../../src/routing/lots.ts';
import { type PriceRule, Prices } from '../../src/routing/prices.ts';

export interface Region {
  readonly name: string;
  /** Part of all players, publishers and nodes. */
  readonly share: number;
}

export interface World {
  readonly regions: readonly Region[];
  /** Round trip from region to region, ms. */
  readonly rttMs: readonly (readonly number[])[];
  readonly prices: Prices;
}

export interface Size {
  readonly nodes: number;
  readonly streams: number;
  readonly players: number;
}

const REGIONS: readonly (Region & { readonly egress: number })[] = [
  { name: 'us-east', share: 0.28, egress: 0.02 },
  { name: 'us-west', share: 0.16, egress: 0.02 },
  { name: 'eu-west', share: 0.22, egress: 0.02 },
  { name: 'eu-north', share: 0.12, egress: 0.02 },
  { name: 'ap-south', share: 0.12, egress: 0.086 },
  { name: 'sa-east', share: 0.1, egress: 0.138 },
];

const RTT_MS: readonly (readonly number[])[] = [
  [0, 62, 75, 108, 190, 115],
  [62, 0, 130, 155, 220, 172],
  [75, 130, 0, 32, 120, 178],
  [108, 155, 32, 0, 145, 210],
  [190, 220, 120, 145, 0, 300],
  [115, 172, 178, 210, 300, 0],
];

/** Six regions, with prices like those of a public cloud: cheap within a continent, dear out of some regions. */
export function realWorld(regions = REGIONS.length): World {
  const used = REGIONS.slice(0, regions);
  const rules = used.flatMap(({ name: from, egress }) => {
    const near = used.filter(({ name }) => name !== from && name.slice(0, 2) === from.slice(0, 2));
    return [
      ...near.map(({ name: to }) => ({ from, to, price: egress / 2 })),
      { from, to: '*', price: egress },
    ];
  });
  return { regions: used, rttMs: RTT_MS, prices: new Prices(rules) };
}

/** A world of its own prices, far apart or near. */
export function worldOf(names: readonly string[], rttMs: World['rttMs'], rules: readonly PriceRule[]): World {
  const regions = names.map((name) => ({ name, share: 1 / names.length }));
  return { regions, rttMs, prices: new Prices(rules) };
}

/** Round trip between two nodes: that of their regions, or a short one within one; not quite the same for any two. */
export function nodeRttMs(world: World, a: NodeSpec, b: NodeSpec): number {
  const spread = lotOf(a.name < b.name ? `${a.name} ${b.name}` : `${b.name} ${a.name}`) / 2 ** 32;
  if (a.region === b.region) return 0.5 + 1.5 * spread;
  return (world.rttMs[a.region]?.[b.region] ?? 0) * (0.9 + 0.2 * spread);
}

export interface NodeSpec {
  readonly name: string;
  /** Its place in the world's list. */
  readonly region: number;
}
