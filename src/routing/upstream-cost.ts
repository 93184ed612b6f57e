// What it costs a replica to pull a stream from a node that has it, and when another one is worth a move. Pure. Costs are
// in ms: a round trip is what it is, and everything else what one would wait for to be spared it.
import { lotOf } from './lots.ts';
import type { Prices } from './prices.ts';

/** A node that has the stream, as one sees it who might pull from it. */
export interface Parent {
  readonly node: string;
  readonly region: string;
  /** Links between it and the origin; 0: it is the origin. */
  readonly hops: number;
  /** What it pays itself for the stream, per gigabyte; 0 for the origin, and within a region. */
  readonly pricePaid: number;
  /** Round trip to it, measured or guessed; undefined: nobody knows. */
  readonly rttMs: number | undefined;
  /** Part of its heartbeats that did not come, 0 to 1. */
  readonly lossShare: number;
  /** How busy it is, 0 to 1 (score.ts). */
  readonly busy: number;
  readonly isDraining: boolean;
}

export interface ParentCost {
  readonly node: string;
  /** The sum of the parts, ms. */
  readonly total: number;
  readonly parts: {
    readonly rtt: number;
    readonly hops: number;
    readonly loss: number;
    readonly busy: number;
    readonly price: number;
    readonly draining: number;
  };
}

/** Who pulls. */
export interface Puller {
  readonly node: string;
  readonly region: string;
  readonly prices: Prices;
}

/** Links between an origin and its furthest replica (design §6). */
export const MAX_HOPS = 4;
const HOP_MS = 20;
/** The same over a priced border: below it, a region has replicas of its own to feed. */
const BORDER_HOP_MS = 60;
/** What it costs others of a region, who have to pay, too, if its first replica has no hop left to feed them. */
const LAST_BORDER_MS = 300;
/** Of a round trip that nobody measured: within a region, and beyond. */
const USUAL_RTT_MS = { near: 2, far: 100 };
/** All heartbeats lost. */
const LOSS_MS = 2_000;
/** Beyond so busy a parent costs more, and full it costs as much as this. */
const BUSY_FROM = 0.7;
const BUSY_MS = 150;
/** The highest of all prices. */
const PRICE_MS = 3_000;
const DRAINING_MS = 5_000;
/** A move is worth it from so much on: a hop alone is no reason. */
export const MIN_GAIN_MS = 30;
const MIN_GAIN_SHARE = 0.25;

/**
 * What it costs to pull from a node.
 * @param hasSiblings others in the puller's region have the stream
 */
export function parentCost(parent: Parent, { region, prices }: Puller, hasSiblings = false): ParentCost {
  const share = prices.share(parent.region, region);
  const isLast = hasSiblings && share > 0 && parent.hops + 1 === MAX_HOPS;
  const isNear = parent.region === region;
  const parts = {
    rtt: parent.rttMs ?? (isNear ? USUAL_RTT_MS.near : USUAL_RTT_MS.far),
    hops: parent.hops * (share > 0 ? BORDER_HOP_MS : HOP_MS),
    loss: parent.lossShare * LOSS_MS,
    busy: (Math.max(0, parent.busy - BUSY_FROM) / (1 - BUSY_FROM)) * BUSY_MS,
    price: share * PRICE_MS + (isLast ? LAST_BORDER_MS : 0),
    draining: parent.isDraining ? DRAINING_MS : 0,
  };
  const { rtt, hops, loss, busy, price, draining } = parts;
  return { node: parent.node, total: rtt + hops + loss + busy + price + draining, parts };
}

/** Those that one may pull from, cheapest first; among equals by lot, so that pullers of one node spread. */
export function rankParents(
  parents: readonly Parent[],
  puller: Puller,
  hasSiblings = parents.some(({ region }) => region === puller.region),
): ParentCost[] {
  return parents
    .filter(({ node, hops }) => node !== puller.node && hops < MAX_HOPS)
    .map((parent) => ({
      cost: parentCost(parent, puller, hasSiblings),
      lot: lotOf(`${puller.node} ${parent.node}`),
    }))
    .sort((a, b) => a.cost.total - b.cost.total || a.lot - b.lot)
    .map(({ cost }) => cost);
}

/** What it costs, for somebody else's being spared so much of the price per gigabyte. */
export function sparing(cost: ParentCost, price: number, { prices }: Pick<Puller, 'prices'>): ParentCost {
  const ms = prices.highest === 0 ? 0 : (price / prices.highest) * PRICE_MS;
  return { ...cost, total: cost.total - ms, parts: { ...cost.parts, price: cost.parts.price - ms } };
}

/** Is a move from one parent to another worth it? */
export function isWorthIt(from: ParentCost, to: ParentCost): boolean {
  const gain = from.total - to.total;
  // Prices don't waver: who pays less has no reason to wait for more.
  return gain >= MIN_GAIN_MS && (isForPrice(from, to) || gain >= from.total * MIN_GAIN_SHARE);
}

/** Is it the price that speaks for a move? Then it is worth a child more than a parent likes to have. */
export function isForPrice(from: ParentCost, to: ParentCost): boolean {
  return from.parts.price - to.parts.price >= MIN_GAIN_MS;
}

/** What a replica pays, and where. */
export type Payer = Pick<Parent, 'node' | 'region' | 'hops' | 'pricePaid'>;

/** What a replica would pay less, per gigabyte, if it pulled from a node of that region; below 0: more. */
export function savingBelow(
  { pricePaid, region }: Pick<Payer, 'region' | 'pricePaid'>,
  parent: Pick<Payer, 'region'>,
  prices: Prices,
): number {
  return pricePaid - prices.of(parent.region, region);
}

/**
 * May a replica move below another? Two that each would gain by the other: the one that would be spared more moves, and
 * among equals lots decide, so that one of them stays where the stream comes from. Below an origin anybody may.
 */
export function mayMoveBelow(mover: Omit<Payer, 'hops'>, parent: Payer, prices: Prices): boolean {
  const lead = leadBelow(mover, parent, prices);
  if (lead !== 0) return lead > 0;
  const [a, b] = [lotOf(parent.node), lotOf(mover.node)];
  return a < b || (a === b && parent.node < mover.node);
}

/** By how much more a replica would be spared below another one than that one below it. */
export function leadBelow(mover: Omit<Payer, 'hops'>, parent: Payer, prices: Prices): number {
  if (parent.hops === 0) return Number.POSITIVE_INFINITY;
  return savingBelow(mover, parent, prices) - savingBelow(parent, mover, prices);
}
