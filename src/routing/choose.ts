// A node for somebody who asks: limits filter, weights score, and the best is taken of a few that are drawn, so that many
// who ask at once, of nodes that don't know of each other, do not all go to the same. Pure; the answer says why.
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
  /** `stay`: it was there before, or is; `near-best`: the best of those that were drawn. */
  readonly by: 'stay' | 'near-best' | 'none';
  /** The best, in order, at most MAX_CONSIDERED, and the one that was chosen. */
  readonly considered: readonly Considered[];
  /** How many are about as near to who asks as the nearest. */
  readonly near: number;
  readonly filtered: readonly Filtered[];
}

export const MAX_CONSIDERED = 6;
export const MAX_NAMED = 16;
/** Scores this close are the same for who is drawn. */
const NEAR = 0.1;
/**
 * A node that was sent so many times its share of late, and so much of a player more, is not drawn for having the stream;
 * unless so few are near that none can be stormed.
 */
const RUSH = { share: 1.5, players: 0.5, nodes: 3 };

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
  /** Of its nodes that may be chosen: how many, what they may send, and the players that they were promised. */
  count: number;
  size: number;
  players: number;
  /** What their load scores, by size. */
  load: number;
}

/** The nodes about as near to who asks as the nearest. */
interface Near extends Pick<RegionWay, 'count' | 'size' | 'players' | 'load'> {
  /** Of what their regions score at most. */
  readonly most: number;
}

/** What is known of the nodes that may be chosen, by place; Infinity: that one may not. */
interface Drawing {
  readonly rows: readonly (RegionWay | undefined)[];
  readonly near: Near;
  readonly scores: Float64Array;
  readonly wayScores: Float64Array;
  readonly players: Float64Array;
  readonly lot: number;
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
  // A few numbers a node, as a cluster may have a thousand: what makes them up is worked out for those that are shown.
  const scores = new Float64Array(view.nodes.length).fill(Number.POSITIVE_INFINITY);
  const wayScores = new Float64Array(view.nodes.length).fill(Number.POSITIVE_INFINITY);
  const players = new Float64Array(view.nodes.length);
  const rows: RegionWay[] = [];
  const isOpenToAll = ask.region === undefined && ask.except.size === 0;
  let best = Number.POSITIVE_INFINITY;
  for (let at = 0; at < view.nodes.length; at += 1) {
    const node = view.nodes[at];
    if (!node || (!isOpenToAll && isLeftOut(node, ask))) continue;
    const { view: of, limit } = node;
    const promised = promisedTo(of.node);
    const reason = limit ?? (ask.hasDoor(of.node) ? undefined : 'door');
    if (reason) filtered.add(reason, of.node);
    else {
      const row = ways.row(of.region);
      const way = ways.score(of, at, row);
      const score = node.loadScore + promised.bytesPerS * node.scorePerByte + way;
      scores[at] = score;
      wayScores[at] = way;
      players[at] = promised.players;
      rows[at] = row;
      row.count += 1;
      row.size += node.size;
      row.players += promised.players;
      row.load += (score - way) * node.size;
      if (score < best) best = score;
    }
  }
  const stay = view.placeOf(ask.stay?.at ?? '') ?? -1;
  const most = ask.stay?.if === 'near-best' ? best + NEAR : Number.MAX_VALUE;
  const stays = (scores[stay] ?? Number.POSITIVE_INFINITY) <= most && best < Number.POSITIVE_INFINITY;
  const near = ways.near();
  const lot = ask.lot ?? Math.floor(random() * 2 ** 32);
  const chosen = stays ? stay : drawn(view, { rows, near, scores, wayScores, players, lot });
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
    near: near.count,
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
  score({ region, zone }: Place, at: number, way: RegionWay): number {
    const { place } = this.#ask;
    const isOtherZone = place.zone !== '' && zone !== place.zone && region === place.region;
    const lacking = this.#holds[at] === 1 ? 0 : way.lacking;
    return way.score + lacking + (isOtherZone ? OTHER_ZONE * this.#policy.weights.place : 0);
  }

  near(): Near {
    const regions = [...this.#regions.values()].filter(({ count }) => count > 0);
    const most = Math.min(...regions.map(({ score }) => score)) + NEAR;
    const near = { count: 0, size: 0, players: 0, load: 0, most };
    for (const { score, count, size, players, load } of regions) {
      if (score > most) continue;
      near.count += count;
      near.size += size;
      near.players += players;
      near.load += load;
    }
    return near;
  }

  /** The same, for who wants to know what it is made of. */
  of({ view: { region } }: ViewedNode, at: number): Way {
    const { rttMs, deliveryShare, pullShare, holds } = this.row(region);
    if (!this.#knowsHolders) return { rttMs, priceShare: deliveryShare, stream: 'unknown' };
    if (this.#holds[at] === 1) return { rttMs, priceShare: deliveryShare, stream: 'here' };
    return { rttMs, priceShare: deliveryShare + pullShare, stream: holds ? 'in-region' : 'elsewhere' };
  }

  /** What all nodes of a region have in common. */
  row(region: string): RegionWay {
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
    return { rttMs, holds, deliveryShare, pullShare, score, lacking, count: 0, size: 0, players: 0, load: 0 };
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

/**
 * The best of a few: two of those whose way is the best (they have the stream), two that are near, and two of all. Load
 * has no say in who is drawn: a node that is idle, as it is new, takes twice its share and no more.
 */
function drawn(
  view: ClusterView,
  { rows, near, scores, wayScores, players, lot }: Drawing,
): number | undefined {
  const leastWay = wayScores.reduce((least, way) => Math.min(least, way), Number.POSITIVE_INFINITY);
  const [placed, idle, nearby, anywhere] = [new Draw(), new Draw(), new Draw(), new Draw()];
  for (let at = 0; at < scores.length; at += 1) {
    const node = view.nodes[at];
    const [score = Number.POSITIVE_INFINITY, way = 0] = [scores[at], wayScores[at]];
    if (!node || score === Number.POSITIVE_INFINITY) continue;
    const key = -Math.log((lotOfBoth(node.lot, lot) + 0.5) / 2 ** 32) / node.size;
    anywhere.add(at, key);
    if ((rows[at]?.score ?? 0) <= near.most) nearby.add(at, key);
    const most = RUSH.players + (RUSH.share * near.players * node.size) / near.size;
    const isRushed = near.count > RUSH.nodes && (players[at] ?? 0) > most;
    if (way > leastWay + NEAR || isRushed) continue;
    // One that is idle is drawn often enough among those that are near.
    if (score - way < near.load / near.size - NEAR) idle.add(at, key);
    else placed.add(at, key);
  }
  const holding = placed.two().length > 0 ? placed.two() : idle.two();
  let best: number | undefined;
  for (const at of [...holding, ...nearby.two(), ...anywhere.two()]) {
    if (best === undefined || (scores[at] ?? 0) < (scores[best] ?? 0)) best = at;
  }
  return best;
}

/** Two of many, drawn by keys that are lower by chance, and by size. */
class Draw {
  #first = -1;
  #second = -1;
  #firstKey = Number.POSITIVE_INFINITY;
  #secondKey = Number.POSITIVE_INFINITY;

  add(at: number, key: number): void {
    if (key < this.#firstKey) {
      this.#second = this.#first;
      this.#secondKey = this.#firstKey;
      this.#first = at;
      this.#firstKey = key;
    } else if (key < this.#secondKey) {
      this.#second = at;
      this.#secondKey = key;
    }
  }

  two(): number[] {
    return [this.#first, this.#second].filter((at) => at >= 0);
  }
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
