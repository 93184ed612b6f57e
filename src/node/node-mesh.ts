// This node's part of the mesh: links, what it pulls and what it feeds, put together for one configuration. A node alone
// has none.
import { randomBytes } from 'node:crypto';
import { type Clock, wait } from '../base/clock.ts';
import { messageOf, type Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Slices } from '../base/slices.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Config } from '../config/schema.ts';
import type { LinkRow, NodeLink } from '../http/forms/nodes.ts';
import type { HopQuality } from '../http/forms/quality.ts';
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { type Answer, Answers } from '../mesh/answers.ts';
import type { MeshTls } from '../mesh/channel.ts';
import type { ChildRow } from '../mesh/downstream.ts';
import { Downstreams } from '../mesh/downstreams.ts';
import { Links } from '../mesh/links.ts';
import type { LinkQuality, Peer } from '../mesh/peer.ts';
import { priorityOf } from '../mesh/priority.ts';
import { type Query, Questions } from '../mesh/questions.ts';
import { QuietLog } from '../mesh/quiet-log.ts';
import { Relay } from '../mesh/relay.ts';
import { Replicas } from '../mesh/replicas.ts';
import { Sources } from '../mesh/sources.ts';
import { LINK_CLOSED, Subscriptions } from '../mesh/subscriptions.ts';
import { Wants } from '../mesh/wants.ts';
import type { MetricFamily } from '../observe/metrics.ts';
import type { UpstreamDecision } from '../routing/decisions.ts';
import type { NodeView } from '../routing/node-view.ts';
import type { Prices } from '../routing/prices.ts';
import type { LinkedNodes } from './cluster-ask.ts';
import type { ReplicaFacts } from './here-row.ts';
import type { Member } from './member.ts';
import { meshMetrics } from './mesh-metrics.ts';
import { Parents } from './parents.ts';
import { regionRtts } from './region-rtts.ts';
import type { StreamSight } from './standbys.ts';
import type { Traffic } from './traffic.ts';

/** What the origin of a stream is told by its peers. */
export interface OriginNews {
  /** A peer refused frames of this node, since it knows a higher epoch. */
  fenced(key: StreamKey, epoch: number): Promise<void>;
  /** A peer says that it is the origin. */
  passed(key: StreamKey, epoch: number): Promise<void>;
}

export interface NodeMeshNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly member: Member;
  readonly directory: StreamDirectory;
  readonly origins: OriginNews;
  /** Does a backup publisher of this node stand by for the stream? */
  readonly standsBy: (key: StreamKey) => boolean;
  /** Is this node too short of memory for new readers of its streams? */
  readonly refusesJoins: () => boolean;
  /** Does this node give up what it has for others? */
  readonly isDraining: () => boolean;
  /** A node as routing sees it; undefined if it is not there. */
  readonly nodeView: (node: string) => NodeView | undefined;
  /** Round trip between two regions, ms; undefined if nobody measured it. */
  readonly rttMs: (from: string, to: string) => number | undefined;
  readonly prices: Prices;
  readonly decided: (decision: UpstreamDecision) => void;
  readonly traffic: Pick<Traffic, 'toNode' | 'fromNode'>;
  readonly slices: Slices;
  /** Undefined: nodes don't speak TLS. */
  readonly tls: MeshTls | undefined;
  /** What this node answers to another. @throws TidewayError if it does not */
  readonly answer: (peer: string, query: Query) => Answer;
}

/** Of a node alone. */
export const NO_MESH: Pick<NodeMesh, 'link' | 'replica' | 'upstreamHas' | 'children'> = {
  link: () => undefined,
  replica: () => undefined,
  upstreamHas: () => 'unknown',
  children: () => 0,
};

/** Of a link without a sample. */
const NO_QUALITY = {
  ...{ rttMs: null, rttDevMs: null, offsetMs: null, lossShare: null },
  ...{ receivedBytesPerS: null, sentBytesPerS: null },
};

/** How long a node that stops waits for those that it feeds to go elsewhere. */
const GO_AWAY_MS = 1_000;
const LOOK_EVERY_MS = 20;
const MAX_UNPLACED = 4_096;

export class NodeMesh {
  readonly #needs: NodeMeshNeeds;
  readonly #links: Links;
  readonly #subscriptions: Subscriptions;
  readonly #sources: Sources;
  readonly #downstreams: Downstreams;
  readonly #replicas: Replicas;
  readonly #wants: Wants;
  readonly #questions: Questions;
  readonly #answers: Answers;
  readonly #parents: Parents;
  readonly #wantsLog: QuietLog;
  /** That metrics name. */
  readonly #maxStreams: number;
  /** Nodes whose traffic is counted, and that no beat has told of: they are in no region yet. Bounded by MAX_UNPLACED. */
  readonly #unplaced = new Set<string>();
  #unsubscribe = () => {};

