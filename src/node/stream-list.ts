// The streams of the cluster at one moment, as what all nodes told of them and what the registry had beside it: filtered,
// sorted and cut into pages. Work on all of them goes in slices, so that a frame never waits for a list.
import type { Slices } from '../base/slices.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { StreamsQuery } from '../http/cluster-api.ts';
import type { Told } from '../http/forms/common.ts';
import type { NodeStream } from '../http/forms/streams.ts';
import type { Lookup } from '../registry/registry.ts';
import { type Answered, bestOf, placesOf, playersOf, type StreamPlaces } from './stream-rows.ts';

/** Since when a stream is there of which nobody knows. */
const EARLIEST = '1970-01-01T00:00:00.000Z';
/** Orders of the list that are kept, of one moment. */
const MAX_ORDERS = 8;

/** A stream in the list. */
export interface ListedStream {
  readonly key: StreamKey;
  readonly told: readonly Told<NodeStream>[];
  readonly found: Lookup | undefined;
  readonly places: StreamPlaces;
  readonly players: number;
}

/** What is known of all streams. */
export interface ToldStreams {
  readonly told: readonly Told<NodeStream>[];
  readonly found: ReadonlyMap<StreamKey, Lookup | undefined>;
  readonly answered: Answered;
}

export type ListQuery = Pick<StreamsQuery, 'q' | 'state' | 'node' | 'sort' | 'order'>;

export class StreamList {
  readonly #streams: readonly ListedStream[];
  readonly #slices: Slices;
  readonly #orders = new Map<string, Promise<readonly ListedStream[]>>();

  private constructor(streams: readonly ListedStream[], slices: Slices) {
    this.#streams = streams;
    this.#slices = slices;
  }

  /** @param told.found of streams that nobody told of */
  static async of(told: ToldStreams, slices: Slices): Promise<StreamList> {
    return new StreamList(await slices.run(listedStreams(told)), slices);
  }

  /** Those that match, in the order that is asked for; among equals by key. */
  ordered(query: ListQuery): Promise<readonly ListedStream[]> {
    const { q, state, node, sort, order } = query;
    const isAsItIs = (q ?? state ?? node) === undefined && sort === 'key' && order !== 'desc';
    if (isAsItIs) return Promise.resolve(this.#streams);
    const name = JSON.stringify([q, state, node, sort, order]);
    const kept = this.#orders.get(name);
    if (kept) return kept;
    const made = this.#slices.run(orderedStreams(this.#streams, query));
    if (this.#orders.size >= MAX_ORDERS) this.#orders.clear();
    this.#orders.set(name, made);
    return made;
  }
}

/** By key. */
function* listedStreams({ told, found, answered }: ToldStreams): Generator<void, ListedStream[]> {
  const byKey = new Map<string, Told<NodeStream>[]>();
  for (const row of told) {
    const rows = byKey.get(row.key);
    if (rows) rows.push(row);
    else byKey.set(row.key, [row]);
    yield;
  }
  for (const key of found.keys()) if (!byKey.has(key)) byKey.set(key, []);
  const streams: ListedStream[] = [];
  for (const name of [...byKey.keys()].sort()) {
    const key = name as StreamKey;
    const listed = listedStream({ key, told: byKey.get(key) ?? [], found: found.get(key) }, answered);
    if (listed) streams.push(listed);
    yield;
  }
  return streams;
}

function* orderedStreams(
  streams: readonly ListedStream[],
  query: ListQuery,
): Generator<void, readonly ListedStream[]> {
  const { sort, order } = query;
  const matches = matcherOf(query);
  const matching: { readonly stream: ListedStream; readonly value: number }[] = [];
  for (const stream of streams) {
    if (matches(stream)) matching.push({ stream, value: sort === 'key' ? 0 : sortValueOf(stream, sort) });
    yield;
  }
  if (sort !== 'key') {
    const sign = order === 'asc' ? 1 : -1;
    matching.sort((a, b) => sign * (a.value - b.value));
  } else if (order === 'desc') matching.reverse();
  return matching.map(({ stream }) => stream);
}

/** Undefined: nobody has it any more. */
export function listedStream(
  facts: Pick<ListedStream, 'key' | 'told' | 'found'>,
  answered: Answered,
): ListedStream | undefined {
  const places = placesOf(facts, answered);
  if (!places) return undefined;
  const { key, told, found } = facts;
  return { key, told, found, places, players: playersOf(told) };
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
      return bestOf(stream.told, stream.places.origin)?.bitsPerS ?? 0;
    case 'nodes':
      return stream.places.replicas.length + (stream.places.origin ? 1 : 0);
    case 'since':
      return Date.parse(stream.places.origin?.since ?? stream.told[0]?.since ?? EARLIEST);
  }
}
