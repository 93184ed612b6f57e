// What this node knows of others as parents of a stream: their record, the link to them, and what traffic costs.
import type { Table } from '../base/table.ts';
import type { Candidate, ParentFacts } from '../mesh/candidates.ts';
import type { LinkQuality } from '../mesh/peer.ts';
import type { NodeView } from '../routing/node-view.ts';
import { busyOf } from '../routing/score.ts';
import type { Parent, Puller } from '../routing/upstream-cost.ts';

/** Regions of nodes that are remembered beyond their records. */
const MAX_REGIONS = 4_096;

export interface ParentsNeeds {
  /** As it told last; undefined if it is not there. */
  readonly record: (node: string) => Pick<NodeView, 'region' | 'draining' | 'load'> | undefined;
  /** Of the link to it; undefined without one, and before its first sample. */
  readonly quality: (node: string) => Pick<LinkQuality, 'rttMs' | 'lossShare'> | undefined;
  /** Round trip between two regions, ms; undefined if nobody measured it. */
  readonly rttMs: (from: string, to: string) => number | undefined;
}

export class Parents implements ParentFacts {
  readonly puller: Puller;
  readonly #needs: ParentsNeeds;
  /** Records run out, and nobody moves to another region. */
  readonly #regions = new Map<string, string>();

  constructor(puller: Puller, needs: ParentsNeeds) {
    this.puller = puller;
    this.#needs = needs;
  }

  get table(): Table {
    return { table: 'parent_regions', entries: this.#regions.size, limit: MAX_REGIONS };
  }

  /** Of a node that nobody knows anything of, what is usual. */
  of({ node, hops, upstream }: Candidate): Parent {
    const record = this.#needs.record(node);
    const quality = this.#needs.quality(node);
    const region = this.regionOf(node);
    const from = upstream === undefined ? undefined : this.regionOf(upstream);
    return {
      ...{ node, hops, region },
      pricePaid: from === undefined ? 0 : this.puller.prices.of(from, region),
      rttMs: quality?.rttMs ?? this.#usualRttMs(region),
      lossShare: quality?.lossShare ?? 0,
      busy: record ? busyOf(record.load) : 0,
      isDraining: record?.draining ?? false,
    };
  }

  /** Empty if nobody knows. */
  regionOf(node: string): string {
    if (node === this.puller.node) return this.puller.region;
    const { region } = this.#needs.record(node) ?? {};
    if (region === undefined) return this.#regions.get(node) ?? '';
    if (this.#regions.size >= MAX_REGIONS && !this.#regions.has(node)) this.#regions.clear();
    this.#regions.set(node, region);
    return region;
  }

  #usualRttMs(region: string): number | undefined {
    return region === this.puller.region ? undefined : this.#needs.rttMs(this.puller.region, region);
  }
}
