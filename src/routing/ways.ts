// The ways between the nodes of a view and one who asks: how far, how dear, and who has the stream. What is the same for all
// nodes of a region is worked out once. Pure.
import type { ClusterView } from './cluster-view.ts';
import type { Place } from './node-view.ts';
import type { Prices } from './prices.ts';
import { OTHER_ZONE, type Way, type Weights, wayScore } from './score.ts';

/** Who has a stream, as far as this node knows. */
export interface Holders {
  /** The node of its publisher. */
  readonly origin: string | undefined;
  /** All that have it, the origin included. */
  readonly nodes: ReadonlySet<string>;
}

export interface Policy {
  readonly weights: Weights;
  readonly prices: Prices;
}

/** What all nodes of a region have in common for one who asks. */
interface RegionWay {
  /** A node there that has the stream; and one that lacks it. */
  readonly here: Way;
  readonly away: Way;
}

export class Ways {
  readonly #regionAt: Uint16Array;
  readonly #zoneAt: Uint16Array;
  /** 1 where the node has the stream. */
  readonly #holds: Uint8Array;
  /** By the place of the region in the view. */
  readonly #regions: readonly RegionWay[];
  readonly #hereScores: Float64Array;
  readonly #awayScores: Float64Array;
  /** The region and the zone of who asks in the view, and what it costs to be in another zone there; -1: none. */
  readonly #ownRegionAt: number;
  readonly #ownZoneAt: number;
  readonly #otherZone: number;

  constructor(
    view: ClusterView,
    { place, holders }: { readonly place: Place; readonly holders: Holders | undefined },
    { weights, prices }: Policy,
  ) {
    const { regionAt, zoneAt } = view.rows;
    this.#regionAt = regionAt;
    this.#zoneAt = zoneAt;
    this.#holds = new Uint8Array(view.nodes.length);
    const holding = new Set<string>();
    for (const holder of holders?.nodes ?? []) {
      const at = view.placeOf(holder);
      if (at === undefined) continue;
      this.#holds[at] = 1;
      holding.add(view.regions[regionAt[at] ?? 0] ?? '');
    }
    this.#regions = view.regions.map((region) => regionWay(view, region, { place, holding, prices }));
    const scoreOf = (way: Way, at: number) =>
      wayScore({ region: view.regions[at] ?? '', zone: place.zone }, place, way, weights);
    this.#hereScores = Float64Array.from(this.#regions, ({ here }, at) => scoreOf(here, at));
    this.#awayScores = Float64Array.from(this.#regions, ({ away }, at) => scoreOf(away, at));
    this.#ownRegionAt = place.zone === '' ? -1 : view.regions.indexOf(place.region);
    this.#ownZoneAt = view.zones.indexOf(place.zone);
    this.#otherZone = OTHER_ZONE * weights.place;
  }

  /** Of the score of the node that stands there, what is not its own load. */
  score(at: number): number {
    const region = this.#regionAt[at] ?? 0;
    const score = (this.#holds[at] === 1 ? this.#hereScores : this.#awayScores)[region] ?? 0;
    const isOtherZone = region === this.#ownRegionAt && this.#zoneAt[at] !== this.#ownZoneAt;
    return isOtherZone ? score + this.#otherZone : score;
  }

  /** Of a node of that region that has the stream. @param region its place in the view */
  scoreOfRegion(region: number): number {
    return this.#hereScores[region] ?? 0;
  }

  /** What makes up the score. */
  of(at: number): Way {
    const { here, away } = this.#regions[this.#regionAt[at] ?? 0] ?? NOWHERE;
    return this.#holds[at] === 1 ? here : away;
  }
}

const NOWHERE_WAY: Way = { rttMs: undefined, priceShare: 0, stream: 'unknown' };
const NOWHERE: RegionWay = { here: NOWHERE_WAY, away: NOWHERE_WAY };

function regionWay(
  view: ClusterView,
  region: string,
  of: { readonly place: Place; readonly holding: ReadonlySet<string>; readonly prices: Prices },
): RegionWay {
  const { place, holding, prices } = of;
  const isPlaced = place.region !== '';
  const rttMs = isPlaced ? view.rttMs(region, place.region) : undefined;
  const deliveryShare = isPlaced ? prices.share(region, place.region) : 0;
  const here: Way = { rttMs, priceShare: deliveryShare, stream: 'here' };
  if (holding.size === 0) return { here, away: { ...here, stream: 'unknown' } };
  if (holding.has(region)) return { here, away: { ...here, stream: 'in-region' } };
  let pullShare = 1;
  for (const holder of holding) pullShare = Math.min(pullShare, prices.share(holder, region));
  return { here, away: { rttMs, priceShare: deliveryShare + pullShare, stream: 'elsewhere' } };
}
