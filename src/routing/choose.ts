// A node for somebody who asks: limits filter, weights score, and the best is taken of a few that are drawn, so that many
// who ask at once, of nodes that don't know of each other, do not all go to the same. Pure; the answer says why.
import type { ClusterView, ViewedNode } from './cluster-view.ts';
import { Draw } from './draw.ts';
import type { Door, Place } from './node-view.ts';
import { type Promises, promisedAt } from './reservations.ts';
import { type LimitReason, type Promised, type ScoreParts, scoreOf, scoreParts } from './score.ts';
import { type Holders, type Policy, Ways } from './ways.ts';

/** What is asked for. */
export interface Ask {
  /** Of who asks. */
  readonly place: Place;
  /** Undefined: not known, or of no meaning. */
  readonly holders: Holders | undefined;
  /** What it comes by; undefined: nothing that could be shut. */
  readonly door: Door | undefined;
  /** Not these. */
  readonly except: ReadonlySet<string>;
  /** Only nodes of this region; undefined: of any. */
  readonly region: string | undefined;
  /** The node that who asks was at a moment ago, or is at: it is taken if it may be chosen, or only if it is near-best. */
  readonly stay: { readonly at: string; readonly if: 'able' | 'near-best' } | undefined;
  /** Drawn from the session of who asks: the same two nodes are drawn then, whoever decides. Undefined: by chance. */
  readonly lot: number | undefined;
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
  /** `stay`: it was there before, or is; `drawn`: the best of those that were drawn. */
  readonly by: 'stay' | 'drawn' | 'none';
  /** The best, in order, at most MAX_CONSIDERED, and the one that was chosen. */
  readonly considered: readonly Considered[];
  /** Of those that may be chosen, how many are about as near to who asks as the nearest; 0 for `stay`. */
  readonly near: number;
  readonly filtered: readonly Filtered[];
}

export const MAX_CONSIDERED = 6;
export const MAX_NAMED = 16;
/** A node whose score is so close to the best is as good for who is there already. */
const NEAR = 0.1;

/**
 * Chooses.
 * @param promises what was promised to nodes of late
 * @param random 0 to 1
 */
export function choose(
  view: ClusterView,
  ask: Ask,
  policy: Policy,
  promises: Promises,
  random: () => number,
): Choice {
  const { nodes, rows } = view;
  const isOpen = ask.door && rows.open[ask.door];
  const isForAll = ask.region === undefined && ask.except.size === 0;
  const ways = new Ways(view, ask, policy);
  const draw = new Draw(view);
  const filtered = new FilteredNodes();
  // One number a node, as a cluster may have a thousand: what makes it up is worked out for those that are shown.
  const scores = new Float64Array(nodes.length).fill(Number.POSITIVE_INFINITY);
  let best = Number.POSITIVE_INFINITY;
  for (let at = 0; at < nodes.length; at += 1) {
    if (!isForAll && isLeftOut(nodes[at], ask)) continue;
    if (rows.able[at] !== 1 || isOpen?.[at] === 0) {
      filtered.add(nodes[at]);
      continue;
    }
    const promised = (promises.bytesPerS[at] ?? 0) * promises.left;
    const load = (rows.loadScores[at] ?? 0) + promised * (rows.scoresPerByte[at] ?? 0);
    const way = ways.score(at);
    draw.add(at, load, way, (promises.players[at] ?? 0) * promises.left);
    scores[at] = load + way;
    if (load + way < best) best = load + way;
  }
  const stays = view.placeOf(ask.stay?.at ?? '');
  const most = ask.stay?.if === 'near-best' ? best + NEAR : Number.MAX_VALUE;
  const isStaying = stays !== undefined && (scores[stays] ?? 0) <= most;
  const lot = ask.lot ?? Math.floor(random() * 2 ** 32);
  const chosen = isStaying ? stays : lowest(draw.draw(lot, ways), scores);
  const shown = lowestOf(scores, MAX_CONSIDERED);
  if (chosen !== undefined && !shown.includes(chosen)) shown.push(chosen);
  return {
    node: nodes[chosen ?? -1]?.view.node,
    by: chosen === undefined ? 'none' : isStaying ? 'stay' : 'drawn',
    considered: shown.flatMap((at) => {
      const { view: of } = nodes[at] ?? {};
      if (!of) return [];
      const promised = promisedAt(promises, at);
      const parts = scoreParts(of, promised, ask.place, ways.of(at));
      return [{ node: of.node, region: of.region, score: scoreOf(parts, policy.weights), parts, promised }];
    }),
    near: draw.near,
    filtered: filtered.list(),
  };
}

function isLeftOut(node: ViewedNode | undefined, { except, region }: Ask): boolean {
  return !node || (region !== undefined && node.view.region !== region) || except.has(node.view.node);
}

class FilteredNodes {
  readonly #byReason = new Map<LimitReason, { count: number; readonly nodes: string[] }>();

  /** One without a limit has its door shut. */
  add(node: ViewedNode | undefined): void {
    if (!node) return;
    const reason = node.limit ?? 'door';
    let row = this.#byReason.get(reason);
    if (!row) {
      row = { count: 0, nodes: [] };
      this.#byReason.set(reason, row);
    }
    row.count += 1;
    if (row.nodes.length < MAX_NAMED) row.nodes.push(node.view.node);
  }

  list(): Filtered[] {
    return [...this.#byReason].map(([reason, { count, nodes }]) => ({ reason, count, nodes }));
  }
}

/** That of the places with the lowest score. */
function lowest(places: readonly number[], scores: Float64Array): number | undefined {
  let best: number | undefined;
  for (const at of places) {
    if (best === undefined || (scores[at] ?? 0) < (scores[best] ?? 0)) best = at;
  }
  return best;
}

/** The places of the lowest scores, lowest first. */
function lowestOf(scores: Float64Array, count: number): number[] {
  const best: number[] = [];
  let worst = Number.POSITIVE_INFINITY;
  for (let at = 0; at < scores.length; at += 1) {
    const score = scores[at] ?? worst;
    if (score >= worst) continue;
    const place = best.findIndex((other) => score < (scores[other] ?? 0));
    best.splice(place < 0 ? best.length : place, 0, at);
    if (best.length > count) best.pop();
    if (best.length === count) worst = scores[best.at(-1) ?? 0] ?? worst;
  }
  return best;
}
