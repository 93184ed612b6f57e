// A cluster in simulated time: real directories, streams, replicas and downstreams, over links of the test's own that
// take a while, lose a peer, or fall silent. Bytes go through the real codec, copied.
import type { Reason } from '../../src/base/errors.ts';
import { Slices } from '../../src/base/slices.ts';
import type { StreamKey } from '../../src/base/stream-key.ts';
import type { ControlMessage } from '../../src/format/mesh/control.ts';
import { decodeControl, frameControl } from '../../src/format/mesh/control-codec.ts';
import { isMediaMessage, readMediaMessage } from '../../src/format/mesh/media-codec.ts';
import { MemoryBudget } from '../../src/media/memory-budget.ts';
import type { Stream } from '../../src/media/stream.ts';
import { StreamDirectory } from '../../src/media/stream-directory.ts';
import { Answers, type AnswersNeeds } from '../../src/mesh/answers.ts';
import { Downstreams } from '../../src/mesh/downstreams.ts';
import type { LinkQuality, Peer } from '../../src/mesh/peer.ts';
import { Questions } from '../../src/mesh/questions.ts';
import { Relay } from '../../src/mesh/relay.ts';
import { Replicas } from '../../src/mesh/replicas.ts';
import { Sources } from '../../src/mesh/sources.ts';
import { Subscriptions } from '../../src/mesh/subscriptions.ts';
import { Wants } from '../../src/mesh/wants.ts';
import { Parents } from '../../src/node/parents.ts';
import { RENEW_MS } from '../../src/registry/claim-keeper.ts';
import type { Lookup } from '../../src/registry/registry.ts';
import type { UpstreamDecision } from '../../src/routing/decisions.ts';
import { type PriceRule, Prices } from '../../src/routing/prices.ts';
import { FakeClock } from './fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  FakeSource,
  frameOf,
  GONE,
  KEY,
  NEWER,
  STREAM_OPTIONS,
  TestEncoder,
} from './media.ts';
import { bodiesOf } from './mesh-bytes.ts';
import { nodeRecord } from './node-record.ts';

const BEAT_MS = 200;
const CLOSED: Reason = { code: 'test.closed', message: 'the link was closed' };

/** What the simulated registry knows of the one stream. */
interface Known {
  origin: { node: string; epoch: number; state: 'live' | 'held' } | undefined;
  readonly replicas: Map<string, { epoch: number; hops: number; upstream: string }>;
}

/** One end of a link. */
class SimPeer implements Peer {
  readonly node: string;
  readonly boot = '0123456789abcdef';
  readonly #net: SimNet;
  readonly #from: SimNode;
  readonly #to: SimNode;
  readonly isDialled = true;
  isOpen = true;
  /** What does not arrive for now, and nobody is told: TCP brings it later. */
  readonly #late: Buffer[] = [];
  #isDeaf = false;
  readonly sinceMs: number;
  receivedBytes = 0;
  backlogBytes = 0;
  sentBytes = 0;
  takenBytes = 0;
  windowBytes = Number.POSITIVE_INFINITY;
  registryWallMs = undefined;
  heardMs = 0;
  other: SimPeer | undefined;

  constructor(net: SimNet, from: SimNode, to: SimNode) {
    this.#net = net;
    this.#from = from;
    this.#to = to;
    this.node = to.id;
    this.heardMs = net.clock.now();
    this.sinceMs = this.heardMs;
  }

  /** As the net has it. */
  get quality(): LinkQuality {
    const rttMs = this.#net.rttMs(this.#from.id, this.#to.id);
    const lossShare = this.#net.lossShare(this.#from.id, this.#to.id);
    return {
      rttMs,
      rttDevMs: this.#net.rttDevMs,
      offsetMs: 0,
      errorMs: rttMs / 2,
      lossShare,
      receivedBytesPerS: 0,
      sentBytesPerS: 0,
    };
  }

  send(message: ControlMessage): void {
    this.write(frameControl(message));
  }

  write(framed: Buffer): void {
    const bytes = Buffer.from(framed);
    this.#net.clock.after(this.#net.latencyMs, () => {
      if (this.#isDeaf) this.#late.push(bytes);
      else this.#arrive(bytes);
    });
  }

  deafen(isDeaf: boolean): void {
    this.#isDeaf = isDeaf;
    if (!isDeaf) for (const bytes of this.#late.splice(0)) this.#arrive(bytes);
  }

  #arrive(bytes: Buffer): void {
    const { other } = this;
    if (!this.isOpen || !other?.isOpen) return;
    other.heardMs = this.#net.clock.now();
    for (const body of bodiesOf(bytes)) {
      if (!other.isOpen) return;
      if (isMediaMessage(body)) this.#to.relay.media(other, readMediaMessage(body));
      else this.#to.relay.control(other, decodeControl(body));
    }
  }

  silentMs(nowMs: number): number {
    return nowMs - this.heardMs;
  }

  close(why: Reason = CLOSED): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#from.links.delete(this.node);
    this.#from.relay.closed(this, why);
    this.other?.close(why);
  }
}

