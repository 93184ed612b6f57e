// The snapshot that decisions read: all nodes as they told last, which of them may be chosen, and how far regions are
// from each other. It is built anew when records changed, and never changes itself.
import { lotOf } from './lots.ts';
import type { NodeView } from './node-view.ts';
import { type LimitReason, type Limits, limitOf } from './score.ts';

/** A node, with what decisions need of it each time. */
export interface ViewedNode {
  readonly view: NodeView;
  /** Why it can't be chosen; undefined if it can. */
  readonly limit: LimitReason | undefined;
  /** Drawn from its id. */
  readonly lot: number;
}

export interface ViewOptions {
  readonly limits: Limits;
  /** Of this node: others that don't understand it are not chosen. */
  readonly version: string;
}

export class ClusterView {
  readonly nodes: readonly ViewedNode[];
  readonly #byId: ReadonlyMap<string, ViewedNode>;
  readonly #rtts: ReadonlyMap<string, ReadonlyMap<string, number>>;

  /** @param before the view that this one follows: limits that were met then are left later */
  constructor(views: readonly NodeView[], options: ViewOptions, before?: ClusterView) {
    this.nodes = views.map((view) => ({
      view,
      limit: limitOf(view, options, before?.get(view.node)?.limit),
      lot: before?.get(view.node)?.lot ?? lotOf(view.node),
    }));
    this.#byId = new Map(this.nodes.map((node) => [node.view.node, node]));
    this.#rtts = mediansOf(views);
  }

  get(node: string): ViewedNode | undefined {
    return this.#byId.get(node);
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
