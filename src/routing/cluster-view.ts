// The snapshot that decisions read: all nodes as they told last, which of them may be chosen, and how far regions are
// from each other. It is built anew when records changed, and never changes itself.
import { lotOf } from './lots.ts';
import type { NodeView, Place } from './node-view.ts';
import {
  capacityOf,
  type LimitReason,
  type Limits,
  limitOf,
  loadScore,
  type Promised,
  scoreParts,
  scorePerByte,
  type Way,
  type Weights,
} from './score.ts';

/** A node, with what decisions need of it each time. */
export interface ViewedNode {
  readonly view: NodeView;
  /** Why it can't be chosen; undefined if it can. */
  readonly limit: LimitReason | undefined;
  /** Drawn from its id. */
  readonly lot: number;
  /** Of its score, what its own load makes, and what each byte a second that it is promised adds. */
  readonly loadScore: number;
  readonly scorePerByte: number;
  /** What it may send, bytes a second: a node of twice the size is drawn twice as often. */
  readonly size: number;
}

export interface ViewOptions {
  readonly weights: Weights;
  readonly limits: Limits;
  /** Of this node: others that don't understand it are not chosen. */
  readonly version: string;
}

const IDLE: Promised = { players: 0, bytesPerS: 0 };
const NO_PLACE: Place = { region: '', zone: '' };
const NO_WAY: Way = { rttMs: undefined, priceShare: 0, stream: 'unknown' };

export class ClusterView {
  readonly nodes: readonly ViewedNode[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #rtts: ReadonlyMap<string, ReadonlyMap<string, number>>;

  /** @param before the view that this one follows: limits that were met then are left later */
  constructor(views: readonly NodeView[], options: ViewOptions, before?: ClusterView) {
    const { weights } = options;
    this.nodes = views.map((view) => {
      const known = before?.get(view.node);
      return {
        view,
        limit: limitOf(view, options, known?.limit),
        lot: known?.lot ?? lotOf(view.node),
        loadScore: loadScore(scoreParts(view, IDLE, NO_PLACE, NO_WAY), weights),
        scorePerByte: scorePerByte(view.load, weights),
        size: capacityOf(view.load),
      };
    });
    this.#places = new Map(views.map(({ node }, at) => [node, at]));
    this.#rtts = mediansOf(views);
  }

  get(node: string): ViewedNode | undefined {
    return this.nodes[this.placeOf(node) ?? -1];
  }

  /** Where a node stands in `nodes`. */
  placeOf(node: string): number | undefined {
    return this.#places.get(node);
  }

  /** Is there a node in the region? */
  hasRegion(region: string): boolean {
    return this.nodes.some(({ view }) => view.region === region);
  }

  /** Round trip between two regions, ms: what nodes there measured; 0 within one; undefined if nobody did. */
  rttMs(from: string, to: string): number | undefined {
    if (from === to) return 0;
    return this.#rtts.get(from)?.get(to) ?? this.#rtts.get(to)?.get(from);
  }
}

/** For each pair of regions the median of what the nodes of the first tell. */
function mediansOf(views: readonly NodeView[]): Map<string, Map<string, number>> {
  const told = new Map<string, Map<string, number[]>>();
  for (const { region, rttMs } of views) {
    const row = told.get(region) ?? new Map<string, number[]>();
    told.set(region, row);
    for (const [to, ms] of Object.entries(rttMs)) {
      const times = row.get(to);
      if (times) times.push(ms);
      else row.set(to, [ms]);
    }
  }
  return new Map(
    [...told].map(([from, row]) => [from, new Map([...row].map(([to, times]) => [to, medianOf(times)]))]),
  );
}

function medianOf(numbers: number[]): number {
  const sorted = numbers.sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