export class SimNode {
  readonly id: string;
  readonly links = new Map<string, SimPeer>();
  readonly directory: StreamDirectory;
  readonly replicas: Replicas;
  readonly downstreams: Downstreams;
  readonly subscriptions: Subscriptions;
  readonly wants: Wants;
  readonly questions: Questions;
  readonly answers: Answers;
  readonly slices: Slices;
  /** What it answers to other nodes. */
  answer: AnswersNeeds['answer'] = () => ({ total: 0, rows: [] });
  readonly relay: Relay;
  readonly log = new FakeLog();
  readonly sinks: FakeSink[] = [];
  /** Who fed it, and why. */
  readonly decisions: UpstreamDecision[] = [];
  /** As its record has it. */
  cpu = 0;
  isDraining = false;
  readonly #net: SimNet;
  isUp = true;
  /** A backup publisher does. */
  standsBy = false;
  #source: FakeSource | undefined;
  #nextSeq = 1;

  constructor(net: SimNet, id: string) {
    this.id = id;
    this.#net = net;
    const { clock } = net;
    const { log } = this;
    this.directory = new StreamDirectory(
      { maxStreams: 10, waitMs: 60_000, maxWaitingKeys: 10 },
      STREAM_OPTIONS,
      {
        ...{ clock, log, budget: new MemoryBudget(2 ** 40) },
        seek: (key) => this.replicas.seek(key),
        changed: (stream) => {
          this.replicas.streamChanged(stream);
          this.downstreams.streamChanged(stream);
        },
      },
    );
    const streamOf = (key: StreamKey) => this.directory.get(key);
    this.subscriptions = new Subscriptions({ clock });
    this.downstreams = new Downstreams(
      { softChildren: net.softChildren, maxChildren: 64 },
      {
        ...{ clock, log, streamOf, priorityOf: () => 0, refusesJoins: () => false },
        fenced: (key) => this.replicas.fencedAt(key),
        placeInTree: (stream) => this.replicas.placeInTree(stream),
      },
    );
    const sources = new Sources({
      ...{ clock, log, subscriptions: this.subscriptions },
      lookup: async (key) => net.lookup(key),
      peers: () => [...this.links.values()],
    });
    this.wants = new Wants({
      ...{
        clock,
        log,
        quietLog: { wantRefused: () => {} },
        isDraining: () => false,
        refusesJoins: () => false,
      },
      isHere: (key) => this.directory.has(key) || this.replicas.get(key) !== undefined,
      seek: (key) => this.replicas.seek(key),
    });
    this.replicas = new Replicas(
      { self: id, holdMs: 30_000, lingerMs: 10_000 },
      {
        ...{ clock, log, random: net.random, subscriptions: this.subscriptions, sources, streamOf },
        linkTo: (node) => this.links.get(node),
        dial: async (node) => net.dial(this, node),
        stream: (key) => this.directory.feed(key),
        isWanted: (key) => this.wants.has(key),
        standsBy: () => this.standsBy,
        parents: this.#parents(),
        decided: (decision) => this.decisions.push(decision),
        isWaitedFor: (key) => this.directory.isWaitedFor(key),
        pathChanged: (stream) => this.downstreams.pathChanged(stream),
        sawEpoch: () => {},
        register: {
          keep: (_key, replica) => net.known.replicas.set(id, replica),
          drop: () => net.known.replicas.delete(id),
        },
      },
    );
    this.slices = new Slices({ clock });
    this.questions = new Questions({ clock });
    this.answers = new Answers({
      ...{ clock, log, slices: this.slices },
      answer: (peer, query) => this.answer(peer, query),
    });
    this.relay = new Relay({
      ...{ subscriptions: this.subscriptions, downstreams: this.downstreams, replicas: this.replicas },
      ...{ questions: this.questions, answers: this.answers },
      isPlausible: () => true,
      originAt: (node, key, epoch) => this.replicas.originAt(node, key, epoch),
      fenced: (key) => this.replicas.fencedAt(key),
      wanted: (node, key, ttlMs) => void this.wants.ask(node, key, ttlMs),
      stops: () => {},
    });
    this.replicas.start();
  }

