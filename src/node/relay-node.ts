// The composition root: builds one node of its configuration, starts it, stops it. It wires, and decides nothing.
import { readFileSync } from 'node:fs';
import { HINT_STREAM } from '../auth/publish-hint.ts';
import { isLoopback } from '../base/address.ts';
import type { SecureDoor } from '../base/certificate.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { type Log, tapped } from '../base/log.ts';
import { Proxies } from '../base/proxies.ts';
import { newSessionId } from '../base/session-id.ts';
import { Slices } from '../base/slices.ts';
import { parseStreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Reloading } from '../config/reload.ts';
import type { Config } from '../config/schema.ts';
import { FlvPlayRoute } from '../flv/player.ts';
import { FlvPublishRoute } from '../flv/publisher.ts';
import { WsFlvPlayRoute } from '../flv/ws-player.ts';
import { healthRoutes, watchRoutes } from '../http/api.ts';
import { ApiAccess } from '../http/api-access.ts';
import type { Handlers } from '../http/api-operations.ts';
import { apiRoutes } from '../http/api-routes.ts';
import { loadDashboard, loadWatchPage } from '../http/assets.ts';
import type { NodeAnswers } from '../http/forms/questions.ts';
import { drainHandlers, reloadHandlers } from '../http/node-control-api.ts';
import { openApiRoute } from '../http/openapi.ts';
import { preloadHandlers } from '../http/preload-api.ts';
import type { Route } from '../http/route.ts';
import { playerRoute, type RouteApiNeeds, routeHandlers, routeUpgrade } from '../http/route-api.ts';
import { type HttpArrivals, HttpServer } from '../http/server.ts';
import { MemoryBudget } from '../media/memory-budget.ts';
import { type OpenPublication, Publication } from '../media/publication.ts';
import type { Stream } from '../media/stream.ts';
import { type OpenStream, StreamDirectory } from '../media/stream-directory.ts';
import type { MeshTls } from '../mesh/channel.ts';
import { EventBook } from '../observe/event-book.ts';
import { type Traffic as NetworkTraffic, usableMemoryBytes } from '../observe/load-probe.ts';
import { CodeCounter, type MetricFamily } from '../observe/metrics.ts';
import { OpenFiles } from '../observe/open-files.ts';
import { TRAFFIC_WINDOW_MS } from '../observe/traffic-ledger.ts';
import { readStreamKey } from '../registry/records.ts';
import { PlaceFinder } from '../routing/place.ts';
import { RtmpServer } from '../rtmp/server.ts';
import type { DoorPorts } from './advertised.ts';
import { Arrivals } from './arrivals.ts';
import { Authorizing } from './authorizing.ts';
import { type CertificateFiles, openCertificates } from './certificate-files.ts';
import { certificateMetrics } from './certificate-metrics.ts';
import { ClusterAsk } from './cluster-ask.ts';
import { decisionAnswer } from './decision-rows.ts';
import { Drain, drainControl } from './drain.ts';
import { Closer } from './lifecycle.ts';
import { Member } from './member.ts';
import { watchMemory } from './memory-watch.ts';
import { MetricsPage } from './metrics-page.ts';
import { NO_MESH, NodeMesh } from './node-mesh.ts';
import { nodeMetrics } from './node-metrics.ts';
import { NO_PRELOAD, Preload } from './preload.ts';
import { preloadMetrics } from './preload-metrics.ts';
import { PreloadNodes } from './preload-nodes.ts';
import { Publishing } from './publishing.ts';
import { QualityWatch } from './quality-watch.ts';
import { Redirects } from './redirects.ts';
import { NodeRouting } from './routing.ts';
import { routingMetrics } from './routing-metrics.ts';
import { SessionBook } from './session-book.ts';
import { Settings } from './settings.ts';
import { SIGHT_OF_ONE, type StreamSight } from './standbys.ts';
import { StateApi } from './state-api.ts';
import { streamAnswers } from './stream-answers.ts';
import { StreamHolders } from './stream-holders.ts';
import { streamMetrics } from './stream-metrics.ts';
import { streamSummaries } from './stream-summaries.ts';
import type { StreamTally } from './stream-tally.ts';
import { Traffic } from './traffic.ts';

