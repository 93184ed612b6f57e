// When a replica that is fed leaves its parent for a better one: it has been worth it for some time, not so long after the
// last move, and not to and fro. Pure: time and chance come in by hand.
import { lotOf } from './lots.ts';
import {
  isWorthIt,
  leadBelow,
  MAX_HOPS,
  MIN_GAIN_MS,
  mayMoveBelow,
  type Parent,
  type ParentCost,
  type Payer,
  type Puller,
  parentCost,
  rankParents,
  savingBelow,
  sparing,
} from './upstream-cost.ts';

/** Who looks for a better parent. */
export interface Reviewer extends Puller {
  /** What it pays for the stream now, per gigabyte. */
  readonly pricePaid: number;
  /** Links between it and the furthest node that it feeds. */
  readonly height: number;
  /** Its own, and those of the nodes that it feeds, over others or not. */
  readonly regions: ReadonlySet<string>;
}

/** Another parent that could be had. */
export interface Option {
  readonly parent: Parent;
  /** It is on the reviewer's own way to the origin. */
  readonly isAbove: boolean;
  /**
   * The first node of its way to the origin that pays for the stream, itself included; undefined: nobody does, or it is on
   * the reviewer's own way.
   */
  readonly payer: Payer | undefined;
  /** Those on the reviewer's own way that are not on its, the parent first: they could be fed by the reviewer instead. */
  readonly freed: readonly Payer[];
}

/** `wait`: it would be worth a move to the first of these, and is to stay so for a while. */
export type ReviewVerdict =
  | { readonly is: 'stay' }
  | { readonly is: 'wait' | 'move'; readonly to: readonly ParentCost[] };

/**
 * For how long another has to be better, ms, and how much longer by chance, so that a herd does not move in one moment.
 * `later`: of two that might each move below the other, the one that waits whether the other does. `load`: only the
 * parent's load speaks for a move, and when some of its children have left, the others need not.
 */
const DWELL = {
  soon: { ms: 1_500, more: 1 },
  later: { ms: 4_500, more: 1 / 3 },
  load: { ms: 10_000, more: 2 },
};
/** After a move there is none for so long. */
const REST_MS = 30_000;
/** A parent that was left is not gone back to for so long; each time that it was, twice as long as the time before. */
const AWAY_MS = 60_000;
const MAX_AWAY_MS = 480_000;
/** Parents that were left, and are remembered. */
const MAX_LEFT = 8;
/** One that refused is not asked for so long, up to twice. */
const REFUSED_MS = 10_000;
const MAX_REFUSED = 64;
/** What costs differ by when they are about the same. */
const SAME_MS = 10;

/** A parent that is worth a move. */
interface Better {
  readonly cost: ParentCost;
  /** It might as well come to be fed by the reviewer, and goes first. */
  readonly isRival: boolean;
}

/** Those that are worth a move from the parent that feeds it, best first. None of them may be fed by the reviewer. */
function betterParents(me: Reviewer, current: Parent, options: readonly Option[]): Better[] {
  const hasSiblings = hasSiblingsIn(options, me);
  const from = parentCost(current, me, hasSiblings);
  if (from.total < MIN_GAIN_MS) return [];
  // Where it stands now, nobody could come below it.
  const isLast = current.hops + 1 === MAX_HOPS;
  const able = options.filter(({ parent, isAbove, payer }) => {
    if (parent.hops + 1 + me.height > MAX_HOPS) return false;
    return isAbove || isLast || [parent, payer].every((one) => !one || leadBelow(me, one, me.prices) >= 0);
  });
  const byNode = new Map(able.map((option) => [option.parent.node, option]));
  const spares = new Map(able.map((option) => [option.parent.node, sparedAbove(me, option)]));
  const parents = able.map(({ parent }) => parent);
  const worth = rankParents(parents, me, hasSiblings)
    .map((to) => sparing(to, spares.get(to.node) ?? 0, me))
    .sort((a, b) => a.total - b.total)
    .filter((to) => isWorthIt(from, to));
  const sameMs = (worth[0]?.total ?? 0) + SAME_MS;
  const rows = worth.flatMap((cost) => {
    const option = byNode.get(cost.node);
    return option
      ? [{ cost, isNear: cost.total <= sameMs, isRival: isRival(me, option), lot: lotIn(me, option) }]
      : [];
  });
  // Of those that might as well move below each other, all others go to the one that does not.
  const near = rows.filter(({ isNear }) => isNear);
  near.sort((a, b) => Number(a.isRival) - Number(b.isRival) || a.lot - b.lot);
  return [...near, ...rows.slice(near.length)];
}

/**
 * What those who feed the reviewer now would pay less, per gigabyte, if it went elsewhere and they came below it: a detour
 * of one may spare others a dearer way. Or if its parent went to the same node, and can't as the reviewer would come to
 * stand too deep. They follow by this same rule, one after the other.
 */
