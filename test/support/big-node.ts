// A node of a big cluster, without doors and peers: its streams, claims, looks, routing and registry are the real ones, put
// together as relay-node.ts does.
import { systemClock } from '../../src/base/clock.ts';
import { Slices } from '../../src/base/slices.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { loadConfig } from '../../src/config/load.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { MemoryBudget } from '../../src/media/memory-budget.ts';
import { StreamDirectory } from '../../src/media/stream-directory.ts';
import type { MetricSources } from '../../src/node/node-metrics.ts';
import { nodeMetrics } from '../../src/node/node-metrics.ts';
import { Publishing } from '../../src/node/publishing.ts';
import { QualityWatch } from '../../src/node/quality-watch.ts';
import { NodeRouting } from '../../src/node/routing.ts';
import { routingMetrics } from '../../src/node/routing-metrics.ts';
import { SIGHT_OF_ONE } from '../../src/node/standbys.ts';
import { StreamHolders } from '../../src/node/stream-holders.ts';
import { streamMetrics } from '../../src/node/stream-metrics.ts';
import { tallyStreams } from '../../src/node/stream-tally.ts';
import { LoadProbe } from '../../src/observe/load-probe.ts';
import { CodeCounter, type MetricFamily } from '../../src/observe/metrics.ts';
import { OthersSum } from '../../src/observe/others-sum.ts';
import { Claimant } from '../../src/registry/claimant.ts';
import { GuardedRegistry } from '../../src/registry/guarded.ts';
import { Membership } from '../../src/registry/membership.ts';
import { MemoryRegistry, MemoryState } from '../../src/registry/memory.ts';
import { ReplicaKeeper } from '../../src/registry/replica-keeper.ts';
import { authorizerOf } from './authorizing.ts';
import { FakeLog, payloadOf } from './media.ts';
import { nodeRecord } from './node-record.ts';
import { ownerOf } from './registries.ts';
import { until } from './until.ts';

const SELF = 'node-0';
const REGIONS = ['eu', 'us', 'asia', 'africa'];
const NONE = { connections: 0, accepted: 0, turnedAway: 0, bytesIn: 0, bytesOut: 0, reconnectRequests: 0 };

export class BigNode implements AsyncDisposable {
  readonly directory: StreamDirectory;
  readonly watch: QualityWatch;
  readonly #config = loadConfig({ flags: { 'node.id': SELF, 'limits.streams': '20000' } });
  readonly #state = new MemoryState();
  readonly #memory = new MemoryRegistry({ clock: systemClock, state: this.#state });
  readonly #registry = new GuardedRegistry(this.#memory, { clock: systemClock });
  readonly #budget = new MemoryBudget(2 ** 40);
  readonly #membership: Membership;
  readonly #publishing: Publishing;
  readonly #replicas: ReplicaKeeper;
  readonly #routing: NodeRouting;
  readonly #holders: StreamHolders;
  readonly load: LoadProbe;
  readonly #others = new OthersSum();
  readonly #slices = new Slices({ clock: systemClock });
  readonly #counter = new CodeCounter();

