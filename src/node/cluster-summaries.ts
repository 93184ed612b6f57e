// What the node tells about the cluster: nodes and streams as the registry lists them, with what the node itself knows
// beside it, and alone while the registry is away. Many askers share one look at the registry.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import {
  type ClusterNeeds,
  DEFAULT_LIMIT,
  type Envelope,
  type LinkRow,
  MAX_LIMIT,
  type NodeRow,
  type NodesAnswer,
  type OriginRow,
  type ReplicaRow,
  type StreamRow,
  type StreamsAnswer,
} from '../http/cluster-api.ts';
import type { LinkQuality } from '../mesh/peer.ts';
import { isAway } from '../registry/guarded.ts';
import type { Lookup, NodeRecord, NodeSeen, Registry } from '../registry/registry.ts';
import { hereRow } from './here-row.ts';

/** An answer this old is as good as a new one. */
export const FRESH_MS = 500;
/** Streams looked up at once. */
export const LOOKUPS_AT_ONCE = 32;
/** Replicas in one answer, of all its streams together: what many nodes times many streams may cost in memory. */
export const MAX_REPLICA_ROWS = 100_000;

/** A stream that this node has. */
export interface LocalStream {
  readonly key: StreamKey;
  readonly state: 'live' | 'held';
  readonly epoch: number;
  readonly players: number;
  /** A publisher of this node stands by for it. */
  readonly standsBy: boolean;
  /** When it went live or into hold, ms since 1970. */
  readonly sinceWallMs: number;
}

/** A link to another node. */
export interface LinkFacts {
  /** Undefined before the first sample. */
  readonly quality: LinkQuality | undefined;
  /** The node that dialled it. */
  readonly dialledBy: string;
}

/** A stream that this node pulls. */
export interface ReplicaFacts {
  /** Node ids from the origin to this node; undefined between two upstreams. */
  readonly path: readonly string[] | undefined;
  /** The node that it pulls from; undefined between two. */
  readonly upstream: string | undefined;
  /** The node that it would switch to. */
  readonly standby: string | undefined;
}

/** What the mesh knows. */
export interface MeshFacts {
  link(node: string): LinkFacts | undefined;
  /** Undefined for a stream that is published here, or not here at all. */
  replica(key: StreamKey): ReplicaFacts | undefined;
  /** Nodes that pull a stream from this one. */
  children(key: StreamKey): number;
}

export interface SummaryNeeds {
  readonly clock: Clock;
  /** The id of this node. */
  readonly node: string;
  readonly registry: Pick<Registry, 'streams' | 'lookup' | 'registryWallMs'> & { readonly state: string };
  /** This node, as its beats tell of it. */
  readonly self: () => NodeRecord;
  /** The other nodes: those that beat, and those known from before, with a lease of 0. */
  readonly others: () => readonly NodeSeen[];
  /** Streams of this node, live or held. */
  readonly local: () => Iterable<LocalStream>;
  readonly mesh: MeshFacts;
}

/** Undefined: nobody has the stream any more. */
type Row = StreamRow | undefined;

export class ClusterSummaries implements ClusterNeeds {
  readonly #needs: SummaryNeeds;
  /** The last answer of each size, or the one that is being made. Of two sizes only, so that askers share. */
  readonly #kept = new Map<number, { readonly answer: Promise<StreamsAnswer>; untilMs: number }>();

  constructor(needs: SummaryNeeds) {
    this.#needs = needs;
  }

  async nodes(): Promise<NodesAnswer> {
    const { self, others, mesh, registry } = this.#needs;
    const own = self();
    const rows = others()
      .filter(({ record }) => record.node !== own.node)
      .map(({ record, leaseMs }) => nodeRow(record, { leaseMs, link: linkRow(mesh.link(record.node)) }));
    return {
      ...this.#envelope(registry.state === 'up'),
      nodes: [nodeRow(own, undefined), ...rows].sort((a, b) => compare(a.node, b.node)),
    };
  }

  async streams(limit: number): Promise<StreamsAnswer> {
    const answer = await this.#shared(limit <= DEFAULT_LIMIT ? DEFAULT_LIMIT : MAX_LIMIT);
    const { streams, truncated } = answer;
    return {
      ...answer,
      limit,
      truncated: truncated || streams.length > limit,
      streams: streams.slice(0, limit),
    };
  }

  /** One look at the registry for all that ask within FRESH_MS. */
  #shared(size: number): Promise<StreamsAnswer> {
    const { clock } = this.#needs;
    const kept = this.#kept.get(size);
    if (kept && clock.now() < kept.untilMs) return kept.answer;
    const made = { answer: this.#look(size), untilMs: Number.POSITIVE_INFINITY };
    this.#kept.set(size, made);
    const done = (freshMs: number) => {
      made.untilMs = clock.now() + freshMs;
    };
    made.answer.then(
      () => done(FRESH_MS),
      () => done(0),
    );
    return made.answer;
  }

