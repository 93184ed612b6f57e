// A node for somebody who asks: limits filter, weights score, and of two drawn from the near-best the better one is
// taken, so that many who ask at once do not all go to the same. Pure; the answer says why.
import type { ClusterView, ViewedNode } from './cluster-view.ts';
import { lotOfBoth } from './lots.ts';
import type { Place } from './node-view.ts';
import type { Prices } from './prices.ts';
import {
  type LimitReason,
  OTHER_ZONE,
  type Promised,
  type ScoreParts,
  scoreOf,
  scoreParts,
  type Way,
  type Weights,
  wayScore,
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
  /** The node that who asks was at a moment ago, or is at: it is taken if it may be chosen, or only if it is near-best. */
  readonly stay: { readonly at: string; readonly if: 'able' | 'near-best' } | undefined;
  /** Drawn from the session of who asks: the same two nodes are drawn then, whoever decides. Undefined: by chance. */
  readonly lot: number | undefined;
}

export interface Policy {
  readonly weights: Weights;
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
  /** `stay`: it was there before, or is; `near-best`: the better of two that were drawn. */
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

/** Places in the view. */
type Pair = readonly [number | undefined, number | undefined];

/** What all nodes of a region have in common for one who asks. */
interface RegionWay {
  readonly rttMs: number | undefined;
  readonly holds: boolean;
  /** As parts of the highest price: from the region to who asks, and from who has the stream to the region. */
  readonly deliveryShare: number;
  readonly pullShare: number;
  /** Of the score of a node there that has the stream, and what is to be added where it lacks it. */
  readonly score: number;
  readonly lacking: number;
}

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
  const ways = new Ways(view, ask, policy);
  const filtered = new FilteredNodes();
  // One number a node, as a cluster may have a thousand: what makes it up is worked out for those that are shown.
  const scores = new Float64Array(view.nodes.length).fill(Number.POSITIVE_INFINITY);
  let best = Number.POSITIVE_INFINITY;
  for (let at = 0; at < view.nodes.length; at += 1) {
    const node = view.nodes[at];
    if (!node || isLeftOut(node, ask)) continue;
    const { view: of, limit } = node;
    const promised = promisedTo(of.node);
    const reason = limit ?? (ask.hasDoor(of.node) ? undefined : 'door');
    if (reason) filtered.add(reason, of.node);
    else {
      const score = node.loadScore + promised.bytesPerS * node.scorePerByte + ways.score(node, at);
      scores[at] = score;
      if (score < best) best = score;
    }
  }
  const near = nearBest(scores, best + NEAR);
  const stay = view.placeOf(ask.stay?.at ?? '') ?? -1;
  const most = ask.stay?.if === 'near-best' ? best + NEAR : Number.MAX_VALUE;
  const stays = (scores[stay] ?? Number.POSITIVE_INFINITY) <= most && best < Number.POSITIVE_INFINITY;
  const chosen = stays ? stay : better(drawTwo(near, view, ask.lot, random), scores);
  const shown = bestOf(scores, MAX_CONSIDERED);
  if (chosen !== undefined && !shown.includes(chosen)) shown.push(chosen);
  return {
    node: view.nodes[chosen ?? -1]?.view.node,
    by: chosen === undefined ? 'none' : stays ? 'stay' : 'near-best',
    considered: shown.flatMap((at) => {
      const node = view.nodes[at];
      if (!node) return [];
      const promised = promisedTo(node.view.node);
      const parts = scoreParts(node.view, promised, ask.place, ways.of(node, at));
      const { node: id, region } = node.view;
      return [{ node: id, region, score: scoreOf(parts, policy.weights), parts, promised }];
    }),
    near: near.length,
    filtered: filtered.list(),
  };
}

function isLeftOut({ view: { node, region } }: ViewedNode, { except, region: only }: Ask): boolean {
  return (only !== undefined && region !== only) || (except.size > 0 && except.has(node));
}

/** The ways from nodes to who asks; what is the same for a region is found once. */
class Ways {
  readonly #view: ClusterView;
  readonly #ask: Ask;
  readonly #policy: Policy;
  readonly #knowsHolders: boolean;
  /** 1 where the node has the stream. */
  readonly #holds: Uint8Array;
  readonly #holderRegions = new Set<string>();
  readonly #regions = new Map<string, RegionWay>();

