// The snapshot that decisions read: all nodes as they told last, which of them may be chosen, and how far regions are
// from each other. A new one is made twice a second; none changes itself.
import { lotOf } from './lots.ts';
import type { Door, NodeView } from './node-view.ts';
import {
  capacityOf,
  type LimitReason,
  type Limits,
  limitOf,
  loadParts,
  loadScore,
  scorePerByte,
  type Weights,
} from './score.ts';

/** A node, and why it can't be chosen; undefined if it can. */
export interface ViewedNode {
  readonly view: NodeView;
  readonly limit: LimitReason | undefined;
}

/**
 * What decisions need of each node, by its place in the view: in rows, since a decision goes over a thousand nodes, and
 * reading their records one by one would take it longer than all that it does with them.
 */
export interface Rows {
  /** 0: it can't be chosen. */
  readonly able: Uint8Array;
  /** Drawn from its id. */
  readonly lots: Uint32Array;
  /** Of its score, what its own load makes, and what each byte a second that it is promised adds. */
  readonly loadScores: Float64Array;
  readonly scoresPerByte: Float64Array;
  /** What it may send, bytes a second: a node of twice the size is drawn twice as often. */
  readonly sizes: Float64Array;
  /** The places of its region and its zone in `regions` and `zones`. */
  readonly regionAt: Uint16Array;
  readonly zoneAt: Uint16Array;
  /** 1 where the door is open. */
  readonly open: Readonly<Record<Door, Uint8Array>>;
}

export interface ViewOptions {
  readonly weights: Weights;
  readonly limits: Limits;
  /** Of this node: others that don't understand it are not chosen. */
  readonly version: string;
}

export class ClusterView {
  readonly nodes: readonly ViewedNode[];
  readonly rows: Rows;
  /** Of the nodes, each once. */
  readonly regions: readonly string[];
  readonly zones: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #rtts: ReadonlyMap<string, ReadonlyMap<string, number>>;

  /** @param before the view that this one follows: limits that were met then are left later */
  constructor(views: readonly NodeView[], options: ViewOptions, before?: ClusterView) {
    this.nodes = views.map((view) => ({
      view,
      limit: limitOf(view, options, before?.get(view.node)?.limit),
    }));
    this.#places = new Map(views.map(({ node }, at) => [node, at]));
    this.#rtts = mediansOf(views);
    this.regions = [...new Set(views.map(({ region }) => region))];
    this.zones = [...new Set(views.map(({ zone }) => zone))];
    this.rows = this.#rowsOf(views, options, before);
  }

  get(node: string): ViewedNode | undefined {
    return this.nodes[this.placeOf(node) ?? -1];
  }

  /** Where a node stands in `nodes`. */
  placeOf(node: string): number | undefined {
    return this.#places.get(node);
  }

  #rowsOf(views: readonly NodeView[], { weights }: ViewOptions, before: ClusterView | undefined): Rows {
    const { length } = views;
    const regions = new Map(this.regions.map((region, at) => [region, at]));
    const zones = new Map(this.zones.map((zone, at) => [zone, at]));
    const rows = {
      able: new Uint8Array(length),
      lots: new Uint32Array(length),
      loadScores: new Float64Array(length),
      scoresPerByte: new Float64Array(length),
      sizes: new Float64Array(length),
      regionAt: new Uint16Array(length),
      zoneAt: new Uint16Array(length),
      open: { rtmp: new Uint8Array(length), http: new Uint8Array(length) },
    };
    for (const [at, { view, limit }] of this.nodes.entries()) {
      const { node, load, region, zone, rtmp, http } = view;
      rows.able[at] = limit === undefined ? 1 : 0;
      rows.lots[at] = before?.rows.lots[before.placeOf(node) ?? -1] ?? lotOf(node);
      rows.loadScores[at] = loadScore(loadParts(load, 0), weights);
      rows.scoresPerByte[at] = scorePerByte(load, weights);
      rows.sizes[at] = capacityOf(load);
      rows.regionAt[at] = regions.get(region) ?? 0;
      rows.zoneAt[at] = zones.get(zone) ?? 0;
      rows.open.rtmp[at] = rtmp === '' ? 0 : 1;
      rows.open.http[at] = http === '' ? 0 : 1;
    }
    return rows;
  }

  /** Is there a node in the region? */
  hasRegion(region: string): boolean {
    return this.regions.includes(region);
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