  constructor() {
    const [clock, log, owner] = [systemClock, new FakeLog(), ownerOf(SELF)];
    const registry = this.#registry;
    const needs = { clock, log };
    this.load = new LoadProbe(
      { capacityMbps: undefined },
      { clock, traffic: () => ({ sentBytes: 0, receivedBytes: 0 }) },
    );
    const record = () => nodeRecord(SELF, { boot: owner.boot, region: 'eu' });
    this.#membership = new Membership(owner, {
      ...{ ...needs, registry, random: Math.random, record },
      peersRegistryWallMs: () => undefined,
      ...{ changed: () => {}, wiped: () => {}, back: () => {}, taken: () => {} },
    });
    this.#replicas = new ReplicaKeeper({ owner, registry, clock, random: Math.random });
    this.directory = new StreamDirectory(
      { maxStreams: 20_000, waitMs: 1_000, maxWaitingKeys: 10 },
      { log: this.#config.stream, player: this.#config.player, maxDelayMs: 0 },
      {
        ...{ ...needs, budget: this.#budget, seek: () => {} },
        changed: (stream) => {
          this.#publishing.claims.streamChanged(stream);
          this.watch.streamChanged(stream);
        },
      },
    );
    this.watch = new QualityWatch(this.#config.alarms, {
      ...{ ...needs, node: SELF, streams: () => this.directory.streams },
      mesh: { replica: () => undefined, upstreamHas: () => 'nothing', hopDelayMs: () => undefined },
    });
    this.#publishing = new Publishing(
      { policy: 'reject', holds: this.#config.publish, maxStandbys: 10 },
      {
        ...{ ...needs, registry, budget: this.#budget, directory: this.directory, sight: SIGHT_OF_ONE },
        authorizer: authorizerOf(),
        claimant: new Claimant(
          { owner, tag: 7, whileAway: 'accept' },
          { registry, registryWallMs: () => this.#memory.registryWallMs() },
        ),
        ...{ claimed: () => {}, passedOn: () => {} },
      },
    );
    this.#holders = new StreamHolders({
      self: SELF,
      remembered: (key) => registry.remembered(key),
      lookup: (key) => registry.lookup(key),
      isHere: (key) => this.directory.has(key),
    });
    this.#routing = new NodeRouting(this.#config, {
      ...{ ...needs, version: '0.0.0', holders: this.#holders, self: record },
      others: () => this.#membership.nodes(),
      ...{ isRegistryUp: () => true, isLinked: () => false },
    });
  }

  /** Puts other nodes into the registry, streams on this node, and looks at all of them. */
  async fill({ nodes, streams }: { readonly nodes: number; readonly streams: number }): Promise<void> {
    for (let at = 0; at < streams; at += 1) await this.#publish(`stream-${at}`);
    this.watch.start();
    await this.beat(nodes);
    this.#routing.refresh();
  }

  /** All nodes beat, this one last: their leases are 4 s. */
  async beat(nodes: number): Promise<void> {
    for (let at = 1; at <= nodes; at += 1) {
      const region = REGIONS[at % REGIONS.length] ?? '';
      await this.#memory.beat(nodeRecord(`node-${at}`, { region, rtmp: 'x:1', http: 'x:2' }));
    }
    if (this.#membership.state.at === 'new') await this.#membership.start();
    this.#membership.beatNow();
    await until('it sees them', () => this.#membership.nodes().length === nodes);
  }

  async families(): Promise<MetricFamily[]> {
    const tally = await this.#slices.run(
      tallyStreams(
        { directory: this.directory, watch: this.watch, droppedOfOthers: this.#others },
        this.#config.metrics.streams,
      ),
    );
    return nodeMetrics({
      version: '0.0.0',
      node: { node: SELF, region: 'eu', zone: '' },
      isReady: true,
      certificates: [],
      tables: [...this.directory.tables, ...this.#publishing.tables, ...this.#registry.tables],
      ...{ rtmp: NONE, http: undefined, directory: this.directory, publishing: this.#publishing },
      drain: { state: 'serving', players: 0, publishers: 0, children: 0 } as MetricSources['drain'],
      member: {
        ...{ registry: this.#registry, membership: this.#membership, replicas: this.#replicas },
        load: this.load,
      },
      routing: routingMetrics({
        ...{ router: this.#routing.router, decisions: this.#routing.decisions, holders: this.#holders },
      }),
      tally,
      quality: streamMetrics({ tally, watch: this.watch }),
      ...{ mesh: [], ask: [], sessions: [], budget: this.#budget, wireErrors: this.#counter },
      refusals: { rtmp: this.#counter, http: this.#counter },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const why = { code: 'test.over', message: 'the test is over' };
    this.watch.stop();
    this.directory.stop(why);
    this.#replicas.close();
    await this.#membership.leave();
    await this.#registry.close();
  }

  async #publish(name: string): Promise<void> {
    const inlet = await this.#publishing.open({
      key: parseStreamKey('live', name),
      ...{ query: new URLSearchParams(), protocol: 'rtmp', remote: '203.0.113.2:40000', ended: () => {} },
      session: name,
    });
    inlet.append(FrameKind.video, 0, payloadOf('avc header', 0));
    inlet.append(FrameKind.video, 0, payloadOf('avc key', 1, 400));
    inlet.append(FrameKind.video, 40, payloadOf('avc delta', 2, 100));
  }
}