export interface NodeNeeds {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  /** It can't go on, and is to be stopped: another process has its id. */
  readonly failed?: (why: Reason) => void;
  /** Reads the configuration again; without it, it stays as it is. @throws TidewayError `config.*` */
  readonly read?: () => Promise<Config>;
  /** Told of a configuration that took effect. */
  readonly reconfigured?: (config: Config) => void;
}

/** The part of the container's memory that media may take, unless `memory.budgetBytes` says. */
const BUDGET_SHARE = 0.25;
/** The part of `shutdown.graceMs` that nodes which are fed here have to go elsewhere. */
const GO_AWAY_SHARE = 0.3;
/** The part of what is left that RTMP peers may take to close; HTTP has the rest. */
const RTMP_STOP_SHARE = 0.7;
const WATCH_FOLDER = new URL('../../dist/web/watch/', import.meta.url);
const DASHBOARD_FOLDER = new URL('../../dist/web/dashboard/', import.meta.url);

/** The version in package.json. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export class RelayNode {
  readonly #settings: Settings;
  /** Each section as it is now. */
  readonly #config: Config;
  readonly #log: Log;
  readonly #events: EventBook;
  readonly #clock: Clock;
  readonly #authorizing: Authorizing;
  readonly #access: ApiAccess;
  readonly #files: OpenFiles;
  readonly #arrivals: Arrivals;
  readonly #budget: MemoryBudget;
  readonly #directory: StreamDirectory;
  readonly #sessions: SessionBook;
  readonly #traffic: Traffic;
  readonly #publishing: Publishing;
  readonly #watch: QualityWatch;
  /** What it tells of itself when it is asked. */
  readonly answers: NodeAnswers;
  readonly #state: StateApi;
  readonly #member: Member;
  readonly #mesh: NodeMesh | undefined;
  readonly #slices: Slices;
  readonly #ask: ClusterAsk;
  readonly #holders: StreamHolders;
  readonly #routing: NodeRouting;
  readonly #places: PlaceFinder;
  readonly #redirects: Redirects;
  readonly #preload: Preload | undefined;
  readonly #refusals = { rtmp: new CodeCounter(), http: new CodeCounter() };
  readonly #wireErrors = new CodeCounter();
  readonly #metrics: MetricsPage;
  readonly #certificates: readonly CertificateFiles[];
  readonly #proxies: Proxies | undefined;
  readonly #rtmp: RtmpServer;
  readonly #drain: Drain;
  #http: HttpServer | undefined;
  #running: Closer | undefined;
  #stopByMs: number | undefined;
  #notReady: Reason | undefined = { code: 'node.starting', message: 'the node is starting' };

  /** @throws TidewayError `registry.url`, `auth.key`, `tls.unreadable`, `tls.bad-certificate`, `tls.bad-key`, `tls.key-mismatch` */
  constructor({ config: given, log: written, clock, failed = () => {}, read, reconfigured }: NodeNeeds) {
    this.#events = new EventBook({ node: given.node.id, clock });
    const log = tapped(written, this.#events.take);
    const settings = new Settings(given, {
      ...{ log, read: read ?? (() => Promise.resolve(given)) },
      prepare: (next) => this.#authorizing.prepare(next),
      changed: (now) => {
        this.#routing.prices.replace(now.routing.prices);
        this.#state.live.admitAgain();
        this.#warnIfOpen();
        reconfigured?.(now);
      },
    });
    this.#settings = settings;
    const config = settings.part((all) => all);
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    this.#certificates = openCertificates(config, { clock, log });
    const { networks } = config.proxy;
    this.#proxies = networks && new Proxies({ ...config.proxy, networks });
    this.#authorizing = new Authorizing(config, {
      ...{ clock, log },
      wallMs: () => this.#member.membership.registryWallMs(),
    });
    const { authorizer, webhooks } = this.#authorizing;
    this.#access = new ApiAccess({ clock, rules: () => config.api });
    this.#files = new OpenFiles({
      clock,
      connections: () => this.#rtmp.sockets + (this.#http?.sockets ?? 0),
    });
    this.#arrivals = new Arrivals({ clock, files: this.#files, limits: () => config.limits });
    this.#budget = new MemoryBudget(config.memory.budgetBytes ?? defaultBudgetBytes());
    this.#sessions = new SessionBook({
      ...{ clock, log, node: config.node.id, newId: newSessionId },
      tellsEnd: (action, key) => authorizer.tellsEnd(action, key),
      ended: (action, subject) => webhooks.ended(action, subject),
    });
    this.#traffic = new Traffic(
      { node: config.node.id, region: config.node.region, maxNamed: config.metrics.streams },
      { clock, prices: () => this.#routing.prices, isHere: (key) => this.#directory.has(key) },
    );
    this.#directory = new StreamDirectory(
      settings.part(({ limits, routing, play }) => ({
        ...{ maxStreams: limits.streams, maxPlayers: routing.limits.players },
        ...{ ...play, maxPlayersPerStream: play.maxPlayersPerStream },
      })),
      { log: config.stream, player: config.player, maxDelayMs: config.fanout.maxDelayMs },
      {
        ...{ clock, log, budget: this.#budget, sessions: this.#sessions, given: this.#traffic.toPlayers },
        seek: (key) => this.#mesh?.seek(key),
        changed: (stream) => this.#streamChanged(stream),
      },
    );
    this.#member = new Member(config, {
      ...{ clock, log, version: version() },
      ports: () => this.addresses,
      counts: () => this.#counts(),
      traffic: () => this.#networkTraffic(),
      isDraining: () => this.#isDraining,
      renewClaimsWithin: (ms) => this.#publishing.claims.renewAllWithin(ms),
      taken: failed,
      peersRegistryWallMs: () => this.#mesh?.peersRegistryWallMs(),
      rttMs: () => this.#mesh?.rttMs ?? {},
      nodesChanged: () => this.#mesh?.nodesChanged(),
    });
    const { claimant, registry } = this.#member;
    this.#publishing = new Publishing(
      settings.part(({ publish, limits }) => ({
        ...{ policy: publish.policy, maxStandbys: limits.streams },
        holds: settings.part((all) => all.publish),
        pace: () => config.publish,
      })),
      {
        ...{ clock, log, authorizer, budget: this.#budget, directory: this.#directory },
        ...{ claimant, registry, sessions: this.#sessions, received: this.#traffic.fromPublishers },
        sight: {
          of: (key) => this.#sight.of(key),
          peersAreAhead: (key) => this.#sight.peersAreAhead(key),
          seek: (key) => this.#sight.seek(key),
        },
        claimed: (key, epoch) => this.#mesh?.claimed(key, epoch),
        passedOn: (stream, to) => this.#mesh?.passedOn(stream, to),
      },
    );
    this.#holders = new StreamHolders({
      self: config.node.id,
      remembered: (key) => registry.remembered(key),
      lookup: (key) => registry.lookup(key),
      isHere: (key) => this.#directory.has(key),
    });
    this.#routing = new NodeRouting(config, {
      ...{ clock, log, version: version(), holders: this.#holders },
      self: () => this.#member.record(),
      others: () => this.#member.membership.nodes(),
      isRegistryUp: () => registry.state === 'up',
      isLinked: (node) => this.#mesh?.link(node) !== undefined,
    });
    this.#places = new PlaceFinder({ ...config.routing, node: config.node });
    this.#redirects = new Redirects({
      ...{ log, places: this.#places },
      redirect: (request) => this.#routing.redirect(request),
    });
    this.#slices = new Slices({ clock });
    this.#watch = new QualityWatch(
      settings.part(({ alarms }) => alarms),
      {
        ...{ clock, log, node: config.node.id },
        streams: () => this.#directory.streams,
        mesh: {
          replica: (key) => this.#meshFacts.replica(key),
          upstreamHas: (key) => this.#meshFacts.upstreamHas(key),
          hopDelayMs: (key) => this.#mesh?.hopDelayMs(key),
        },
      },
    );
    this.#metrics = new MetricsPage({
      ...{ clock, slices: this.#slices, directory: this.#directory, watch: this.#watch },
      maxNamed: () => config.metrics.streams,
      families: (tally) => this.#families(tally),
      lag: () => this.#member.load.takeLag(),
    });
    this.answers = this.#answers();
    this.#ask = new ClusterAsk({
      ...{ log, slices: this.#slices, self: config.node.id, answers: this.answers },
      members: () => this.#member.membership.nodes().map(({ record }) => record.node),
      linked: () => this.#mesh?.linked,
    });
    this.#mesh = this.#buildMesh();
    this.#preload = this.#mesh && this.#buildPreload(this.#mesh);
    this.#state = this.#buildState();
    this.#rtmp = this.#buildRtmp();
    this.#drain = this.#buildDrain();
  }

  /** What it goes by now. */
  get config(): Config {
    return this.#settings.now;
  }

  /** The ports that it listens on; 0 for a door that is not open. */
  get addresses(): DoorPorts {
    return {
      rtmpPort: this.#rtmp.port,
      rtmpsPort: this.#rtmp.securePort,
      httpPort: this.#http?.port ?? 0,
      httpsPort: this.#http?.securePort ?? 0,
      meshPort: this.#mesh?.port ?? 0,
    };
  }

  /**
   * Joins the cluster, then opens the doors. A registry that is away holds up neither.
   * @throws TidewayError `registry.node-id-taken`, `listen.busy`, `listen.failed`, `assets.missing`; nothing is left open
   */
  async start(): Promise<void> {
    await using opened = new Closer();
    this.#metrics.start();
    opened.add(() => this.#metrics.stop());
    await this.#files.start();
    opened.add(() => this.#files.stop());
    for (const certificate of this.#certificates) {
      certificate.start();
      opened.add(() => certificate.stop());
    }
    this.#traffic.start();
    opened.add(() => this.#traffic.stop());
    this.#sessions.start();
    opened.add(() => this.#sessions.stop());
    // Closed last: what ends before it gives its claims back.
    opened.add(() => this.#member.stop());
    await this.#member.start();
    if (this.#mesh) {
      const mesh = this.#mesh;
      await mesh.start();
      opened.add((why) => mesh.stop(why));
    }
    this.#preload?.start();
    opened.add(() => this.#preload?.stop());
    const http = await this.#buildHttp();
    await http.start();
    // Closed last, so that health answers until the end.
    opened.add(() => http.stop(this.#leftMs()));
    this.#http = http;
    // Who listens would hold the door open.
    opened.add(() => this.#state.live.stop());
    this.#routing.start();
    opened.add(() => this.#routing.stop());
    await this.#rtmp.start();
    opened.add((why) => this.#rtmp.stop(why, this.#leftMs() * RTMP_STOP_SHARE));
    opened.add((why) => this.#directory.stop(why));
    opened.add((why) => this.#publishing.dismiss(why));
    const watch = watchMemory({
      ...{ clock: this.#clock, log: this.#log, budget: this.#budget },
      shed: () => this.#directory.shed(),
    });
    opened.add(() => watch.cancel());
    this.#watch.start();
    opened.add(() => this.#watch.stop());
    opened.add(() => this.#drain.stop());
    this.#running = opened.move();
    this.#notReady = undefined;
    this.#member.tell();
    this.#log.info({ version: version(), ...this.addresses }, 'node.start');
    this.#warnIfOpen();
  }

  /** Looks for new certificates now. Never rejects: what can't be used is logged. */
  async reloadCertificates(): Promise<void> {
    await Promise.all(this.#certificates.map((certificate) => certificate.reload()));
  }

  /**
   * Reads the configuration again: what can take effect at once does. Nobody is dropped for it but listeners of the API whose
   * token is gone.
   * @param by who asked, for the log
   * @throws TidewayError `config.unreadable`, `config.syntax`, `config.invalid`, `auth.key`: nothing has changed then
   */
  reload(by: string): Promise<Reloading> {
    return this.#settings.reload(by);
  }

  /**
   * Takes nobody new, lets players go on and sends the rest elsewhere, before it is stopped: resolves once nobody is left,
   * at the latest after `shutdown.drainSeconds`, with whose end it ends who is left.
   */
  drain(): Promise<void> {
    return this.#drain.finish(this.#config.shutdown.drainSeconds * 1000);
  }

  /** Takes nobody any more, ends publishers and players, closes. Done within `shutdown.graceMs`; calm when repeated. */
  async stop(why: Reason): Promise<void> {
    if (!this.#running) return;
    if (!this.#notReady) this.#log.info({ reason: why.code }, 'node.stop');
    this.#notReady = { code: 'node.stopping', message: 'the node is stopping: try again in a moment' };
    this.#stopByMs ??= this.#clock.now() + this.#config.shutdown.graceMs;
    this.#member.tell();
    this.#rtmp.stopAccepting();
    // What others have ready for it stays so: its publishers go on at another node.
    this.#preload?.stop();
    await this.#mesh?.goAway(this.#leftMs() * GO_AWAY_SHARE);
    await this.#running.close(this.#notReady);
  }

  #warnIfOpen(): void {
    const { host } = this.#config;
    if (this.#authorizing.authorizer.guardsPublish || isLoopback(host)) return;
    const hint =
      'anybody who reaches this node may publish: set publish.secret or auth.publish, or host to 127.0.0.1';
    this.#log.warn({ host, hint }, 'node.open-to-publish');
  }

  /** It takes nobody new. */
  get #isDraining(): boolean {
    return this.#stopByMs !== undefined || this.#drain.notReady !== undefined;
  }

  /** What is left of `shutdown.graceMs`. */
  #leftMs(): number {
    return Math.max(0, (this.#stopByMs ?? 0) - this.#clock.now());
  }

  #counts() {
    let players = 0;
    let publishers = 0;
    for (const { playerCount, state } of this.#directory.streams) {
      players += playerCount;
      if (state.at === 'live' && state.source instanceof Publication) publishers += 1;
    }
    const alarms = this.#watch.alarms.count;
    return { players, publishers, streams: this.#directory.streamCount, alarms };
  }

  #networkTraffic(): NetworkTraffic {
    const parts = [this.#rtmp, this.#http, this.#mesh];
    return {
      sentBytes: parts.reduce((sum, part) => sum + (part?.bytesOut ?? 0), 0),
      receivedBytes: parts.reduce((sum, part) => sum + (part?.bytesIn ?? 0), 0),
    };
  }

  #buildRtmp(): RtmpServer {
    const doors = {
      port: openPort(this.#config.rtmp.port),
      secure: this.#secureDoor(this.#config.rtmps.port),
    };
    return new RtmpServer(
      this.#settings.part(({ host, rtmp, publish }) => ({
        ...{ host, ...rtmp, ...doors, publishIdleMs: publish.idleMs },
      })),
      {
        clock: this.#clock,
        log: this.#log,
        ...{ openPublication: this.#openPublication, openStream: this.#openStream },
        admit: this.#authorizing.authorizer.admitPlayer,
        ...{ sendOn: this.#redirects.of, sessionOf: this.#sessions.idOf },
        elsewhere: (key) => this.#routing.reconnectTo(key),
        proxies: this.#proxies,
        counters: this.#countersOf('rtmp'),
        refusal: (address) => this.#arrivals.refusal('rtmp', address),
        budget: this.#budget,
      },
    );
  }

  async #buildHttp(): Promise<HttpServer> {
    const { node, http, https, watch, dashboard } = this.#config;
    const clock = this.#clock;
    const openStream = this.#openStream;
    const sendOn = this.#redirects.of;
    const admit = this.#authorizing.authorizer.admitPlayer;
    const sessionOf = this.#sessions.idOf;
    const routing: RouteApiNeeds = {
      ...{ places: this.#places, sent: this.#redirects.sent, sessionOf },
      route: (request) => this.#routing.route(request),
    };
    const routes: Route[] = [
      ...healthRoutes({
        notReady: this.#whyNotReady,
        trouble: () => this.#member.trouble,
        metricsText: () => this.#metrics.text(),
      }),
      ...apiRoutes({ access: this.#access, clock, log: this.#log }, {
        ...this.#state.handlers,
        ...routeHandlers(routing),
        ...preloadHandlers(this.#preload ?? NO_PRELOAD),
        ...drainHandlers(drainControl(node.id, this.#drain)),
        ...reloadHandlers(async () => {
          const { changed, needsRestart } = await this.reload('api');
          return { node: node.id, changed: [...changed], needsRestart: [...needsRestart] };
        }),
      } satisfies Handlers),
      openApiRoute(version()),
      playerRoute(routing),
      new FlvPlayRoute({
        clock,
        admit,
        openStream,
        sendOn,
        sessionOf,
        isLive: (key) => this.#directory.has(key),
      }),
      new FlvPublishRoute(
        this.#settings.part(({ publish }) => ({ idleMs: publish.idleMs })),
        { clock, budget: this.#budget, sessionOf, openPublication: this.#openPublication },
      ),
    ];
    // Before the watch page, which would have `/` too.
    if (dashboard.enabled) routes.push(await this.#dashboard());
    if (watch.enabled) routes.push(...this.#watchRoutes(), await loadWatchPage(WATCH_FOLDER));
    const upgrades = [
      new WsFlvPlayRoute({ clock, admit, openStream, sendOn, sessionOf }),
      routeUpgrade(routing),
    ];
    const arrivals: HttpArrivals = {
      lacksFiles: () => this.#arrivals.lacksFiles('http'),
      refusal: (address) => this.#arrivals.refusal('http', address),
    };
    const needs = {
      ...{ clock, log: this.#log, counters: this.#countersOf('http'), routes, upgrades, arrivals },
      proxies: this.#proxies,
    };
    const doors = { port: openPort(http.port), secure: this.#secureDoor(https.port) };
    return new HttpServer(
      this.#settings.part((now) => ({ host: now.host, ...now.http, ...doors })),
      needs,
    );
  }

  #secureDoor(port: number | undefined): SecureDoor | undefined {
    const certificate = this.#certificates.find(({ name }) => name === 'tls');
    return port === undefined || !certificate ? undefined : { port, certificate };
  }

  readonly #whyNotReady = () => this.#notReady ?? this.#drain.notReady ?? this.#member.notReady;

  #buildState(): StateApi {
    const { node } = this.#config;
    const { registry, membership } = this.#member;
    const clock = this.#clock;
    return new StateApi({
      ...{ clock, log: this.#log, slices: this.#slices, node: node.id, version: version(), registry },
      ask: this.#ask,
      self: () => this.#member.record(),
      others: () => membership.known(),
      link: (other) => this.#meshFacts.link(other),
      notReady: this.#whyNotReady,
      trouble: () => this.#member.trouble,
      rtmpPort: () => this.#rtmp.port,
      publishHint: () => this.#publishHint(undefined),
      trafficWindowMs: TRAFFIC_WINDOW_MS,
    });
  }

  /** @param asked a stream key; any other text is none */
  #publishHint(asked: string | undefined) {
    const { app, name } = HINT_STREAM;
    const key = readStreamKey(asked) ?? parseStreamKey(app, name);
    return this.#authorizing.authorizer.publishHint(key);
  }

  #dashboard(): Promise<Route> {
    return loadDashboard(DASHBOARD_FOLDER, {
      httpDoors: () => this.#member.membership.nodes().map(({ record }) => record.http),
    });
  }

  #watchRoutes(): Route[] {
    return watchRoutes({
      streams: () => streamSummaries(this.#directory.streams, this.#clock),
      rtmpPort: () => this.#rtmp.port,
      publishHint: (asked) => this.#publishHint(asked),
    });
  }

  #buildDrain(): Drain {
    return new Drain({
      ...{ clock: this.#clock, log: this.#log },
      left: () => ({
        players: this.#counts().players,
        publishers: this.#publishing.publisherCount,
        children: this.#mesh?.childCount ?? 0,
      }),
      begun: (why, deadlineMs) => {
        this.#routing.refresh();
        this.#member.tell();
        this.#directory.turnAway(why);
        this.#publishing.dismiss(why);
        this.#rtmp.sendElsewhere(why);
        this.#mesh?.drain(deadlineMs);
      },
      ended: (why) => {
        this.#directory.endPlayers(why);
        this.#publishing.endPublishers(why);
      },
      undone: () => {
        this.#mesh?.undoDrain();
        this.#routing.refresh();
        this.#member.tell();
      },
    });
  }

  /** What the doors ask for a player. */
  readonly #openStream: OpenStream = async (request) => {
    this.#drain.check();
    this.#arrivals.checkMedia();
    return this.#directory.open(request);
  };

  /** What the doors ask for a publisher. */
  readonly #openPublication: OpenPublication = async (request) => {
    this.#drain.check();
    this.#arrivals.checkMedia();
    return this.#publishing.open(request);
  };

  /** A node of a cluster has one. */
  #buildMesh(): NodeMesh | undefined {
    const { secret } = this.#config.mesh;
    if (this.#config.registry.url === 'memory:' || secret === undefined) return undefined;
    const config = { ...this.#config, mesh: { ...this.#config.mesh, secret } };
    return new NodeMesh(config, {
      ...{ clock: this.#clock, log: this.#log, version: version(), member: this.#member },
      ...{ directory: this.#directory, origins: this.#publishing.claims },
      standsBy: (key) => this.#publishing.standsBy(key),
      refusesJoins: () => this.#budget.refusesJoins,
      isDraining: () => this.#isDraining,
      nodeView: (node) => this.#routing.router.view.get(node)?.view,
      rttMs: (from, to) => this.#routing.router.view.rttMs(from, to),
      prices: this.#routing.prices,
      traffic: this.#traffic,
      decided: (decision) => this.#routing.decisions.add(decision),
      slices: this.#slices,
      tls: this.#meshTls,
      answer: (peer, query) => this.#ask.answer(peer, query),
    });
  }

  get #meshTls(): MeshTls | undefined {
    const certificate = this.#certificates.find(({ name }) => name === 'mesh.tls');
    return certificate && { certificate, names: this.#config.mesh.tls.names };
  }

  /** What it tells of itself, to this node's own API and to other nodes. */
  #answers(): NodeAnswers {
    const { node } = this.#config;
    return {
      decisions: (args) => decisionAnswer(this.#routing.decisions, node.id, args),
      links: () => listed(this.#mesh?.links() ?? []),
      ...streamAnswers({
        ...{ clock: this.#clock, node: node.id, watch: this.#watch },
        mesh: {
          replica: (key) => this.#meshFacts.replica(key),
          children: (key) => this.#meshFacts.children(key),
        },
        standsBy: (key) => this.#publishing.standsBy(key),
        claimReason: (key) => this.#publishing.claims.originOf(key)?.reason,
        streams: () => this.#directory.streams,
        streamOf: (key) => this.#directory.get(key),
        hop: (key) => this.#mesh?.hop(key) ?? null,
        childRows: (key) => this.#mesh?.childRows(key) ?? [],
        publisher: (key) => this.#sessions.publisher(key),
      }),
      sessions: this.#sessions.list,
      kick: this.#sessions.kick,
      traffic: this.#traffic.list,
      events: (query) => this.#events.list(query),
    };
  }

  #buildPreload(mesh: NodeMesh): Preload {
    const { node, preload: rules = [], relay } = this.#config;
    const { id, region } = node;
    const { registry } = this.#member;
    return new Preload(
      { self: { node: id, region }, rules, standbyPlayers: relay.standbyPlayers },
      {
        ...{ clock: this.#clock, log: this.#log, random: Math.random },
        lookup: (key) => registry.lookup(key),
        nodes: new PreloadNodes({
          clock: this.#clock,
          nodes: () => this.#routing.router.view.nodes.map(({ view }) => view),
          isLinked: (other) => mesh.link(other) !== undefined,
        }),
        streams: () => this.#directory.streams,
        isOrigin: (key) => this.#publishing.claims.originOf(key) !== undefined,
        upstreamOf: (key) => mesh.replica(key)?.upstream,
        chooseFor: (key, at, except) => this.#routing.chooseFor(key, at, except),
        ask: (other, key, ttlMs) => mesh.askFor(other, key, ttlMs),
      },
    );
  }

  get #meshFacts() {
    return this.#mesh ?? NO_MESH;
  }

  /** The mesh is built of the publishing, and so after it. */
  get #sight(): StreamSight {
    return this.#mesh?.sight ?? SIGHT_OF_ONE;
  }

  #streamChanged(stream: Stream): void {
    this.#publishing.claims.streamChanged(stream);
    this.#mesh?.streamChanged(stream);
    this.#preload?.streamChanged(stream);
    this.#watch.streamChanged(stream);
  }

  #countersOf(door: 'rtmp' | 'http') {
    return {
      refused: (code: string) => this.#refusals[door].count(code),
      wireError: (code: string) => this.#wireErrors.count(code),
    };
  }

  #tables(): Table[] {
    return [
      ...this.#rtmp.tables,
      ...this.#access.tables,
      ...this.#arrivals.tables,
      ...(this.#http?.tables ?? []),
      ...this.#directory.tables,
      ...this.#publishing.tables,
      ...this.#member.tables,
      ...this.#routing.tables,
      this.#holders.table,
      ...(this.#mesh?.tables ?? []),
      ...(this.#preload?.tables ?? []),
      ...this.#watch.tables,
      ...this.#ask.tables,
      ...this.#state.tables,
      ...this.#sessions.tables,
      ...this.#authorizing.webhooks.tables,
      ...this.#traffic.tables,
      ...this.#events.tables,
    ];
  }

  #families(tally: StreamTally): MetricFamily[] {
    const { id: node, region, zone } = this.#config.node;
    const counted = nodeMetrics({
      version: version(),
      node: { node, region, zone },
      isReady: this.#whyNotReady() === undefined,
      tables: this.#tables(),
      rtmp: this.#rtmp,
      http: this.#http,
      directory: this.#directory,
      drain: this.#drain.summary,
      publishing: this.#publishing,
      member: this.#member,
      routing: [
        ...routingMetrics({
          router: this.#routing.router,
          decisions: this.#routing.decisions,
          holders: this.#holders,
        }),
        ...this.#redirects.metrics(),
      ],
      tally,
      quality: streamMetrics({ tally, watch: this.#watch }),
      mesh: [...(this.#mesh?.metrics() ?? []), ...(this.#preload ? preloadMetrics(this.#preload) : [])],
      ask: [...this.#ask.metrics(), ...this.#state.live.metrics()],
      budget: this.#budget,
      sessions: [
        ...this.#authorizing.metrics(),
        ...this.#sessions.metrics(),
        ...this.#traffic.metrics(),
        ...this.#events.metrics(),
      ],
      certificates: certificateMetrics(this.#certificates),
      refusals: this.#refusals,
      wireErrors: this.#wireErrors,
    });
    return [...counted, ...this.#files.metrics(), ...this.#settings.metrics()];
  }
}

function openPort(port: number | 'off'): number | undefined {
  return port === 'off' ? undefined : port;
}

function listed<R>(rows: readonly R[]): { readonly total: number; readonly rows: readonly R[] } {
  return { total: rows.length, rows };
}

function defaultBudgetBytes(): number {
  return Math.floor(usableMemoryBytes() * BUDGET_SHARE);
}
