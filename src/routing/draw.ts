// Who is drawn of the nodes that may be chosen, by what they may send and not by their load, so that many who decide at once,
// and don't know of each other, do not all choose the node that is idlest. Pure.
import type { ClusterView } from './cluster-view.ts';
import { lotOfBoth } from './lots.ts';

/** Ways this close are the same, and a node is idle from so much less load than the others on. */
const NEAR = 0.1;
/**
 * A node that was sent so many times its share of late, and so much of a player more, is not drawn for having the stream;
 * unless so few are near that none can be stormed.
 */
const RUSH = { share: 1.5, players: 0.5, nodes: 3 };

/** What the way does to the score of a node in a region that has the stream, by the region's place in the view. */
export interface RegionScores {
  scoreOfRegion(region: number): number;
}

export class Draw {
  readonly #view: ClusterView;
  /** By place in the view; NaN: it may not be chosen. */
  readonly #loads: Float64Array;
  readonly #ways: Float64Array;
  readonly #players: Float64Array;
  /** 1 where a node may be chosen, by the region's place in the view. */
  readonly #regions: Uint8Array;
  #leastWay = Number.POSITIVE_INFINITY;
  /** Of those that may be chosen, how many are about as near to who asks as the nearest: known once it was drawn. */
  near = 0;

  constructor(view: ClusterView) {
    const { length } = view.nodes;
    this.#view = view;
    this.#loads = new Float64Array(length).fill(Number.NaN);
    this.#ways = new Float64Array(length);
    this.#players = new Float64Array(length);
    this.#regions = new Uint8Array(view.regions.length);
  }

  /**
   * A node may be chosen.
   * @param at its place in the view
   * @param load of its score, what its own load makes
   * @param way of its score, what the way makes
   * @param players that were promised to it of late
   */
  add(at: number, load: number, way: number, players: number): void {
    this.#loads[at] = load;
    this.#ways[at] = way;
    this.#players[at] = players;
    this.#regions[this.#view.rows.regionAt[at] ?? 0] = 1;
    if (way < this.#leastWay) this.#leastWay = way;
  }

  /**
   * At most six places: two of those whose way is the best (they have the stream), two that are near, and two of all. So a
   * node that is idle, as it is new, is drawn twice as often as is its share, and no more.
   */
  draw(lot: number, regions: RegionScores): number[] {
    const isNear = this.#nearRegions(regions);
    const usual = this.#usualOf(isNear);
    const { lots, sizes, regionAt } = this.#view.rows;
    const [placed, idle, nearby, anywhere] = [new Two(), new Two(), new Two(), new Two()];
    for (let at = 0; at < this.#loads.length; at += 1) {
      const load = this.#loads[at] ?? Number.NaN;
      if (Number.isNaN(load)) continue;
      const size = sizes[at] ?? 1;
      const key = lotOfBoth(lots[at] ?? 0, lot) / size;
      anywhere.add(at, key);
      if (isNear[regionAt[at] ?? 0] === 1) nearby.add(at, key);
      if ((this.#ways[at] ?? 0) > this.#leastWay + NEAR) continue;
      const most = RUSH.players + RUSH.share * usual.playersPerByte * size;
      const isRushed = this.near > RUSH.nodes && (this.#players[at] ?? 0) > most;
      // One that is idle is drawn often enough among those that are near.
      if (!isRushed) (load < usual.load - NEAR ? idle : placed).add(at, key);
    }
    const holding = placed.isEmpty ? idle : placed;
    return [...holding.places, ...nearby.places, ...anywhere.places];
  }

  /** 1 for those regions that are about as near as the nearest in which a node may be chosen. */
  #nearRegions(regions: RegionScores): Uint8Array {
    let least = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.#regions.length; at += 1) {
      if (this.#regions[at] === 1) least = Math.min(least, regions.scoreOfRegion(at));
    }
    return Uint8Array.from(this.#regions, (_, at) => (regions.scoreOfRegion(at) <= least + NEAR ? 1 : 0));
  }

  /** Of the nodes that are near: the load, and the players that were promised for each byte a second that they may send. */
  #usualOf(isNear: Uint8Array): { readonly load: number; readonly playersPerByte: number } {
    const { sizes, regionAt } = this.#view.rows;
    let [size, load, players] = [0, 0, 0];
    this.near = 0;
    for (let at = 0; at < this.#loads.length; at += 1) {
      const ownLoad = this.#loads[at] ?? Number.NaN;
      if (Number.isNaN(ownLoad) || isNear[regionAt[at] ?? 0] !== 1) continue;
      const ownSize = sizes[at] ?? 1;
      this.near += 1;
      size += ownSize;
      load += ownLoad * ownSize;
      players += this.#players[at] ?? 0;
    }
    return { load: load / size, playersPerByte: players / size };
  }
}

/** The two places with the lowest keys. */
class Two {
  #first = -1;
  #second = -1;
  #firstKey = Number.POSITIVE_INFINITY;
  #secondKey = Number.POSITIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#first < 0;
  }

  get places(): number[] {
    return [this.#first, this.#second].filter((at) => at >= 0);
  }

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
}
