// What must hold in a simulated cluster, looked at as it runs: each link as it is made, each arrival, and each second the
// load of all nodes.
import type { Onlooker, SimCluster } from './cluster.ts';
import type { SimNode } from './node.ts';
import { type Copy, MAX_CHILDREN, type StreamTree } from './tree.ts';

const MAX_HOPS = 4;
/** A node's arrivals are held against its share when that is at least so many: fewer jump by chance. */
const MIN_DUE = 50;

export class Watch implements Onlooker {
  readonly #cluster: SimCluster;
  /** Links that broke a rule of trees. */
  cycles = 0;
  tooDeep = 0;
  overfull = 0;
  deepest = 0;
  mostChildren = 0;
  /** Arrivals of a node over its share of those in its region, at most. */
  worstRush = 0;
  rushes = 0;
  /** Busiest node over the mean of its region, each second. */
  readonly imbalances: { readonly atMs: number; readonly value: number }[] = [];
  #arrivals = new Map<number, number>();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    cluster.onlooker = this;
    cluster.agenda.each(1_000, 1_000, () => this.#second());
  }

  linked(tree: StreamTree, copy: Copy): void {
    let steps = 0;
    let at: Copy | undefined = copy;
    while (at?.parent && steps <= MAX_HOPS + 1) {
      at = at.parent;
      steps += 1;
    }
    if (at?.parent) this.cycles += 1;
    else if (at === tree.origin && steps > MAX_HOPS) this.tooDeep += 1;
    if (at === tree.origin) this.deepest = Math.max(this.deepest, steps);
    const children = copy.parent?.children.length ?? 0;
    this.mostChildren = Math.max(this.mostChildren, children);
    if (children > MAX_CHILDREN) this.overfull += 1;
  }

  arrived(node: SimNode): void {
    node.arrived += 1;
    this.#arrivals.set(node.region, (this.#arrivals.get(node.region) ?? 0) + 1);
  }

  /** The rush that was the worst since it was asked last. */
  takeRush(): number {
    const worst = this.worstRush;
    this.worstRush = 0;
    return worst;
  }

  /** The worst second of a time. */
  worstImbalance(fromMs: number, untilMs: number): number {
    const own = this.imbalances.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs);
    return Math.max(...own.map(({ value }) => value));
  }

  /** How long after a time the load was even, and stayed so. */
  evenAfterMs(fromMs: number, untilMs: number, bar: number): number {
    const last = this.imbalances.findLast(
      ({ atMs, value }) => atMs > fromMs && atMs <= untilMs && value > bar,
    );
    return last ? last.atMs - fromMs : 0;
  }

  /** Busiest over mean, of the region where that is worst now. */
  imbalanceNow(): number {
    return Math.max(...[...this.#byRegion().values()].map(imbalanceOf));
  }

  #second(): void {
    for (const [region, nodes] of this.#byRegion()) {
      const arrivals = this.#arrivals.get(region) ?? 0;
      const capacity = nodes.reduce((sum, { capacityBytesPerS }) => sum + capacityBytesPerS, 0);
      for (const node of nodes) {
        node.due += (arrivals * node.capacityBytesPerS) / capacity;
        if (node.due < MIN_DUE) continue;
        const rush = node.arrived / node.due;
        this.worstRush = Math.max(this.worstRush, rush);
        this.rushes += rush > 3 ? 1 : 0;
        node.due = 0;
        node.arrived = 0;
      }
    }
    this.#arrivals.clear();
    this.imbalances.push({ atMs: this.#cluster.agenda.now(), value: this.imbalanceNow() });
  }

  #byRegion(): Map<number, SimNode[]> {
    const rows = new Map<number, SimNode[]>();
    for (const node of this.#cluster.nodes) {
      if (!node.isAlive) continue;
      const row = rows.get(node.region);
      if (row) row.push(node);
      else rows.set(node.region, [node]);
    }
    return rows;
  }
}

/** By what they can do: all nodes together are the mean. */
function imbalanceOf(nodes: readonly SimNode[]): number {
  const sent = nodes.reduce((sum, { sentBytesPerS }) => sum + sentBytesPerS, 0);
  const capacity = nodes.reduce((sum, { capacityBytesPerS }) => sum + capacityBytesPerS, 0);
  return sent === 0 ? 1 : Math.max(...nodes.map(({ load }) => load)) / (sent / capacity);
}

export interface Borders {
  /** Regions that play a stream, without its origin's. */
  readonly regions: number;
  /** Those of them into which other than one copy comes over a priced border. */
  readonly faults: number;
  /** All copies over priced borders. */
  readonly copies: number;
  /** Some trees with faults: who pulls from whom, after how many links, for which price. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 5;

export function bordersOf(cluster: SimCluster): Borders {
  const { prices } = cluster.options.world;
  let [regions, faults, crossing] = [0, 0, 0];
  const examples: string[] = [];
  for (const { tree } of cluster.streams) {
    const home = tree.origin?.node.regionName;
    const rows = new Map<string, { plays: boolean; copies: number }>();
    for (const { node, players, parent } of tree.copies.values()) {
      if (node.regionName === home) continue;
      const row = rows.get(node.regionName) ?? { plays: false, copies: 0 };
      rows.set(node.regionName, row);
      if (players > 0) row.plays = true;
      if (parent && prices.of(parent.node.regionName, node.regionName) > 0) row.copies += 1;
    }
    for (const [region, { plays, copies }] of rows) {
      crossing += copies;
      if (!plays) continue;
      regions += 1;
      if (copies === 1) continue;
      faults += 1;
      if (examples.length < MAX_EXAMPLES) examples.push(`${region}: ${textOf(tree)}`);
    }
  }
  return { regions, faults, copies: crossing, examples };
}

/** A tree for people. */
export function textOf(tree: StreamTree): string {
  return [...tree.copies.values()]
    .map(({ node, parent, hops, pricePaid }) => {
      return `${node.name} < ${parent?.node.name ?? 'publisher'} (${hops}, ${pricePaid})`;
    })
    .join('; ');
}
