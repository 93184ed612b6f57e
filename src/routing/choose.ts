// A node for somebody who asks: limits filter, weights score, and of two drawn from the near-best the better one is
// taken, so that many who ask at once do not all go to the same. Pure; the answer says why.
import type { ClusterView, ViewedNode } from './cluster-view.ts';
import { lotOfBoth } from './lots.ts';
import type { Place } from './node-view.ts';
import type { Prices } from './prices.ts';
import {
  type LimitReason,
  type Limits,
  limitWith,
  type Promised,
  type ScoreParts,
  scoreOf,
  scoreParts,
  type Way,
  type Weights,
} from './score.ts';

/** Who has a stream, as far as this node knows. */
export interface Holders {
  /** The node of its publisher. */
  readonly origin: string | undefined;
  /** All that have it, the origin included. */
  readonly nodes: ReadonlySet<string>;
}

/** What is asked for. */
export interface Ask {
  /** Of who asks. */
  readonly place: Place;
  /** Undefined: not known, or of no meaning. */
  readonly holders: Holders | undefined;
  /** Nodes whose door for it is open. */
  readonly hasDoor: (node: string) => boolean;
  /** Not these. */
  readonly except: ReadonlySet<string>;
  /** Only nodes of this region; undefined: of any. */
  readonly region: string | undefined;
  /** The node that who asks was at a moment ago: it is taken again if it may be chosen. */
  readonly stay: string | undefined;
  /** Drawn from the session of who asks: the same two nodes are drawn then, whoever decides. Undefined: by chance. */
  readonly lot: number | undefined;
}

export interface Policy {
  readonly weights: Weights;
  readonly limits: Limits;
  readonly prices: Prices;
}

/** A node that could have been chosen. */
export interface Considered {
  readonly node: string;
  readonly region: string;
  /** Lower is better. */
  readonly score: number;
  readonly parts: ScoreParts;
  readonly promised: Promised;
}

/** Nodes that could not be, by reason. */
export interface Filtered {
  readonly reason: LimitReason;
  readonly count: number;
  /** The first of them, at most MAX_NAMED. */
  readonly nodes: readonly string[];
}

export interface Choice {
  /** Undefined: no node is left. */
  readonly node: string | undefined;
  /** `stay`: it was there before; `near-best`: the better of two that were drawn. */
  readonly by: 'stay' | 'near-best' | 'none';
  /** The best, in order, at most MAX_CONSIDERED, and the one that was chosen. */
  readonly considered: readonly Considered[];
  /** How many were as good as the best, but for a margin. */
  readonly near: number;
  readonly filtered: readonly Filtered[];
}

export const MAX_CONSIDERED = 6;
export const MAX_NAMED = 16;
/** Scores this close are the same for who is drawn. */
const NEAR = 0.1;

/** Places in a list. */
type Pair = readonly [number | undefined, number | undefined];

/** What all nodes of a region have in common for one who asks. */
type RegionWay = Pick<Way, 'rttMs' | 'priceShare'> & {
  readonly deliveryShare: number;
  readonly has: boolean;
};

/**
 * Chooses.
 * @param promisedTo what was promised to a node of late
 * @param random 0 to 1
 */
export function choose(
  view: ClusterView,
  ask: Ask,
  policy: Policy,
  promisedTo: (node: string) => Promised,
  random: () => number,
): Choice {
  const ways = new Ways(view, ask, policy.prices);
  const able: ViewedNode[] = [];
  const scores: number[] = [];
  const filtered = new FilteredNodes();
  let best = Number.POSITIVE_INFINITY;
  for (const node of view.nodes) {
    const { view: of } = node;
    if (ask.except.has(of.node) || (ask.region !== undefined && of.region !== ask.region)) continue;
    const promised = promisedTo(of.node);
    const limit =
      node.limit ?? (ask.hasDoor(of.node) ? limitWith(of.load, promised, policy.limits) : ('door' as const));
    if (limit) {
      filtered.add(limit, of.node);
      continue;
    }
    const score = scoreOf(scoreParts(of, promised, ask.place, ways.to(node)), policy.weights);
    if (score < best) best = score;
    able.push(node);
    scores.push(score);
  }
  const stay = able.findIndex(({ view: { node } }) => node === ask.stay);
  const near = able.flatMap((_, at) => ((scores[at] ?? 0) <= best + NEAR ? [at] : []));
  const chosen = stay >= 0 ? stay : better(drawTwo(near, able, ask.lot, random), scores);
  const shown = bestOf(scores, MAX_CONSIDERED);
  if (chosen !== undefined && !shown.includes(chosen)) shown.push(chosen);
  return {
    node: chosen === undefined ? undefined : able[chosen]?.view.node,
    by: chosen === undefined ? 'none' : stay >= 0 ? 'stay' : 'near-best',
    considered: shown.flatMap((at) => {
      const node = able[at];
      if (!node) return [];
      const promised = promisedTo(node.view.node);
      const parts = scoreParts(node.view, promised, ask.place, ways.to(node));
      return [
        {
          node: node.view.node,
          region: node.view.region,
          score: scoreOf(parts, policy.weights),
          parts,
          promised,
        },
      ];
    }),
    near: near.length,
    filtered: filtered.list(),
  };
}