  async #look(limit: number): Promise<StreamsAnswer> {
    try {
      return await this.#askRegistry(limit);
    } catch (error) {
      if (!isAway(error)) throw error;
      return this.#answer(
        [...this.#localByKey().values()].map((local) => this.#ownRow(local)),
        limit,
        false,
      );
    }
  }

  async #askRegistry(limit: number): Promise<StreamsAnswer> {
    const { registry } = this.#needs;
    const listed = await registry.streams(limit + 1);
    const keys = new Set([...listed, ...this.#localByKey().keys()]);
    const asked = [...keys].sort(compare).slice(0, limit + 1);
    const found = await mapSome(asked, LOOKUPS_AT_ONCE, (key) => this.#lookup(key));
    // Read once more: what is told of this node is of the same moment as the answer.
    const local = this.#localByKey();
    const rows = asked.map((key, at) => this.#row(key, found[at], local.get(key)));
    return this.#answer(rows, limit, keys.size > limit);
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

  #answer(rows: readonly Row[], limit: number, isMore: boolean): StreamsAnswer {
    const isUp = this.#needs.registry.state === 'up';
    const streams: StreamRow[] = [];
    let replicas = 0;
    let truncated = isMore;
    for (const row of rows) {
      if (!row) continue;
      replicas += row.replicas.length;
      if (streams.length >= limit || replicas > MAX_REPLICA_ROWS) {
        truncated = true;
        break;
      }
      streams.push(row);
    }
    return { ...this.#envelope(isUp), limit, truncated, streams };
  }

  #row(key: StreamKey, found: Lookup | undefined, local: LocalStream | undefined): Row {
    const own = local && this.#ownRow(local);
    if (!found) return own;
    const origin = originRow(found) ?? own?.origin ?? null;
    const replicas = found.replicas.map(({ node, hops, upstream, epoch }) => ({
      node,
      hops,
      upstream,
      epoch,
    }));
    if (!origin && replicas.length === 0 && !found.backup && !own) return undefined;
    return {
      key,
      origin,
      replicas: replicas.sort(byHops),
      backup: found.backup ? { node: found.backup.node } : (own?.backup ?? null),
      here: own?.here ?? null,
    };
  }

  /** A stream from what this node itself knows of it. */
  #ownRow(local: LocalStream): StreamRow {
    const { node } = this.#needs;
    const { key, epoch, state } = local;
    const here = hereRow(local, this.#needs);
    const { role, hops, upstream } = here;
    const [first] = here.path;
    let origin: OriginRow | null = null;
    if (role === 'origin') {
      origin = { node, epoch, state, reason: null, since: isoOf(local.sinceWallMs) };
    } else if (first !== undefined) {
      origin = { node: first, epoch, state, reason: null, since: null };
    }
    const isFed = role !== 'origin' && hops !== null && upstream !== null;
    const replicas: ReplicaRow[] = isFed ? [{ node, hops, upstream, epoch }] : [];
    return { key, origin, replicas, backup: local.standsBy ? { node } : null, here };
  }

  #localByKey(): Map<StreamKey, LocalStream> {
    const rows = [...this.#needs.local()].sort((a, b) => compare(a.key, b.key));
    return new Map(rows.map((stream) => [stream.key, stream]));
  }

  #envelope(isUp: boolean): Envelope {
    const { clock, registry, node } = this.#needs;
    return {
      node,
      registry: isUp ? 'up' : 'away',
      asOf: new Date(registry.registryWallMs() ?? clock.wallMs()).toISOString(),
    };
  }
}

/** @param other undefined for the node itself */
function nodeRow(
  record: NodeRecord,
  other: { readonly leaseMs: number; readonly link: LinkRow | null } | undefined,
): NodeRow {
  return {
    ...record,
    leaseMs: other ? Math.round(other.leaseMs) : null,
    self: !other,
    link: other?.link ?? null,
  };
}

function linkRow(link: LinkFacts | undefined): LinkRow | null {
  if (!link) return null;
  const { quality, dialledBy } = link;
  return {
    rttMs: quality?.rttMs ?? null,
    rttDevMs: quality?.rttDevMs ?? null,
    offsetMs: quality?.offsetMs ?? null,
    lossShare: quality?.lossShare ?? null,
    receivedBytesPerS: quality?.receivedBytesPerS ?? null,
    sentBytesPerS: quality?.sentBytesPerS ?? null,
    dialledBy,
  };
}

function originRow({ origin }: Lookup): OriginRow | undefined {
  if (!origin) return undefined;
  const { node, epoch, state, reason, sinceWallMs } = origin;
  return { node, epoch, state, reason, since: isoOf(sinceWallMs) };
}

/** Null for a number that is no time: a registry's are as good as who wrote them. */
function isoOf(wallMs: number): string | null {
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function byHops(a: ReplicaRow, b: ReplicaRow): number {
  return a.hops - b.hops || compare(a.node, b.node);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Maps with at most `atOnce` calls under way; after the first that fails no more are begun. */
async function mapSome<A, B>(
  items: readonly A[],
  atOnce: number,
  call: (item: A) => Promise<B>,
): Promise<readonly B[]> {
  const results = new Array<B>(items.length);
  let next = 0;
  let isFailed = false;
  const work = async (): Promise<void> => {
    while (next < items.length && !isFailed) {
      const at = next;
      next += 1;
      const item = items[at];
      if (item === undefined) continue;
      try {
        results[at] = await call(item);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