  constructor(view: ClusterView, ask: Ask, policy: Policy) {
    this.#view = view;
    this.#ask = ask;
    this.#policy = policy;
    this.#holds = new Uint8Array(view.nodes.length);
    for (const holder of ask.holders?.nodes ?? []) {
      const at = view.placeOf(holder);
      if (at === undefined) continue;
      this.#holds[at] = 1;
      this.#holderRegions.add(view.nodes[at]?.view.region ?? '');
    }
    this.#knowsHolders = this.#holderRegions.size > 0;
  }

  /** Of a node's score, what is not its own load. */
  score({ view: { region, zone } }: ViewedNode, at: number): number {
    const { place } = this.#ask;
    const way = this.#to(region);
    const isOtherZone = place.zone !== '' && zone !== place.zone && region === place.region;
    const lacking = this.#holds[at] === 1 ? 0 : way.lacking;
    return way.score + lacking + (isOtherZone ? OTHER_ZONE * this.#policy.weights.place : 0);
  }

  /** The same, for who wants to know what it is made of. */
  of({ view: { region } }: ViewedNode, at: number): Way {
    const { rttMs, deliveryShare, pullShare, holds } = this.#to(region);
    if (!this.#knowsHolders) return { rttMs, priceShare: deliveryShare, stream: 'unknown' };
    if (this.#holds[at] === 1) return { rttMs, priceShare: deliveryShare, stream: 'here' };
    return { rttMs, priceShare: deliveryShare + pullShare, stream: holds ? 'in-region' : 'elsewhere' };
  }

  #to(region: string): RegionWay {
    let way = this.#regions.get(region);
    if (!way) {
      way = this.#regionWay(region);
      this.#regions.set(region, way);
    }
    return way;
  }

  #regionWay(region: string): RegionWay {
    const { place } = this.#ask;
    const { prices, weights } = this.#policy;
    const isPlaced = place.region !== '';
    const deliveryShare = isPlaced ? prices.share(region, place.region) : 0;
    const rttMs = isPlaced ? this.#view.rttMs(region, place.region) : undefined;
    const holds = this.#holderRegions.has(region);
    let pullShare = holds || !this.#knowsHolders ? 0 : 1;
    for (const holder of this.#holderRegions) pullShare = Math.min(pullShare, prices.share(holder, region));
    const node = { region, zone: place.zone };
    const here: Way = { rttMs, priceShare: deliveryShare, stream: 'here' };
    const away: Way = {
      rttMs,
      priceShare: deliveryShare + pullShare,
      stream: holds ? 'in-region' : 'elsewhere',
    };
    const score = wayScore(node, place, here, weights);
    const lacking = this.#knowsHolders ? wayScore(node, place, away, weights) - score : 0;
    return { rttMs, holds, deliveryShare, pullShare, score, lacking };
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

/** Those whose score is at most `most`. */
function nearBest(scores: Float64Array, most: number): number[] {
  const near: number[] = [];
  if (most === Number.POSITIVE_INFINITY) return near;
  for (let at = 0; at < scores.length; at += 1) if ((scores[at] ?? 0) <= most) near.push(at);
  return near;
}

/** Two of the near-best; one, if there is no other. */
function drawTwo(
  near: readonly number[],
  view: ClusterView,
  lot: number | undefined,
  random: () => number,
): Pair {
  if (near.length <= 2) return [near[0], near[1]];
  if (lot !== undefined) return highestTwo(near, (at) => lotOfBoth(view.nodes[at]?.lot ?? 0, lot));
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

function better([a, b]: Pair, scores: Float64Array): number | undefined {
  if (a === undefined || b === undefined) return a;
  return (scores[b] ?? 0) < (scores[a] ?? 0) ? b : a;
}

/** The places of the lowest scores, lowest first. */
function bestOf(scores: Float64Array, count: number): number[] {
  const best: number[] = [];
  let worst = Number.POSITIVE_INFINITY;
  for (let at = 0; at < scores.length; at += 1) {
    const score = scores[at] ?? worst;
    if (score >= worst || score === Number.POSITIVE_INFINITY) continue;
    const place = best.findIndex((other) => score < (scores[other] ?? 0));
    best.splice(place < 0 ? best.length : place, 0, at);
    if (best.length > count) best.pop();
    if (best.length === count) worst = scores[best.at(-1) ?? 0] ?? worst;
  }
  return best;
}
