// A simulated cluster: nodes that beat, join and die, streams, and players that ask any node where to go, as the real
// routers tell them.
import type { StreamKey } from '../../src/base/stream-key.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Decisions } from '../../src/routing/decisions.ts';
import type { NodeView } from '../../src/routing/node-view.ts';
import { type RouteAsk, Router, type RouterOptions } from '../../src/routing/router.ts';
import { Agenda } from './agenda.ts';
import { BEAT_MS, SimNode, VERSION } from './node.ts';
import { Random, Weighted, zipf } from './random.ts';
import { type Copy, StreamTree } from './tree.ts';
import type { Size, World } from './world.ts';

const LEASE_MS = 4_000;
/** So many nodes answer who asks where to go, as not all of a large cluster have to stand in DNS. */
const MAX_ASKED = 100;
/** Part of the players who ask a node of their own region; DNS sends the others anywhere. */
const ASKS_NEAR = 0.9;
/** Part of the players who come from the region of the publisher. */
const HOME = 0.5;
/** One of so many players has a session of its own. */
const SESSIONS_OF = 4;
const ZIPF_EXPONENT = 0.9;
/** Mbit/s of streams. */
const RATES_MBPS = [0.8, 1.2, 2, 2, 4];
const BYTES_PER_MBIT = 125_000;
const REVIEW_MS = 1_000;
/** Trees are looked at in so many groups, one after the other. */
const REVIEW_GROUPS = 10;
/** Until a player whose node died, or was never there, asks again. */
const AGAIN_MS = { least: 200, most: 1_500 };
/** Sizes of nodes, relative to each other. */
const NODE_SIZES = [0.5, 1, 1, 2];

export interface SimStream {
  readonly key: StreamKey;
  readonly region: number;
  readonly tree: StreamTree;
  publisher: SimNode | undefined;
}

export interface ClusterOptions extends Size {
  readonly seed: string;
  readonly world: World;
  /** How busy nodes are in the mean when all players are there; it makes their size. */
  readonly busy: number;
  /** How long a player stays in the mean. */
  readonly stayMs: number;
}

/** Who looks on. */
export interface Onlooker {
  linked(tree: StreamTree, copy: Copy): void;
  /** A player was sent to a node, out of those that lived then. */
  arrived(node: SimNode): void;
}

/** Forgets at once. */
export class NoDecisions extends Decisions {
  override add(): void {
    this.count += 1;
  }
}

export class SimCluster {
  readonly agenda = new Agenda();
  readonly options: ClusterOptions;
  readonly nodes: SimNode[] = [];
  readonly streams: SimStream[] = [];
  onlooker: Onlooker | undefined;
  /** Players that are told to go to a dead node, and how long it was dead then at most. */
  toTheDead = 0;
  longestDeadMs = 0;
  /** Asks that no node was left for. */
  unmet = 0;
  decisions = 0;
  players = 0;
  /** Of all nodes, as the registry has them, and until when. */
  readonly #records = new Map<string, { readonly view: NodeView; readonly untilMs: number }>();
  readonly #byName = new Map<string, SimNode>();
  readonly #random: Record<'world' | 'arrivals' | 'routes' | 'trees' | 'beats', Random>;
  readonly #routing: Pick<RouterOptions, 'weights' | 'limits'>;
  readonly #popularity: Weighted;
  readonly #regionShares: Weighted;
  readonly #rttMs: readonly NodeView['rttMs'][];
  /** By player: its stream, its region, and its node (-1: none). */
  readonly #streamOf: number[] = [];
  readonly #regionOf: number[] = [];
  readonly #nodeOf: (SimNode | undefined)[] = [];
  readonly #playersOf = new Map<SimNode, Set<number>>();
  #bytesPerPlayer = 0;
  #nodeCount = 0;
  #arrivalMeanMs = Number.POSITIVE_INFINITY;
  #arrivalEra = 0;
  #staysFromMs = 0;
  #except = -1;
  #isFrozen = false;

