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
/** Of a round trip that nobody measured: within a region, and beyond. */
const USUAL_RTT_MS = { near: 2, far: 100 };
/** All heartbeats lost. */
const LOSS_MS = 2_000;
/** Beyond so busy a parent costs more, and full it costs as much as this. */
const BUSY_FROM = 0.7;
const BUSY_MS = 150;
/** The highest of all prices. */
const PRICE_MS = 1_000;
const DRAINING_MS = 5_000;
/** A move is worth it from so much on: a hop alone is no reason. */
export const MIN_GAIN_MS = 30;
const MIN_GAIN_SHARE = 0.25;

/** What it costs to pull from a node. */
export function parentCost(parent: Parent, { region, prices }: Puller): ParentCost {
  const isNear = parent.region === region;
  const parts = {
    rtt: parent.rttMs ?? (isNear ? USUAL_RTT_MS.near : USUAL_RTT_MS.far),
    hops: parent.hops * HOP_MS,
    loss: parent.lossShare * LOSS_MS,
    busy: (Math.max(0, parent.busy - BUSY_FROM) / (1 - BUSY_FROM)) * BUSY_MS,
    price: prices.share(parent.region, region) * PRICE_MS,
    draining: parent.isDraining ? DRAINING_MS : 0,
  };
  const { rtt, hops, loss, busy, price, draining } = parts;
  return { node: parent.node, total: rtt + hops + loss + busy + price + draining, parts };
}

/** Those that one may pull from, cheapest first; among equals by lot, so that pullers of one node spread. */
export function rankParents(parents: readonly Parent[], puller: Puller): ParentCost[] {
  return parents
    .filter(({ node, hops }) => node !== puller.node && hops < MAX_HOPS)
    .map((parent) => ({ cost: parentCost(parent, puller), lot: lotOf(`${puller.node} ${parent.node}`) }))
    .sort((a, b) => a.cost.total - b.cost.total || a.lot - b.lot)
    .map(({ cost }) => cost);
}

/** Is a move from one parent to another worth it? */
export function isWorthIt(from: ParentCost, to: ParentCost): boolean {
  const gain = from.total - to.total;
  return gain >= MIN_GAIN_MS && gain >= from.total * MIN_GAIN_SHARE;
}

/**
 * May a replica move below another? Two that each would gain by the other: the one that pays more for the stream moves,
 * and among equals lots decide, so that one of them stays where the stream comes from. Below an origin anybody may.
 */
export function mayMoveBelow(
  mover: { readonly node: string; readonly pricePaid: number },
  parent: Pick<Parent, 'node' | 'hops' | 'pricePaid'>,
): boolean {
  if (parent.hops === 0 || parent.pricePaid < mover.pricePaid) return true;
  if (parent.pricePaid > mover.pricePaid) return false;
  const [a, b] = [lotOf(parent.node), lotOf(mover.node)];
  return a < b || (a === b && parent.node < mover.node);
}
