// What the node tells about the cluster: each node is asked for what it knows, and what nodes that did not answer have is
// taken from the registry. Nobody's silence holds up an answer. Many askers share one look.
import type { Clock } from '../base/clock.ts';
import { compare } from '../base/compare.ts';
import type { Reason } from '../base/errors.ts';
import type { Slices } from '../base/slices.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { DEFAULT_LIMIT, MAX_LIMIT } from '../http/api-operations.ts';
import type { StateSource, StreamsQuery } from '../http/cluster-api.ts';
import type { Envelope, StaleNode, Told } from '../http/forms/common.ts';
import type { LinkRow, NodesAnswer, StatusAnswer } from '../http/forms/nodes.ts';
import type { History } from '../http/forms/quality.ts';
import type { StreamRow, StreamsAnswer, TreeAnswer } from '../http/forms/streams.ts';
import { isAway } from '../registry/guarded.ts';
import type { Lookup, NodeRecord, NodeSeen, Registry } from '../registry/registry.ts';
import type { AskNodes } from './cluster-ask.ts';
import { mapSome } from './map-some.ts';
import { nodeRow, sumsOf } from './node-rows.ts';
import { SharedLooks } from './shared-looks.ts';
import { type ListedStream, listedStream, StreamList } from './stream-list.ts';
import { type Answered, placesOf, streamRow } from './stream-rows.ts';
import { treeOf } from './stream-tree.ts';

/** Streams looked up at once. */
export const LOOKUPS_AT_ONCE = 32;
/** Replicas in one answer, of all its streams together: what many nodes times many streams may cost in memory. */
export const MAX_REPLICA_ROWS = 100_000;
/** Trees and lists that are kept for a moment. */
const MAX_LOOKS = 64;
/** Rows that may come with their recent past. */
const MAX_HISTORIES = 1_000;
/** Of one question. */
const HISTORIES_AT_ONCE = 200;
const MAX_TREE_ALARMS = 100;

export interface StateNeeds {
  readonly clock: Clock;
  readonly slices: Slices;
  /** The id of this node. */
  readonly node: string;
  readonly version: string;
  readonly registry: Pick<Registry, 'streams' | 'lookup' | 'registryWallMs'> & { readonly state: string };
  readonly ask: AskNodes;
  /** This node, as its beats tell of it. */
  readonly self: () => NodeRecord;
  /** The other nodes: those that beat, and those known from before, with a lease of 0. */
  readonly others: () => readonly NodeSeen[];
  readonly link: (node: string) => LinkRow | undefined;
  readonly notReady: () => Reason | undefined;
  readonly trouble: () => Reason | undefined;
  readonly rtmpPort: () => number;
  readonly publishHint: () => StatusAnswer['publishHint'];
}

/** The streams at one moment. */
interface Look {
  readonly list: StreamList;
  readonly stale: readonly StaleNode[];
  readonly answered: Answered;
  /** There are streams that nobody told of, and that were not looked up. */
  readonly isCut: boolean;
  readonly envelope: Envelope;
  /** Of streams that a node which did not answer may have, too. */
  readonly found: Map<StreamKey, Lookup | undefined>;
}

export class ClusterState implements StateSource {
  readonly #needs: StateNeeds;
  readonly #startedMs: number;
  readonly #looks: SharedLooks<Look>;
  readonly #trees: SharedLooks<Told<TreeAnswer> | undefined>;

  constructor(needs: StateNeeds) {
    this.#needs = needs;
    this.#startedMs = needs.clock.now();
    // Of two sizes only, so that askers share.
    this.#looks = new SharedLooks(needs.clock, 2);
    this.#trees = new SharedLooks(needs.clock, MAX_LOOKS);
  }