  constructor(options: ClusterOptions) {
    const { seed, world } = options;
    this.options = options;
    const random = (part: string) => new Random(`${seed} ${part}`);
    this.#random = {
      ...{ world: random('world'), arrivals: random('arrivals'), routes: random('routes') },
      ...{ trees: random('trees'), beats: random('beats') },
    };
    const { weights, limits } = loadConfig({ newNodeId: () => 'sim' }).routing;
    this.#routing = { weights, limits: { ...limits, players: limits.players } };
    this.#popularity = new Weighted(zipf(options.streams, ZIPF_EXPONENT));
    this.#regionShares = new Weighted(world.regions.map(({ share }) => share));
    this.#rttMs = world.rttMs.map((row, from) => {
      const others = world.regions.map(({ name }, to) => [name, row[to] ?? 0] as const);
      return Object.fromEntries(others.filter((_, to) => to !== from));
    });
    for (let at = 0; at < options.streams; at += 1) this.#addStream(at);
    this.#bytesPerPlayer = this.#meanRate();
    for (const region of this.#spread(options.nodes)) this.addNode(region);
    this.agenda.each(REVIEW_MS / REVIEW_GROUPS, 0, () => this.#review());
  }

  get live(): SimNode[] {
    return this.nodes.filter(({ isAlive }) => isAlive);
  }

  /** A node starts. Its first beat makes it known. */
  addNode(region: number): SimNode {
    const { world } = this.options;
    this.#nodeCount += 1;
    const regionName = world.regions[region]?.name ?? '';
    const name = `${regionName}-${this.#nodeCount}`;
    const isAsked = (this.#nodeCount - 1) % Math.ceil(this.options.nodes / MAX_ASKED) === 0;
    const router = isAsked ? this.#newRouter(name) : this.#routerIn(region);
    const size = NODE_SIZES[this.#nodeCount % NODE_SIZES.length] ?? 1;
    const capacityBytesPerS = this.#capacityOf(region) * size;
    const node = new SimNode({ name, region, regionName, capacityBytesPerS, isAsked }, router);
    this.nodes.push(node);
    this.#byName.set(name, node);
    this.#playersOf.set(node, new Set());
    const beat = () => {
      if (!node.isAlive) return;
      this.agenda.at(this.agenda.now() + BEAT_MS, beat);
      this.#beat(node);
    };
    this.agenda.at(this.agenda.now() + this.#random.beats.share() * BEAT_MS, beat);
    return node;
  }

  #newRouter(self: string): Router {
    return new Router(
      { self, version: VERSION, prices: this.options.world.prices, ...this.#routing },
      {
        clock: this.agenda,
        random: () => this.#random.routes.share(),
        decisions: new NoDecisions(() => 0),
      },
    );
  }

  /** That of another node there, which sees the same. */
  #routerIn(region: number): Router {
    const asked = this.nodes.filter(({ isAsked, isAlive }) => isAsked && isAlive);
    return (asked.find((node) => node.region === region) ?? asked[0])?.router ?? this.#newRouter('nobody');
  }

  /** A node dies at once. Its players and publishers come back by themselves. */
  kill(node: SimNode): void {
    node.isAlive = false;
    node.diedAtMs = this.agenda.now();
    for (const { tree } of this.streams) tree.died(node);
    for (const stream of this.streams) {
      if (stream.publisher !== node) continue;
      stream.publisher = undefined;
      this.agenda.at(this.#again(), () => this.publish(stream));
    }
    for (const player of this.#playersOf.get(node) ?? []) {
      this.#nodeOf[player] = undefined;
      this.agenda.at(this.#again(), this.#ask, player);
    }
    this.#playersOf.get(node)?.clear();
    node.sentBytesPerS = 0;
  }

  /** A publisher asks where to go, and publishes there. */
  publish(stream: SimStream): void {
    const { region, key, tree } = stream;
    const node = this.#route(region, {
      ...{ kind: 'publish', stream: key, holders: undefined, session: undefined, bytesPerS: tree.bytesPerS },
    });
    if (!node?.isAlive) {
      this.agenda.at(this.#again(), () => this.publish(stream));
      return;
    }
    stream.publisher = node;
    tree.publish(node);
  }

  /** All publishers come within a time. */
  publishAll(withinMs: number): void {
    for (const [at, stream] of this.streams.entries()) {
      this.agenda.at(this.agenda.now() + (at / this.streams.length) * withinMs, () => this.publish(stream));
    }
  }

  /**
   * So many players come each second from now on, to streams by their popularity; and leave, but not before a time.
   * @param except nobody comes to this stream
   */
  arrive(perS: number, staysFromMs = this.agenda.now(), except = -1): void {
    this.#arrivalMeanMs = 1_000 / perS;
    this.#staysFromMs = staysFromMs;
    this.#except = except;
    this.#arrivalEra += 1;
    if (perS > 0) this.#nextArrival(this.#arrivalEra);
  }

  /** Nobody comes or goes any more. */
  freeze(): void {
    this.arrive(0);
    this.#isFrozen = true;
  }

  /** One more player of a stream; for good. */
  addPlayer(stream: number): void {
    const player = this.#newPlayer(stream);
    this.#ask(player);
  }

  #nextArrival(era: number): void {
    this.agenda.at(this.agenda.now() + this.#random.arrivals.wait(this.#arrivalMeanMs), () => {
      if (era !== this.#arrivalEra) return;
      const stream = this.#popularity.draw(this.#random.arrivals);
      if (stream !== this.#except) this.#arrive(stream);
      this.#nextArrival(era);
    });
  }

  #arrive(stream: number): void {
    const player = this.#newPlayer(stream);
    const fromMs = Math.max(this.agenda.now(), this.#staysFromMs);
    if (Number.isFinite(fromMs)) {
      this.agenda.at(fromMs + this.#random.arrivals.wait(this.options.stayMs), this.#leave, player);
    }
    this.#ask(player);
  }

  #newPlayer(stream: number): number {
    const random = this.#random.arrivals;
    const home = this.streams[stream]?.region ?? 0;
    this.#streamOf.push(stream);
    this.#regionOf.push(random.share() < HOME ? home : this.#regionShares.draw(random));
    this.#nodeOf.push(undefined);
    this.players += 1;
    return this.#streamOf.length - 1;
  }

  readonly #ask = (player: number): void => {
    const stream = this.streams[this.#streamOf[player] ?? -1];
    if (!stream) return;
    const { tree, key } = stream;
    const { nodes } = tree.known;
    const node = this.#route(this.#regionOf[player] ?? 0, {
      kind: 'play',
      stream: key,
      holders: { origin: stream.publisher?.name, nodes },
      session: player % SESSIONS_OF === 0 ? `session ${player}` : undefined,
      bytesPerS: tree.bytesPerS,
    });
    if (!node?.isAlive) {
      this.agenda.at(this.#again(), this.#ask, player);
      return;
    }
    this.#nodeOf[player] = node;
    this.#playersOf.get(node)?.add(player);
    node.players += 1;
    tree.addPlayer(node);
    this.onlooker?.arrived(node);
  };

  readonly #leave = (player: number): void => {
    if (this.#isFrozen) return;
    const stream = this.#streamOf[player] ?? -1;
    const node = this.#nodeOf[player];
    this.#streamOf[player] = -1;
    this.#nodeOf[player] = undefined;
    this.players -= 1;
    if (!node) return;
    this.#playersOf.get(node)?.delete(player);
    node.players -= 1;
    this.streams[stream]?.tree.removePlayer(node);
  };

  /** Asks a node that lives where to go, and says where. */
  #route(
    region: number,
    ask: Pick<RouteAsk, 'kind' | 'stream' | 'holders' | 'session' | 'bytesPerS'>,
  ): SimNode | undefined {
    const { world } = this.options;
    const random = this.#random.routes;
    const place = { region: world.regions[region]?.name ?? '', zone: '' };
    const asked = this.#anyNode(random.share() < ASKS_NEAR ? region : undefined);
    const { node: name } = asked.router.route({ ...ask, place, door: undefined });
    this.decisions += 1;
    const node = this.#byName.get(name ?? '');
    if (!node) this.unmet += 1;
    else if (!node.isAlive) {
      this.toTheDead += 1;
      this.longestDeadMs = Math.max(this.longestDeadMs, this.agenda.now() - node.diedAtMs);
    }
    return node;
  }

  /** A node that lives, of a region if one does there. */
  #anyNode(region: number | undefined): SimNode {
    const random = this.#random.routes;
    for (let turn = 0; turn < 1_000; turn += 1) {
      const node = random.pick(this.nodes);
      if (
        node.isAlive &&
        node.isAsked &&
        node.isReady &&
        (region === undefined || node.region === region || turn > 500)
      )
        return node;
    }
    throw new Error('no node lives');
  }

  #beat(node: SimNode): void {
    const nowMs = this.agenda.now();
    const rttMs = this.#rttMs[node.region] ?? {};
    this.#records.set(node.name, { view: node.beat(rttMs), untilMs: nowMs + LEASE_MS });
    if (!node.isAsked) return;
    const views: NodeView[] = [];
    for (const [name, { view, untilMs }] of this.#records) {
      if (untilMs > nowMs) views.push(view);
      else this.#records.delete(name);
    }
    node.router.setNodes(views);
  }

  #review(): void {
    const group = Math.round(this.agenda.now() / (REVIEW_MS / REVIEW_GROUPS)) % REVIEW_GROUPS;
    for (let at = group; at < this.streams.length; at += REVIEW_GROUPS) this.streams[at]?.tree.reviewAll();
  }

  #addStream(at: number): void {
    const { world } = this.options;
    const region = this.#regionShares.draw(this.#random.world);
    const rate = RATES_MBPS[at % RATES_MBPS.length] ?? 2;
    const tree = new StreamTree(rate * BYTES_PER_MBIT, {
      ...{ agenda: this.agenda, world, random: this.#random.trees },
      linked: (of, copy) => this.onlooker?.linked(of, copy),
    });
    this.streams.push({ key: `live/${at}` as StreamKey, region, tree, publisher: undefined });
  }

  #again(): number {
    return this.agenda.now() + this.#random.arrivals.between(AGAIN_MS.least, AGAIN_MS.most);
  }

  /** Regions of so many nodes, by their shares. */
  #spread(nodes: number): number[] {
    const { regions } = this.options.world;
    const counts = regions.map(({ share }) => Math.max(1, Math.round(share * nodes)));
    return counts.flatMap((count, region) => Array.from({ length: count }, () => region));
  }

  /** Of a stream, by how often it is played. */
  #meanRate(): number {
    const weights = zipf(this.options.streams, ZIPF_EXPONENT);
    const sum = weights.reduce((all, weight) => all + weight, 0);
    return (
      weights.reduce((all, weight, at) => all + weight * (this.streams[at]?.tree.bytesPerS ?? 0), 0) / sum
    );
  }

  /** So that nodes of the region are as busy as is asked for when all players are there. */
  #capacityOf(region: number): number {
    const { players, nodes, busy, world, streams } = this.options;
    const share = world.regions[region]?.share ?? 0;
    const count = Math.max(1, Math.round(share * nodes));
    const size = NODE_SIZES.reduce((sum, each) => sum + each, 0) / NODE_SIZES.length;
    // Relays send some more than players take: about two copies of each stream.
    const bytesPerS = (players + 2 * streams) * this.#bytesPerPlayer * share;
    return bytesPerS / (count * size * busy);
  }
}
