// The composition root: builds one node of its configuration, starts it, stops it. It wires, and decides nothing.
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { Authorizer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/schema.ts';
import { FlvPlayRoute } from '../flv/player.ts';
import { FlvPublishRoute } from '../flv/publisher.ts';
import { WsFlvPlayRoute } from '../flv/ws-player.ts';
import { healthRoutes, watchRoutes } from '../http/api.ts';
import { loadAssets } from '../http/assets.ts';
import { clusterRoutes } from '../http/cluster-api.ts';
import type { Route } from '../http/route.ts';
import { HttpServer } from '../http/server.ts';
import { MemoryBudget } from '../media/memory-budget.ts';
import { type OpenStream, StreamDirectory } from '../media/stream-directory.ts';
import { CodeCounter } from '../observe/metrics.ts';
import { Claimant } from '../registry/claimant.ts';
import { epochTag } from '../registry/epoch.ts';
import { GuardedRegistry } from '../registry/guarded.ts';
import { MemoryRegistry } from '../registry/memory.ts';
import type { NodeRecord, Owner } from '../registry/registry.ts';
import { RtmpServer } from '../rtmp/server.ts';
import { ClusterSummaries } from './cluster-summaries.ts';
import { Closer } from './lifecycle.ts';
import { nodeMetrics } from './node-metrics.ts';
import { Publishing } from './publishing.ts';
import { localStreams, streamSummaries } from './stream-summaries.ts';

export interface NodeNeeds {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
}

/** The part of the container's memory that frame logs may take, unless `memory.budgetBytes` says. */
const BUDGET_SHARE = 0.25;
/** The part of `shutdown.graceMs` that RTMP peers may take to close; HTTP has the rest. */
const RTMP_STOP_SHARE = 0.7;
const WATCH_FOLDER = new URL('../../dist/web/watch/', import.meta.url);

/** The version in package.json. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export class RelayNode {
  readonly #config: Config;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #authorizer: Authorizer;
  readonly #budget: MemoryBudget;
  readonly #directory: StreamDirectory;
  readonly #publishing: Publishing;
  readonly #summaries: ClusterSummaries;
  readonly #refusals = { rtmp: new CodeCounter(), http: new CodeCounter() };
  readonly #wireErrors = new CodeCounter();
  readonly #rtmp: RtmpServer;
  #http: HttpServer | undefined;
  #running: Closer | undefined;
  #stopByMs: number | undefined;
  #notReady: Reason | undefined = { code: 'node.starting', message: 'the node is starting' };

  /** @throws ConfigError `config.invalid` if the configuration asks for what this version can't do */
  constructor({ config, log, clock }: NodeNeeds) {
    if (config.registry.url !== 'memory:') {
      const line = 'registry.url: this version runs single nodes only; allowed: memory:';
      throw new ConfigError('config.invalid', [line]);
    }
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    this.#authorizer = new Authorizer({ publishSecret: config.publish.secret });
    this.#budget = new MemoryBudget(config.memory.budgetBytes ?? defaultBudgetBytes());
    this.#directory = new StreamDirectory(
      { maxStreams: config.limits.streams, ...config.play },
      { log: config.stream, player: config.player, maxDelayMs: config.fanout.maxDelayMs },
      {
        ...{ clock, log, budget: this.#budget, seek: () => {} },
        changed: (stream) => this.#publishing.streamChanged(stream),
      },
    );
    const { registry, claimant } = this.#openRegistry();
    this.#publishing = new Publishing(
      { policy: config.publish.policy, holds: config.publish },
      {
        ...{ clock, log, authorizer: this.#authorizer, budget: this.#budget, directory: this.#directory },
        ...{ registry, claimant },
      },
    );
    this.#summaries = new ClusterSummaries({
      ...{ clock, registry, node: config.node.id },
      self: () => this.#record(claimant.owner),
      others: () => [],
      local: () => localStreams(this.#directory.streams, clock),
      mesh: { link: () => undefined, replica: () => undefined, children: () => 0 },
    });
    this.#rtmp = this.#buildRtmp();
  }

  /** The ports that it listens on; 0 for a door that is not open. */
  get addresses(): { readonly rtmpPort: number; readonly httpPort: number } {
    return { rtmpPort: this.#rtmp.port, httpPort: this.#http?.port ?? 0 };
  }

  /** @throws TidewayError `listen.busy`, `listen.failed`, `assets.missing`; nothing is left open then */
  async start(): Promise<void> {
    await using opened = new Closer();
    const http = await this.#buildHttp();
    await http.start();
    // Closed last, so that health answers until the end.
    opened.add(() => http.stop(this.#leftMs()));
    this.#http = http;
    await this.#rtmp.start();
    opened.add((why) => this.#rtmp.stop(why, this.#leftMs() * RTMP_STOP_SHARE));
    opened.add((why) => this.#directory.stop(why));
    this.#running = opened.move();
    this.#notReady = undefined;
    this.#log.info({ version: version(), ...this.addresses }, 'node.start');
    if (!this.#authorizer.guardsPublish && !isLoopback(this.#config.host)) {
      const hint = 'anybody who reaches this node may publish: set publish.secret, or host to 127.0.0.1';
      this.#log.warn({ host: this.#config.host, hint }, 'node.open-to-publish');
    }
  }

  /** Takes nobody any more, ends publishers and players, closes. Done within `shutdown.graceMs`; calm when repeated. */
  async stop(why: Reason): Promise<void> {
    if (!this.#running) return;
    if (!this.#notReady) this.#log.info({ reason: why.code }, 'node.stop');
    this.#notReady = { code: 'node.stopping', message: 'the node is stopping: try again in a moment' };
    this.#stopByMs ??= this.#clock.now() + this.#config.shutdown.graceMs;
    this.#rtmp.stopAccepting();
    await this.#running.close(this.#notReady);
  }

  /** What is left of `shutdown.graceMs`. */
  #leftMs(): number {
    return Math.max(0, (this.#stopByMs ?? 0) - this.#clock.now());
  }

  #openRegistry(): { registry: GuardedRegistry; claimant: Claimant } {
    const clock = this.#clock;
    const registry = new GuardedRegistry(new MemoryRegistry({ clock }), { clock });
    const claimant = new Claimant(
      {
        owner: { node: this.#config.node.id, boot: randomBytes(8).toString('hex') },
        tag: epochTag(randomInt(2 ** 31)),
        whileAway: 'accept',
      },
      { registry, registryWallMs: () => registry.registryWallMs() ?? clock.wallMs() },
    );
    return { registry, claimant };
  }

  /** What this node tells of itself. */
  #record(owner: Owner): NodeRecord {
    const streams = [...this.#directory.streams];
    const players = streams.reduce((sum, { playerCount }) => sum + playerCount, 0);
    const unknown = { cpu: 0, memory: 0, loopLagMs: 0, sentBytesPerS: 0, capacityBytesPerS: 0 };
    return {
      ...owner,
      ...{ host: '', version: version(), mesh: [], rtmp: '', http: '', region: '', zone: '' },
      draining: false,
      load: { ...unknown, players, streams: streams.length },
    };
  }

  #buildRtmp(): RtmpServer {
    const { host, rtmp, publish } = this.#config;
    return new RtmpServer(
      { host, ...rtmp, publishIdleMs: publish.idleMs },
      {
        clock: this.#clock,
        log: this.#log,
        openPublication: (request) => this.#publishing.open(request),
        openStream: (request) => this.#directory.open(request),
        counters: this.#countersOf('rtmp'),
      },
    );
  }

  async #buildHttp(): Promise<HttpServer> {
    const { host, http, publish, watch } = this.#config;
    const clock = this.#clock;
    const openStream: OpenStream = (request) => this.#directory.open(request);
    const routes: Route[] = [
      ...healthRoutes({ notReady: () => this.#notReady, metricsText: () => this.#metricsText() }),
      ...clusterRoutes({ token: undefined }, this.#summaries),
      new FlvPlayRoute({ clock, openStream, isLive: (key) => this.#directory.has(key) }),
      new FlvPublishRoute(
        { idleMs: publish.idleMs },
        { clock, openPublication: (request) => this.#publishing.open(request) },
      ),
    ];
    if (watch.enabled) routes.push(...this.#watchRoutes(), await loadAssets(WATCH_FOLDER));
    const upgrades = [new WsFlvPlayRoute({ clock, openStream })];
    const needs = { clock, log: this.#log, counters: this.#countersOf('http'), routes, upgrades };
    return new HttpServer({ host, ...http }, needs);
  }

  #watchRoutes(): Route[] {
    return watchRoutes({
      streams: () => streamSummaries(this.#directory.streams, this.#clock),
      rtmpPort: () => this.#rtmp.port,
      guardsPublish: this.#authorizer.guardsPublish,
    });
  }

  #countersOf(door: 'rtmp' | 'http') {
    return {
      refused: (code: string) => this.#refusals[door].count(code),
      wireError: (code: string) => this.#wireErrors.count(code),
    };
  }

  #metricsText(): string {
    return nodeMetrics({
      version: version(),
      rtmp: this.#rtmp,
      http: this.#http,
      directory: this.#directory,
      publishing: this.#publishing,
      budget: this.#budget,
      refusals: this.#refusals,
      wireErrors: this.#wireErrors,
    });
  }
}

function defaultBudgetBytes(): number {
  // Without a limit, constrainedMemory() answers a number beyond any memory.
  return Math.floor(
    Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()) * BUDGET_SHARE,
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