  /** @param config with `mesh.secret` */
  constructor(config: Config & { readonly mesh: { readonly secret: string } }, needs: NodeMeshNeeds) {
    this.#needs = needs;
    this.#maxStreams = config.metrics.streams;
    const { clock, log, member, directory, origins, version, standsBy } = needs;
    const { owner } = member;
    const streamOf = (key: StreamKey) => directory.get(key);
    this.#subscriptions = new Subscriptions({
      clock,
      received: (key, node) => needs.traffic.fromNode(key, this.#regionOf(node)),
    });
    this.#parents = new Parents(
      { node: owner.node, region: config.node.region, prices: needs.prices },
      {
        record: needs.nodeView,
        quality: (node) => this.#links.get(node)?.quality,
        rttMs: needs.rttMs,
      },
    );
    this.#sources = new Sources({
      ...{ clock, log, subscriptions: this.#subscriptions },
      lookup: (key, { fresh }) => {
        if (fresh) member.registry.forget(key);
        return member.registry.lookup(key);
      },
      peers: () => this.#links.list(),
    });
    this.#downstreams = new Downstreams(config.relay, {
      ...{ clock, log, streamOf },
      placeInTree: (stream) => this.#replicas.placeInTree(stream),
      priorityOf: (key) => priorityOf(key, config.priority ?? []),
      fenced: (key, epoch) => this.#fenced(key, epoch),
      refusesJoins: needs.refusesJoins,
      sent: (key, node) => needs.traffic.toNode(key, this.#regionOf(node)),
    });
    this.#wantsLog = new QuietLog({ clock, log });
    this.#wants = new Wants({
      ...{ clock, log, quietLog: this.#wantsLog },
      ...{ isDraining: needs.isDraining, refusesJoins: needs.refusesJoins },
      isHere: (key) => directory.has(key) || this.#replicas.get(key) !== undefined,
      seek: (key) => this.#replicas.seek(key),
    });
    this.#replicas = new Replicas(
      { self: owner.node, holdMs: config.publish.holdMs, lingerMs: config.relay.lingerMs },
      {
        ...{ clock, log, random: Math.random, streamOf },
        ...{ parents: this.#parents, standsBy, decided: needs.decided },
        ...{ subscriptions: this.#subscriptions, sources: this.#sources, register: member.replicas },
        linkTo: (node) => this.#links.get(node),
        dial: (node) => this.#links.dial(node),
        stream: (key) => directory.feed(key),
        isWanted: (key) => standsBy(key) || this.#wants.has(key),
        isWaitedFor: (key) => standsBy(key) || directory.isWaitedFor(key),
        pathChanged: (stream) => this.#downstreams.pathChanged(stream),
        sawEpoch: (epoch) => member.claimant.see(epoch),
      },
    );
    this.#questions = new Questions({ clock });
    this.#answers = new Answers({ clock, log, slices: needs.slices, answer: needs.answer });
    const relay = new Relay({
      ...{ subscriptions: this.#subscriptions, downstreams: this.#downstreams, replicas: this.#replicas },
      ...{ questions: this.#questions, answers: this.#answers },
      isPlausible: (epoch) => member.claimant.isPlausible(epoch),
      originAt: (node, key, epoch) => {
        void origins.passed(key, epoch);
        this.#replicas.originAt(node, key, epoch);
      },
      fenced: (key, epoch) => this.#fenced(key, epoch),
      wanted: (node, key, ttlMs) => void this.#wants.ask(node, key, ttlMs),
      stops: (boot) => member.membership.stops(boot),
    });
    this.#links = new Links(
      {
        self: { ...owner, version, host: member.host },
        secret: config.mesh.secret,
        listen: { host: config.host, port: config.mesh.port },
        tls: needs.tls,
      },
      {
        ...{ clock, log, owner: relay, random: Math.random },
        registryWallMs: () => member.registry.registryWallMs() ?? 0,
        nonce: () => randomBytes(32).toString('hex'),
      },
    );
  }

  /** What this node sees of streams that are fed from elsewhere. */
  readonly sight: StreamSight = {
    of: (key) => this.#replicas.get(key)?.sight ?? 'clear',
    peersAreAhead: (key) => this.#sources.areAhead(key, this.#needs.directory.get(key)?.head),
    seek: (key) => this.#replicas.seek(key),
  };

  get port(): number {
    return this.#links.port;
  }

  /** Bytes of all links ever. */
  get bytesIn(): number {
    return this.#links.bytesIn;
  }

  get bytesOut(): number {
    return this.#links.bytesOut;
  }

  /** @throws TidewayError `listen.busy`, `listen.failed` */
  async start(): Promise<void> {
    const { member } = this.#needs;
    await this.#links.start();
    this.#replicas.start();
    this.#unsubscribe = member.registry.subscribe(({ is, key, epoch, node }) => {
      if (is === 'claimed') this.#replicas.originAt(node, key, epoch);
    });
  }

  /** Sends those that it feeds elsewhere, and waits a moment for them; players of this node go on. */
  async goAway(withinMs: number): Promise<void> {
    const { clock } = this.#needs;
    const deadlineMs = Math.min(withinMs, GO_AWAY_MS);
    this.#downstreams.goAway(deadlineMs);
    const untilMs = clock.now() + deadlineMs;
    while (clock.now() < untilMs && this.#feedsReplicas()) {
      await wait(clock, LOOK_EVERY_MS);
    }
  }

  /** Sends those elsewhere that this node feeds what it relays; streams of its own publishers stay to be had. */
  drain(withinMs: number): void {
    this.#downstreams.drain(withinMs);
  }

  undoDrain(): void {
    this.#downstreams.undoDrain();
  }

  /** Streams that other nodes pull from this one. */
  get childCount(): number {
    return this.#downstreams.count;
  }

  /** Ends what it pulls, closes all links. Calm when repeated. */
  async stop(why: Reason): Promise<void> {
    this.#unsubscribe();
    this.#wants.stop();
    this.#replicas.stop();
    await this.#links.stop(why);
  }

  /** The registry's nodes are as they are now. */
  nodesChanged(): void {
    const { member, nodeView } = this.#needs;
    this.#links.setNodes(member.membership.nodes().map(({ record }) => record));
    for (const node of this.#unplaced) {
      if (!nodeView(node)) continue;
      this.#unplaced.delete(node);
      this.#downstreams.recount(node);
      this.#subscriptions.recount(node);
    }
  }

  peersRegistryWallMs(): number | undefined {
    return this.#links.peersRegistryWallMs();
  }

  /** A player waits for a stream that is not here. */
  seek(key: StreamKey): void {
    this.#replicas.seek(key);
  }

  /** Asks a node, or this one, to have a stream ready for so long; 0: no longer. Who can't be reached is not told. */
  askFor(node: string, key: StreamKey, ttlMs: number): void {
    const { owner } = this.#needs.member;
    if (node === owner.node) {
      this.#wants.ask(node, key, ttlMs);
      return;
    }
    const message = { is: 'preload', key, ttlMs } as const;
    const peer = this.#links.get(node);
    if (peer) peer.send(message);
    // What is over runs out by itself.
    else if (ttlMs > 0) {
      this.#links.dial(node).then(
        (dialled) => dialled.send(message),
        (error: unknown) => {
          const fields = { stream: key, peer: node, detail: messageOf(error) };
          this.#needs.log.debug(fields, 'preload.unreachable');
        },
      );
    }
  }

  /** A stream of this node went live, into hold, or ended. */
  streamChanged(stream: Stream): void {
    this.#replicas.streamChanged(stream);
    this.#downstreams.streamChanged(stream);
  }

  /** This node became the origin of a stream: everybody is told. */
  claimed(key: StreamKey, epoch: number): void {
    this.#sources.hear(key);
    for (const peer of this.#links.list()) peer.send({ is: 'origin', key, epoch });
  }

  /** This node was the origin of a stream, and another is. */
  passedOn(stream: Stream, to: string | undefined): void {
    this.#replicas.follow(stream, to === undefined ? [] : [to]);
  }

  /** Round trip to other regions, ms, by the links of this node. */
  get rttMs(): Record<string, number> {
    const links = this.#links.list().flatMap(({ node, quality }) => {
      return quality ? [{ region: this.#parents.regionOf(node), rttMs: quality.rttMs }] : [];
    });
    return regionRtts(this.#parents.puller.region, links);
  }

  /** What others know is asked of those to whom there is a link. */
  get linked(): LinkedNodes {
    const peers = new Map(this.#links.list().map((peer) => [peer.node, peer]));
    return {
      nodes: [...peers.keys()],
      ask: async (node, query, take) => {
        const peer = peers.get(node);
        if (peer) return this.#questions.ask(peer, query, take);
        return { is: 'failed', why: LINK_CLOSED };
      },
    };
  }

  // What lists and metrics show

  /** The hop that a stream comes over; null at the origin, and between two upstreams. */
  hop(key: StreamKey): HopQuality | null {
    const hop = this.#replicas.get(key)?.hop;
    if (!hop) return null;
    const { from, delayMs, errorMs, jitterMs, rttMs, gaps, resumes, skipped } = hop;
    return {
      ...{ from, to: this.#needs.member.owner.node },
      ...{
        delayMs: delayMs ?? null,
        errorMs: errorMs ?? null,
        jitterMs: jitterMs ?? null,
        rttMs: rttMs ?? null,
      },
      ...{ gaps, resumes, skipped, queueBytes: null },
    };
  }

  /** What that hop takes, ms; undefined while nobody knows. */
  hopDelayMs(key: StreamKey): number | undefined {
    return this.#replicas.get(key)?.hopDelayMs;
  }

  /** The nodes that pull a stream here. */
  childRows(key: StreamKey): ChildRow[] {
    const stream = this.#needs.directory.get(key);
    return stream ? this.#downstreams.rowsOf(stream) : [];
  }

  /** Its links, as it tells the cluster of them. */
  links(): NodeLink[] {
    const nowMs = this.#needs.clock.now();
    return this.#links.list().map((peer) => this.#nodeLink(peer, nowMs));
  }

  link(node: string): LinkRow | undefined {
    const peer = this.#links.get(node);
    return peer && this.#linkRow(peer);
  }

  replica(key: StreamKey): ReplicaFacts | undefined {
    const replica = this.#replicas.get(key);
    if (!replica) return undefined;
    const { path, upstreamNode: upstream, standby } = replica;
    return { path, upstream, standby };
  }

  upstreamHas(key: StreamKey): 'more' | 'nothing' | 'unknown' {
    return this.#replicas.get(key)?.upstreamHas ?? 'unknown';
  }

  children(key: StreamKey): number {
    const stream = this.#needs.directory.get(key);
    return stream ? this.#downstreams.childrenOf(stream).length : 0;
  }

  get tables(): Table[] {
    return [
      ...this.#links.tables,
      ...this.#subscriptions.tables,
      this.#sources.table,
      this.#downstreams.table,
      ...this.#replicas.tables,
      this.#wants.table,
      { ...this.#wantsLog.table, table: 'wants_quiet_log' },
      this.#parents.table,
      { table: 'unplaced_nodes', entries: this.#unplaced.size, limit: MAX_UNPLACED },
      ...this.#questions.tables,
      this.#answers.table,
    ];
  }

  metrics(): MetricFamily[] {
    const sources = {
      linesLeftOut: this.#links.linesLeftOut + this.#wantsLog.leftOut,
      links: this.#links,
      subscriptions: this.#subscriptions,
      sources: this.#sources,
      downstreams: this.#downstreams,
      replicas: this.#replicas,
      wants: this.#wants,
      questions: this.#questions,
      answers: this.#answers,
    };
    return meshMetrics(sources, this.#maxStreams);
  }

  #nodeLink(peer: Peer, nowMs: number): NodeLink {
    const { receivedBytes, sentBytes, takenBytes } = peer;
    return {
      ...this.#linkRow(peer),
      ...{ node: this.#needs.member.owner.node, peer: peer.node, ageMs: nowMs - peer.sinceMs },
      ...{ receivedBytes, sentBytes, queueBytes: Math.max(0, sentBytes - takenBytes) },
    };
  }

  #linkRow({ node, quality, isDialled }: Peer): LinkRow {
    return {
      ...(quality ? measured(quality) : NO_QUALITY),
      dialledBy: isDialled ? this.#needs.member.owner.node : node,
    };
  }

  /** Of a node, for what is counted of traffic with it; empty until a beat has told of it. */
  #regionOf(node: string): string {
    const isKnown = this.#needs.nodeView(node) !== undefined;
    if (!isKnown && this.#unplaced.size < MAX_UNPLACED) this.#unplaced.add(node);
    return this.#parents.regionOf(node);
  }

  #fenced(key: StreamKey, epoch: number): void {
    this.#needs.member.claimant.see(epoch);
    void this.#needs.origins.fenced(key, epoch);
    this.#replicas.fencedAt(key);
  }

  /** Children of what it relays have somewhere to go; those of its own publishers don't. */
  #feedsReplicas(): boolean {
    for (const stream of this.#needs.directory.streams) {
      if (this.#replicas.get(stream.key) && stream.followerCount > 0) return true;
    }
    return false;
  }
}

function measured({ errorMs: _, ...quality }: LinkQuality): Omit<LinkQuality, 'errorMs'> {
  return quality;
}