function sparedAbove(me: Reviewer, { parent, freed }: Option): number {
  const from = new Set(me.regions);
  let [most, all, hops] = [0, 0, parent.hops + 1];
  const [above] = freed;
  if (above && parent.hops + 2 + me.height > MAX_HOPS && mayMoveBelow(above, parent, me.prices)) {
    most = Math.max(0, savingBelow(above, parent, me.prices));
  }
  for (const one of freed) {
    hops += 1;
    if (hops > MAX_HOPS) break;
    all += mostBelow(one, from, me.prices);
    most = Math.max(most, all, mostBelow(one, me.regions, me.prices));
    from.add(one.region);
  }
  return most;
}

function mostBelow(one: Payer, regions: ReadonlySet<string>, prices: Puller['prices']): number {
  return Math.max(...[...regions].map((region) => savingBelow(one, { region }, prices)));
}

function hasSiblingsIn(options: readonly Option[], { region }: Reviewer): boolean {
  return options.some(({ parent }) => parent.region === region);
}

/** Who feeds the reviewer over others already can't come to be fed by it. */
function isRival(me: Reviewer, { parent, isAbove, payer }: Option): boolean {
  if (isAbove) return false;
  return [parent, payer].some((one) => one !== undefined && !mayMoveBelow(me, one, me.prices));
}

function lotIn({ pricePaid }: Reviewer, { parent }: Option): number {
  return parent.hops > 0 && parent.pricePaid === pricePaid ? lotOf(parent.node) : -1;
}

/** One replica's. */
export class UpstreamReview {
  readonly #random: () => number;
  /** Since when, and for how long yet, a better one has to be better. */
  #dwell: { readonly sinceMs: number; readonly forMs: number; readonly is: keyof typeof DWELL } | undefined;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  readonly #left = new Map<string, { readonly untilMs: number; readonly forMs: number }>();
  readonly #refused = new Map<string, number>();

  /** @param random 0 to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** To be asked each second or so. */
  look(nowMs: number, me: Reviewer, current: Parent, options: readonly Option[]): ReviewVerdict {
    const from = parentCost(current, me, hasSiblingsIn(options, me));
    const isAtRest = nowMs < this.#restUntilMs && !current.isDraining;
    const better = isAtRest ? [] : this.#better(nowMs, me, current, options);
    const [best] = better;
    if (best === undefined) {
      this.#dwell = undefined;
      return { is: 'stay' };
    }
    const isForLoad = !isWorthIt(withoutLoad(from), withoutLoad(best.cost));
    const is = isForLoad ? 'load' : best.isRival ? 'later' : 'soon';
    if (this.#dwell?.is !== is) {
      const { ms, more } = DWELL[is];
      this.#dwell = { is, sinceMs: this.#dwell?.sinceMs ?? nowMs, forMs: ms * (1 + more * this.#random()) };
    }
    const isTime = nowMs - this.#dwell.sinceMs >= this.#dwell.forMs;
    return { is: isTime ? 'move' : 'wait', to: better.map(({ cost }) => cost) };
  }

  /** Those that are worth a move at once, if it is to be, best first: without any that was left or refused of late. */
  worth(nowMs: number, me: Reviewer, current: Parent, options: readonly Option[]): ParentCost[] {
    return this.#better(nowMs, me, current, options).map(({ cost }) => cost);
  }

  /** It has another parent: a better one, or the one before failed it or sent it away. */
  moved(from: string, why: 'better' | 'failed' | 'sent', nowMs: number): void {
    this.#dwell = undefined;
    if (why === 'better') this.#restUntilMs = nowMs + REST_MS;
    if (why !== 'sent') this.#leave(from, nowMs);
  }

  /** It would not have it, or could not be reached. */
  refused(by: string, nowMs: number): void {
    for (const [node, untilMs] of this.#refused) if (untilMs <= nowMs) this.#refused.delete(node);
    if (this.#refused.size < MAX_REFUSED) {
      this.#refused.set(by, nowMs + REFUSED_MS * (1 + this.#random()));
    }
  }

  #better(nowMs: number, me: Reviewer, current: Parent, options: readonly Option[]): Better[] {
    const able = options.filter((one) => this.#mayAsk(one, nowMs));
    return betterParents(me, current, able);
  }

  #leave(from: string, nowMs: number): void {
    const before = this.#left.get(from);
    const isRemembered = before !== undefined && nowMs < before.untilMs + MAX_AWAY_MS;
    const forMs = isRemembered ? Math.min(MAX_AWAY_MS, before.forMs * 2) : AWAY_MS;
    this.#left.delete(from);
    this.#left.set(from, { untilMs: nowMs + forMs, forMs });
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= MAX_LEFT) break;
      this.#left.delete(oldest);
    }
  }

  #mayAsk({ parent: { node } }: Option, nowMs: number): boolean {
    return nowMs >= (this.#refused.get(node) ?? 0) && nowMs >= (this.#left.get(node)?.untilMs ?? 0);
  }
}

function withoutLoad(cost: ParentCost): ParentCost {
  return { ...cost, total: cost.total - cost.parts.busy };
}