  get stream(): Stream | undefined {
    return this.directory.get(KEY);
  }

  get region(): string {
    return this.#net.regions[this.id] ?? '';
  }

  #parents(): Parents {
    const { id, region } = this;
    const record = (node: string) => {
      const { region: of, cpu, isDraining } = this.#net.node(node);
      const { load } = nodeRecord(node);
      return { region: of, draining: isDraining, load: { ...load, cpu } };
    };
    const quality = (node: string) => this.links.get(node)?.quality;
    return new Parents(
      { node: id, region, prices: this.#net.prices },
      { record, quality, rttMs: () => undefined },
    );
  }

  /** The node that feeds it. */
  get parent(): string | undefined {
    return this.replicas.get(KEY)?.upstreamNode;
  }

  get isOrigin(): boolean {
    return this.#source !== undefined;
  }

  /** A player comes. */
  async play(): Promise<void> {
    const sink = new FakeSink();
    this.sinks.push(sink);
    const signal = new AbortController().signal;
    const request = {
      key: KEY,
      query: new URLSearchParams(),
      protocol: 'http-flv',
      remote: 'test',
      signal,
    } as const;
    const stream = await this.directory.open(request);
    sink.player = stream.play(this.#net.encoder, sink, { remote: 'test' });
  }

  /** An encoder publishes here. @param isProvisional the registry does not hear of it */
  publish(epoch: number, isProvisional = false): void {
    const source = new FakeSource(epoch);
    this.#source = source;
    this.#nextSeq = 1;
    if (!isProvisional) this.#net.known.origin = { node: this.id, epoch, state: 'live' };
    const stream = this.directory.feed(KEY);
    stream.attach(source, NEWER);
    for (const peer of this.links.values()) peer.send({ is: 'origin', key: KEY, epoch });
    // Whoever was the origin before is told by the next renewal of its claim.
    this.#net.clock.after(RENEW_MS, () => this.#net.tellLost(epoch));
  }

  /** The encoder's next frame: a key frame each second. */
  tick(id: number): void {
    if (!this.#source || !this.isUp) return;
    const { epoch } = this.#source;
    if (this.#nextSeq === 1) this.stream?.begin({ epoch, from: 1, firstDts: 100, newestDts: 100 });
    const name = this.#nextSeq % 10 === 1 ? 'avc key' : 'avc delta';
    const frame = frameOf(name, id, this.#nextSeq * 100);
    this.stream?.append(Object.assign(frame, { seq: this.#nextSeq }));
    this.#nextSeq += 1;
  }

  /** The encoder goes; the stream is held. */
  unpublish(): void {
    const source = this.#source;
    this.#source = undefined;
    if (source) this.stream?.detach(source, GONE, 30_000);
  }

  beat(): void {
    for (const peer of this.links.values()) {
      peer.send({ is: 'beat', at: 0, registryWallMs: 0, ...this.relay.heads(peer) });
    }
  }

  /** kill -9. */
  kill(): void {
    this.isUp = false;
    this.replicas.stop();
    for (const peer of [...this.links.values()]) peer.close();
  }
}

export interface SimOptions {
  readonly latencyMs?: number;
  readonly softChildren?: number;
  readonly random?: () => number;
  /** By node; all others have none. */
  readonly regions?: Readonly<Record<string, string>>;
  readonly prices?: readonly PriceRule[];
  /** Which pairs have a link from the start; without it all. */
  readonly isLinked?: (a: string, b: string) => boolean;
}

export class SimNet {
  readonly clock = new FakeClock();
  readonly encoder = new TestEncoder();
  readonly nodes: SimNode[];
  readonly known: Known = { origin: undefined, replicas: new Map() };
  readonly latencyMs: number;
  readonly softChildren: number;
  readonly random: () => number;
  readonly regions: Readonly<Record<string, string>>;
  readonly prices: Prices;
  /** What links measure. */
  rttMs: (from: string, to: string) => number = () => 2;
  rttDevMs = 0;
  lossShare: (from: string, to: string) => number = () => 0;
  /** Pairs of nodes, `ab`, that can't reach each other: a dial is refused. */
  readonly walls = new Set<string>();
  /** Lookups fail, or are answered by what was remembered so long ago. */
  registry: 'there' | 'away' | { readonly ageMs: number } = 'there';
  #lastId = 0;
  #frameDueMs: number;
  #beatDueMs: number;

  constructor(ids: readonly string[], how: SimOptions = {}) {
    this.latencyMs = how.latencyMs ?? 1;
    this.softChildren = how.softChildren ?? 6;
    this.random = how.random ?? (() => 0.5);
    this.regions = how.regions ?? {};
    this.prices = new Prices(how.prices);
    this.nodes = ids.map((id) => new SimNode(this, id));
    this.#frameDueMs = this.clock.now();
    this.#beatDueMs = this.clock.now();
    const { isLinked = () => true } = how;
    for (const a of this.nodes) {
      for (const b of this.nodes) if (a.id < b.id && isLinked(a.id, b.id)) this.link(a, b);
    }
  }

  node(id: string): SimNode {
    const node = this.nodes.find((one) => one.id === id);
    if (!node) throw new Error(`no node ${id}`);
    return node;
  }

  get up(): SimNode[] {
    return this.nodes.filter(({ isUp }) => isUp);
  }

  /** A link between two nodes comes up. */
  link(a: SimNode, b: SimNode): SimPeer {
    const ab = new SimPeer(this, a, b);
    const ba = new SimPeer(this, b, a);
    ab.other = ba;
    ba.other = ab;
    a.links.set(b.id, ab);
    b.links.set(a.id, ba);
    a.relay.opened(ab);
    b.relay.opened(ba);
    return ab;
  }

  /** Both ends of a link hear nothing any more, or hear again. */
  deafen(a: string, b: string, isDeaf: boolean): void {
    for (const peer of [this.node(a).links.get(b), this.node(b).links.get(a)]) peer?.deafen(isDeaf);
  }

  /** A claim was lost to this one, if it still stands. */
  tellLost(epoch: number): void {
    const { origin } = this.known;
    if (origin?.epoch !== epoch) return;
    for (const { isOrigin, stream, replicas } of this.up) {
      if (!isOrigin && stream?.state.at === 'held') replicas.follow(stream, [origin.node]);
    }
  }

  dial(from: SimNode, id: string): Peer {
    const to = this.nodes.find((node) => node.id === id && node.isUp);
    if (!to || this.walls.has([from.id, id].sort().join(''))) throw new Error(`${id} can't be reached`);
    return from.links.get(id) ?? this.link(from, to);
  }

  lookup(key: StreamKey): Lookup {
    const boot = '0123456789abcdef';
    const { origin, replicas } = this.known;
    if (this.registry === 'away') throw new Error('the registry is away');
    return {
      key,
      origin: origin && {
        ...{ ...origin, boot, publisher: 'p', reason: 'publish', sinceWallMs: 0, leaseMs: 1000 },
      },
      replicas: [...replicas]
        .map(([node, replica]) => ({ node, boot, leaseMs: 1000, ...replica, at: this.random() }))
        .sort((a, b) => a.at - b.at),
      backup: undefined,
      highestEpoch: origin?.epoch ?? 0,
      ageMs: this.registry === 'there' ? 0 : this.registry.ageMs,
    };
  }

  /** Lets time go by in small steps: frames each 100 ms, beats each 200 ms. `each` is called after every step. */
  async run(ms: number, each: () => void = () => {}): Promise<void> {
    const untilMs = this.clock.now() + ms;
    while (this.clock.now() < untilMs) {
      const nowMs = this.clock.now();
      if (nowMs >= this.#frameDueMs) {
        this.#frameDueMs += 100;
        this.#lastId += 1;
        for (const node of this.up) node.tick(this.#lastId);
      }
      if (nowMs >= this.#beatDueMs) {
        this.#beatDueMs += BEAT_MS;
        for (const node of this.up) node.beat();
      }
      this.clock.pass(this.latencyMs);
      await settled();
      each();
    }
  }

  /** Frames that a publisher has sent. */
  get sent(): number {
    return this.#lastId;
  }
}

/** Nodes that feed each other in a ring, as the upstreams of all nodes stand now. */
export function ringIn(nodes: readonly SimNode[]): string[] | undefined {
  const parents = new Map(nodes.map((node) => [node.id, node.parent]));
  for (const { id } of nodes) {
    const way: string[] = [];
    for (let at: string | undefined = id; at !== undefined; at = parents.get(at)) {
      if (way.includes(at)) return way.slice(way.indexOf(at)).sort();
      way.push(at);
    }
  }
  return undefined;
}

/** Promises that can be settled are. */
async function settled(): Promise<void> {
  for (let round = 0; round < 8; round += 1) await Promise.resolve();
}
