// The streams of the cluster at one moment, as what all nodes told of them and what the registry had beside it: filtered,
// sorted and cut into pages. Work on all of them goes in slices, so that a frame never waits for a list.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { StreamsQuery } from '../http/cluster-api.ts';
import type { Told } from '../http/forms/common.ts';
import type { NodeStream } from '../http/forms/streams.ts';
import type { Lookup } from '../registry/registry.ts';
import { type Answered, bestOf, compare, placesOf, playersOf, type StreamPlaces } from './stream-rows.ts';

/** Streams that are looked at in one turn of the event loop. */
const SLICE = 1_000;
/** Orders of the list that are kept, of one moment. */
const MAX_ORDERS = 8;

/** A stream in the list. */
export interface ListedStream {
  readonly key: StreamKey;
  readonly told: readonly Told<NodeStream>[];
  readonly found: Lookup | undefined;
  readonly places: StreamPlaces;
  readonly players: number;
  readonly bitsPerS: number;
  /** ms since 1970; 0 if nobody knows. */
  readonly sinceWallMs: number;
}

export type ListQuery = Pick<StreamsQuery, 'q' | 'state' | 'node' | 'sort' | 'order'>;

export class StreamList {
  readonly #streams: readonly ListedStream[];
  readonly #clock: Clock;
  readonly #orders = new Map<string, Promise<readonly ListedStream[]>>();

  private constructor(streams: readonly ListedStream[], clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
  }

  /** @param found of streams that nobody told of */
  static async of(
    {
      told,
      found,
      answered,
    }: {
      readonly told: readonly Told<NodeStream>[];
      readonly found: ReadonlyMap<StreamKey, Lookup | undefined>;
      readonly answered: Answered;
    },
    clock: Clock,
  ): Promise<StreamList> {
    const byKey = new Map<string, Told<NodeStream>[]>();
    await inSlices(told, clock, (row) => {
      const rows = byKey.get(row.key);
      if (rows) rows.push(row);
      else byKey.set(row.key, [row]);
    });
    for (const key of found.keys()) if (!byKey.has(key)) byKey.set(key, []);
    const streams: ListedStream[] = [];
    await inSlices([...byKey.keys()].sort(compare), clock, (name) => {
      const key = name as StreamKey;
      const listed = listedStream({ key, told: byKey.get(key) ?? [], found: found.get(key) }, answered);
      if (listed) streams.push(listed);
    });
    return new StreamList(streams, clock);
  }

  /** Those that match, in the order that is asked for; among equals by key. */
  ordered(query: ListQuery): Promise<readonly ListedStream[]> {
    const { q, state, node, sort, order } = query;
    const name = JSON.stringify([q, state, node, sort, order]);
    const kept = this.#orders.get(name);
    if (kept) return kept;
    const made = this.#order(query);
    if (this.#orders.size >= MAX_ORDERS) this.#orders.clear();
    this.#orders.set(name, made);
    return made;
  }

  async #order(query: ListQuery): Promise<readonly ListedStream[]> {
    const { sort, order } = query;
    const matching: ListedStream[] = [];
    const matches = matcherOf(query);
    await inSlices(this.#streams, this.#clock, (stream) => {
      if (matches(stream)) matching.push(stream);
    });
    if (sort === 'key') return order === 'desc' ? matching.reverse() : matching;
    const sign = order === 'asc' ? 1 : -1;
    return matching.sort((a, b) => sign * (sortValueOf(a, sort) - sortValueOf(b, sort)));
  }
}

/** Undefined: nobody has it any more. */
export function listedStream(
  facts: Pick<ListedStream, 'key' | 'told' | 'found'>,
  answered: Answered,
): ListedStream | undefined {
  const places = placesOf(facts, answered);
  if (!places) return undefined;
  const { origin } = places;
  const since = origin?.since ?? facts.told[0]?.since;
  return {
    ...facts,
    places,
    players: playersOf(facts.told),
    bitsPerS: bestOf(facts.told, origin)?.bitsPerS ?? 0,
    sinceWallMs: since === undefined ? 0 : Date.parse(since),
  };
}

function matcherOf({ q, state, node }: ListQuery): (stream: ListedStream) => boolean {
  const part = q?.toLowerCase();
  return ({ key, told, places }) => {
    if (part !== undefined && !key.toLowerCase().includes(part)) return false;
    if (state !== undefined && stateOf(told, places) !== state) return false;
    return node === undefined || isAt(node, told, places);
  };
}

/** As its origin has it, else as those that have it. */
function stateOf(told: readonly Told<NodeStream>[], { origin }: StreamPlaces): 'live' | 'held' | undefined {
  return origin?.state ?? told[0]?.state;
}

function isAt(
  asked: string,
  told: readonly Told<NodeStream>[],
  { origin, replicas, backup }: StreamPlaces,
): boolean {
  if (origin?.node === asked || backup?.node === asked) return true;
  return told.some(({ node }) => node === asked) || replicas.some(({ node }) => node === asked);
}

function sortValueOf(stream: ListedStream, sort: Exclude<StreamsQuery['sort'], 'key'>): number {
  switch (sort) {
    case 'players':
      return stream.players;
    case 'bitsPerS':
      return stream.bitsPerS;
    case 'nodes':
      return stream.places.replicas.length + (stream.places.origin ? 1 : 0);
    case 'since':
      return stream.sinceWallMs;
  }
}

async function inSlices<T>(items: readonly T[], clock: Clock, work: (item: T) => void): Promise<void> {
  for (let from = 0; from < items.length; from += SLICE) {
    if (from > 0) await new Promise<void>((resolve) => void clock.soon(resolve));
    for (const item of items.slice(from, from + SLICE)) work(item);
  }
}