/** The ways from nodes to who asks; what is the same for a region is found once. */
class Ways {
  readonly #view: ClusterView;
  readonly #ask: Ask;
  readonly #prices: Prices;
  readonly #holderRegions: ReadonlySet<string>;
  readonly #regions = new Map<string, RegionWay>();

  constructor(view: ClusterView, ask: Ask, prices: Prices) {
    this.#view = view;
    this.#ask = ask;
    this.#prices = prices;
    const holders = [...(ask.holders?.nodes ?? [])];
    this.#holderRegions = new Set(holders.flatMap((node) => view.get(node)?.view.region ?? []));
  }

  to({ view: { node, region } }: ViewedNode): Way {
    let way = this.#regions.get(region);
    if (!way) {
      way = this.#regionWay(region);
      this.#regions.set(region, way);
    }
    const { holders } = this.#ask;
    const { rttMs, deliveryShare, has } = way;
    if (!holders || holders.nodes.size === 0) {
      return { rttMs, priceShare: deliveryShare, stream: 'unknown' };
    }
    if (holders.nodes.has(node)) return { rttMs, priceShare: deliveryShare, stream: 'here' };
    return { rttMs, priceShare: way.priceShare, stream: has ? 'in-region' : 'elsewhere' };
  }

  #regionWay(region: string): RegionWay {
    const { place } = this.#ask;
    const isPlaced = place.region !== '';
    const deliveryShare = isPlaced ? this.#prices.share(region, place.region) : 0;
    const has = this.#holderRegions.has(region);
    let pullShare = has || this.#holderRegions.size === 0 ? 0 : 1;
    for (const holder of this.#holderRegions) {
      pullShare = Math.min(pullShare, this.#prices.share(holder, region));
    }
    return {
      rttMs: isPlaced ? this.#view.rttMs(region, place.region) : undefined,
      priceShare: deliveryShare + pullShare,
      deliveryShare,
      has,
    };
  }
}

class FilteredNodes {
  readonly #byReason = new Map<LimitReason, { count: number; readonly nodes: string[] }>();

  add(reason: LimitReason, node: string): void {
    let row = this.#byReason.get(reason);
    if (!row) {
      row = { count: 0, nodes: [] };
      this.#byReason.set(reason, row);
    }
    row.count += 1;
    if (row.nodes.length < MAX_NAMED) row.nodes.push(node);
  }

  list(): Filtered[] {
    return [...this.#byReason].map(([reason, { count, nodes }]) => ({ reason, count, nodes }));
  }
}

/** Two of the near-best; one, if there is no other. */
function drawTwo(
  near: readonly number[],
  able: readonly ViewedNode[],
  lot: number | undefined,
  random: () => number,
): Pair {
  if (near.length <= 2) return [near[0], near[1]];
  if (lot !== undefined) return highestTwo(near, (at) => lotOfBoth(able[at]?.lot ?? 0, lot));
  const first = Math.floor(random() * near.length);
  const other = Math.floor(random() * (near.length - 1));
  return [near[first], near[other < first ? other : other + 1]];
}

function highestTwo(near: readonly number[], of: (at: number) => number): Pair {
  let [first, firstLot]: [number | undefined, number] = [undefined, -1];
  let [second, secondLot]: [number | undefined, number] = [undefined, -1];
  for (const at of near) {
    const drawn = of(at);
    if (drawn > firstLot) {
      [second, secondLot] = [first, firstLot];
      [first, firstLot] = [at, drawn];
    } else if (drawn > secondLot) [second, secondLot] = [at, drawn];
  }
  return [first, second];
}

function better([a, b]: Pair, scores: readonly number[]): number | undefined {
  if (a === undefined || b === undefined) return a;
  return (scores[b] ?? 0) < (scores[a] ?? 0) ? b : a;
}

/** The places of the lowest scores, lowest first. */
function bestOf(scores: readonly number[], count: number): number[] {
  const best: number[] = [];
  for (const [at, score] of scores.entries()) {
    const last = best.at(-1);
    if (best.length === count && last !== undefined && score >= (scores[last] ?? 0)) continue;
    const place = best.findIndex((other) => score < (scores[other] ?? 0));
    best.splice(place < 0 ? best.length : place, 0, at);
    if (best.length > count) best.pop();
  }
  return best;
}