  get tables(): Table[] {
    return [
      { table: 'state_answers', ...this.#looks.kept },
      { table: 'tree_answers', ...this.#trees.kept },
    ];
  }

  envelope(): Envelope {
    const { clock, registry, node } = this.#needs;
    return {
      node,
      registry: registry.state === 'up' ? 'up' : 'away',
      asOf: new Date(registry.registryWallMs() ?? clock.wallMs()).toISOString(),
    };
  }

  status(): Told<StatusAnswer> {
    const { clock, version, notReady, trouble, rtmpPort, publishHint } = this.#needs;
    return {
      ...this.envelope(),
      version,
      uptimeMs: Math.round(clock.now() - this.#startedMs),
      notReady: reasonOf(notReady()),
      trouble: reasonOf(trouble()),
      rtmpPort: rtmpPort(),
      publishHint: publishHint(),
      cluster: sumsOf(this.nodes().nodes),
    };
  }

  nodes(): Told<NodesAnswer> {
    const { self, others, link } = this.#needs;
    const own = self();
    const rows = others()
      .filter(({ record }) => record.node !== own.node)
      .map(({ record, leaseMs }) => nodeRow(record, { leaseMs, link: link(record.node) }));
    return {
      ...this.envelope(),
      nodes: [nodeRow(own, undefined), ...rows].sort((a, b) => compare(a.node, b.node)),
    };
  }

  async streams(query: StreamsQuery, request: string): Promise<Told<StreamsAnswer>> {
    const { offset, limit } = query;
    const size = offset + limit <= DEFAULT_LIMIT ? DEFAULT_LIMIT : MAX_LIMIT;
    const look = await this.#looks.get(String(size), () => this.#look(size, request));
    const ordered = await look.list.ordered(query);
    const page = await this.#completed(ordered.slice(offset, offset + limit), look);
    const rows = this.#rows(page);
    const histories = query.history ? await this.#histories(rows, request) : undefined;
    return {
      ...look.envelope,
      stale: look.stale,
      total: ordered.length,
      truncated: look.isCut || ordered.length > offset + limit || rows.length < page.length,
      limit,
      streams: rows.map((row) => ({ ...row, history: histories?.get(row.key) ?? null })),
    };
  }

  /** Undefined: nobody has it. */
  stream(key: StreamKey, request: string): Promise<Told<TreeAnswer> | undefined> {
    return this.#trees.get(key, () => this.#tree(key, request));
  }

  async #tree(key: StreamKey, request: string): Promise<Told<TreeAnswer> | undefined> {
    const { ask } = this.#needs;
    const [told, alarms, found] = await Promise.all([
      ask.all('stream', { key }, request),
      ask.all('alarms', { stream: key, limit: MAX_TREE_ALARMS }, request),
      this.#lookup(key).catch(ifAway),
    ]);
    const places = placesOf({ key, told: told.rows, found }, this.#answered(told.stale));
    if (!places) return undefined;
    const tellers = new Set(told.rows.map(({ node }) => node));
    return {
      ...this.envelope(),
      stale: told.stale,
      key,
      origin: places.origin,
      replicas: places.replicas.filter(({ node }) => !tellers.has(node)),
      backup: places.backup,
      nodes: treeOf(told.rows),
      alarms: alarms.rows,
    };
  }

  async #look(size: number, request: string): Promise<Look> {
    const { ask, registry, slices } = this.#needs;
    const [told, listed] = await Promise.all([
      ask.all('streams', {}, request),
      registry.streams(MAX_LIMIT + 1).catch(ifAway),
    ]);
    const known = new Set<string>();
    for (const { key } of told.rows) known.add(key);
    const untold = (listed ?? []).filter((key) => !known.has(key)).sort(compare);
    const lookedUp = untold.slice(0, size);
    const lookups = await mapSome(lookedUp, LOOKUPS_AT_ONCE, (key) => this.#lookup(key)).catch(ifAway);
    const found = new Map(lookedUp.map((key, at) => [key, lookups?.[at]]));
    const answered = this.#answered(told.stale);
    return {
      list: await StreamList.of({ told: told.rows, found, answered }, slices),
      stale: told.stale,
      answered,
      isCut: untold.length > size,
      envelope: this.envelope(),
      found,
    };
  }

  /** With what nodes have that did not answer. */
  async #completed(page: readonly ListedStream[], look: Look): Promise<readonly ListedStream[]> {
    if (look.stale.length === 0) return page;
    const missing = page.filter(({ key }) => !look.found.has(key)).map(({ key }) => key);
    const lookups = await mapSome(missing, LOOKUPS_AT_ONCE, (key) => this.#lookup(key)).catch(ifAway);
    for (const [at, key] of missing.entries()) look.found.set(key, lookups?.[at]);
    return page.map((stream) => {
      return listedStream({ ...stream, found: look.found.get(stream.key) }, look.answered) ?? stream;
    });
  }

  #rows(page: readonly ListedStream[]): Omit<Told<StreamRow>, 'history'>[] {
    let replicas = 0;
    const rows: Omit<Told<StreamRow>, 'history'>[] = [];
    for (const stream of page) {
      replicas += stream.places.replicas.length;
      if (replicas > MAX_REPLICA_ROWS) break;
      rows.push(streamRow(stream, stream.places, this.#needs.node));
    }
    return rows;
  }

  /** Of each stream's origin only, which knows the whole of it. */
  async #histories(
    rows: readonly Pick<Told<StreamRow>, 'key' | 'origin'>[],
    request: string,
  ): Promise<Map<string, Told<History>>> {
    const keysAt = new Map<string, string[]>();
    for (const { key, origin } of rows.slice(0, MAX_HISTORIES)) {
      if (!origin) continue;
      const keys = keysAt.get(origin.node) ?? [];
      keys.push(key);
      keysAt.set(origin.node, keys);
    }
    const questions = [...keysAt].flatMap(([node, keys]) => {
      return chunksOf(keys, HISTORIES_AT_ONCE).map((some) => ({ node, keys: some }));
    });
    const answers = await Promise.all(
      questions.map(({ node, keys }) => this.#needs.ask.some([node], 'history', { keys }, request)),
    );
    const pairs = answers
      .flatMap((answer) => answer.rows)
      .map(({ key, node: _node, ...history }) => [key, history] as const);
    return new Map(pairs);
  }

  #answered(stale: readonly StaleNode[]): Answered {
    const { node, others } = this.#needs;
    const silent = new Set(stale.map((each) => each.node));
    const beating = others().filter(({ leaseMs }) => leaseMs > 0);
    const known = new Set([node, ...beating.map(({ record }) => record.node)]);
    return (asked) => known.has(asked) && !silent.has(asked);
  }

  /** Undefined if the registry has nonsense under this key; the others are shown all the same. */
  async #lookup(key: StreamKey): Promise<Lookup | undefined> {
    try {
      return await this.#needs.registry.lookup(key);
    } catch (error) {
      if (isAway(error)) throw error;
      return undefined;
    }
  }
}

/** What the registry does not tell while it is away, nobody needs. */
function ifAway(error: unknown): undefined {
  if (!isAway(error)) throw error;
}

function reasonOf(why: Reason | undefined): Reason | null {
  return why ? { code: why.code, message: why.message } : null;
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}
