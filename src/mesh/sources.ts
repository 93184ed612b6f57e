// Who may have a stream: the registry is asked, and while it is away, the peers. That a stream is unknown is remembered
// for a moment, so that many who ask for it cost one lookup.
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Lookup, OriginState } from '../registry/registry.ts';
import type { Candidate } from './candidates.ts';
import { isAhead } from './failure-detector.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';
import type { HeadAnswer, Subscriptions } from './subscriptions.ts';

/** How long a stream stays unknown without news of it. */
export const UNKNOWN_MS = 1_000;
const MAX_UNKNOWN = 10_000;
/** A lookup that is older was made before the registry went away. */
const BELIEVED_MS = 1_000;
/** Peers asked while the registry is away. */
const MAX_ASKED = 32;

/** Nodes that may have a stream. */
export interface Found {
  readonly origin: { readonly node: string; readonly epoch: number; readonly state: OriginState } | undefined;
  readonly nodes: readonly Candidate[];
  /** Those of them that are known to have a live source: the origin that renews, or who just said so. */
  readonly live: readonly string[];
}

const NOBODY: Found = { origin: undefined, nodes: [], live: [] };

export interface SourcesNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** @throws TidewayError if the registry is away and nothing is remembered */
  readonly lookup: (key: StreamKey, how: { fresh: boolean }) => Promise<Lookup>;
  readonly subscriptions: Pick<Subscriptions, 'head'>;
  /** All peers with an open link. */
  readonly peers: () => readonly Peer[];
}

export class Sources {
  readonly #needs: SourcesNeeds;
  /** Streams that nobody had, and until when that is believed. */
  readonly #unknown = new Map<StreamKey, number>();
  /** Counters that metrics read. */
  lookups = 0;
  spared = 0;
  asked = 0;

  constructor(needs: SourcesNeeds) {
    this.#needs = needs;
  }

  get table(): Table {
    return { table: 'unknown_streams', entries: this.#unknown.size, limit: MAX_UNKNOWN };
  }

  /** There is news of the stream: what was unknown may be known. */
  hear(key: StreamKey): void {
    this.#unknown.delete(key);
  }

  /**
   * Who may have the stream. Never rejects.
   * @param fresh a source was lost a moment ago: what is remembered of it is no good
   */
  async find(key: StreamKey, fresh: boolean): Promise<Found> {
    const nowMs = this.#needs.clock.now();
    if (!fresh && (this.#unknown.get(key) ?? 0) > nowMs) {
      this.spared += 1;
      return NOBODY;
    }
    const found = await this.#look(key, fresh);
    if (found.nodes.length === 0) this.#remember(key);
    else this.#unknown.delete(key);
    return found;
  }

  /** The origin as the registry has it now. Undefined if it has none, or is away. Never rejects. */
  async originNow(key: StreamKey): Promise<Found['origin']> {
    const known = await this.#lookup(key, true);
    return known?.ageMs === 0 ? known.origin : undefined;
  }

  /** Has a peer with a live source got further than this place? Never rejects. */
  async areAhead(key: StreamKey, place: Place | undefined): Promise<boolean> {
    const heads = await this.#heads(key);
    return heads.some(({ head }) => isAhead({ epoch: head.epoch, seq: head.seq }, place));
  }

  async #look(key: StreamKey, fresh: boolean): Promise<Found> {
    const known = await this.#lookup(key, fresh);
    const remembered = known ? foundIn(known) : NOBODY;
    if (known && known.ageMs <= BELIEVED_MS) return remembered;
    const { origin, nodes, live } = await this.#whoHas(key);
    return { origin, live, nodes: eachOnce([...nodes, ...remembered.nodes]) };
  }

  async #lookup(key: StreamKey, fresh: boolean): Promise<Lookup | undefined> {
    this.lookups += 1;
    try {
      return await this.#needs.lookup(key, { fresh });
    } catch (error) {
      this.#needs.log.debug({ stream: key, detail: messageOf(error) }, 'relay.lookup-failed');
      return undefined;
    }
  }

  /** Asks the peers how far they have got, and takes those that are live. */
  async #heads(key: StreamKey): Promise<{ node: string; head: HeadAnswer }[]> {
    const peers = this.#needs.peers().slice(0, MAX_ASKED);
    this.asked += peers.length;
    const answers = await Promise.all(
      peers.map(async (peer) => ({ peer, head: await this.#needs.subscriptions.head(peer, key) })),
    );
    return answers.flatMap(({ peer, head }) => (head?.live ? [{ node: peer.node, head }] : []));
  }

  async #whoHas(key: StreamKey): Promise<Found> {
    const live = await this.#heads(key);
    live.sort((a, b) => b.head.epoch - a.head.epoch || a.head.path.length - b.head.path.length);
    const nodes = live.map(({ node, head: { epoch, path } }) => {
      return { node, epoch, hops: path.length - 1, upstream: path.at(-2), isOld: false };
    });
    return { origin: originAmong(live), nodes, live: live.map(({ node }) => node) };
  }

  #remember(key: StreamKey): void {
    const nowMs = this.#needs.clock.now();
    this.#unknown.delete(key);
    this.#unknown.set(key, nowMs + UNKNOWN_MS);
    for (const [oldest, untilMs] of this.#unknown) {
      if (this.#unknown.size <= MAX_UNKNOWN && untilMs > nowMs) break;
      this.#unknown.delete(oldest);
    }
  }
}

function foundIn({ origin, replicas, ageMs }: Lookup): Found {
  const isOld = ageMs > BELIEVED_MS;
  const nearest = [...replicas].sort((a, b) => b.epoch - a.epoch || a.hops - b.hops);
  const nodes: Candidate[] = nearest.map(({ node, epoch, hops, upstream }) => {
    return { node, epoch, hops, upstream, isOld };
  });
  if (origin) nodes.unshift({ node: origin.node, epoch: origin.epoch, hops: 0, upstream: undefined, isOld });
  return { origin, nodes: eachOnce(nodes), live: origin?.state === 'live' ? [origin.node] : [] };
}

/** Of two that are the same node the first one. */
function eachOnce(candidates: readonly Candidate[]): Candidate[] {
  const byNode = new Map<string, Candidate>();
  for (const one of candidates) if (!byNode.has(one.node)) byNode.set(one.node, one);
  return [...byNode.values()];
}

function originAmong(live: readonly { node: string; head: HeadAnswer }[]): Found['origin'] {
  const origin = live.find(({ head }) => head.path.length === 1);
  return origin && { node: origin.node, epoch: origin.head.epoch, state: 'live' };
}
