// A cluster that is only told of: what a node of it would answer on `/api/v1`, by the forms, for as many nodes and streams as
// a test wants. It serves the built dashboard beside it, and can fall silent, come back, and want a token.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { loadDashboard } from '../../src/http/assets.ts';
import type { AlarmRow, AlarmsAnswer, EventRow, EventsAnswer } from '../../src/http/forms/alarms.ts';
import type { StaleNode } from '../../src/http/forms/common.ts';
import type { DecisionsAnswer } from '../../src/http/forms/decisions.ts';
import type { LiveData, LiveName } from '../../src/http/forms/live.ts';
import type { LinksAnswer, NodeRow, StatusAnswer } from '../../src/http/forms/nodes.ts';
import type { History } from '../../src/http/forms/quality.ts';
import type { SessionRow, SessionsAnswer } from '../../src/http/forms/sessions.ts';
import type { StreamRow, StreamsAnswer, TreeAnswer } from '../../src/http/forms/streams.ts';
import type { TrafficAnswer } from '../../src/http/forms/traffic.ts';
import type { Route } from '../../src/http/route.ts';
import { OPEN_HINT } from './state-answers.ts';

const DASHBOARD = new URL('../../dist/web/dashboard/', import.meta.url);
const TICK_MS = 1000;
const POINTS = 60;
const REGIONS = ['eu-west', 'us-east', 'ap-south'];

const NO_PAGE: Route = { methods: [], matches: () => false, handle: () => {} };

export interface ClusterSize {
  readonly nodes: number;
  readonly streams: number;
}

export class MadeUpCluster implements AsyncDisposable {
  readonly #server: Server;
  readonly #dashboard: Route;
  readonly #listeners = new Set<{ response: ServerResponse; stream: string }>();
  #timer: NodeJS.Timeout | undefined;
  /** For how long it was open, in all. */
  seconds = 0;
  nodes: NodeRow[];
  readonly keys: string[];
  alarms: AlarmRow[] = [];
  events: EventRow[] = [];
  stale: StaleNode[] = [];
  sessions: SessionRow[] = [];
  /** What a request must show; undefined: nothing. */
  token: string | undefined;
  /** Answers 403 as for another machine without a token. */
  isLoopbackOnly = false;
  /** Requests by path, without their query. */
  readonly asked = new Map<string, number>();
  /** Addresses of API requests, as they came. */
  readonly addresses: string[] = [];
  readonly kicked: string[] = [];
  codec = 'avc';
  /** How a node is told: of another form, as another version would. */
  form: (row: NodeRow) => NodeRow = (row) => row;

  private constructor(dashboard: Route, { nodes, streams }: ClusterSize) {
    this.#dashboard = dashboard;
    this.nodes = MadeUpCluster.rows(nodes);
    this.keys = Array.from({ length: streams }, (_, at) => `live/stream-${String(at).padStart(5, '0')}`);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Rows of nodes as such a cluster has them. */
  static rows(nodes: number): NodeRow[] {
    return Array.from({ length: nodes }, (_, at) => nodeOf(at));
  }

  /** The tree of a stream at five nodes, one of them two hops away. */
  static treeOfFive(key: string): TreeAnswer {
    const cluster = new MadeUpCluster(NO_PAGE, { nodes: 5, streams: 1 });
    const tree = cluster.tree(key);
    if (!tree) throw new Error(`there is no stream ${key}`);
    return tree;
  }

  static async start(size: ClusterSize): Promise<MadeUpCluster> {
    const doors: string[] = [];
    const cluster = new MadeUpCluster(await loadDashboard(DASHBOARD, { httpDoors: () => doors }), size);
    await cluster.open(0);
    doors.push(...cluster.nodes.slice(1).map(({ http }) => http));
    return cluster;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Listens; again after `close`, on the port that it had. */
  async open(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#timer = setInterval(() => {
      this.seconds += 1;
      this.tell();
    }, TICK_MS);
  }

  /** The node is gone: every connection is cut. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#listeners.clear();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close();
  }

  /** Tells who listens what is so now. */
  tell(): void {
    for (const listener of this.#listeners) {
      this.#send(listener.response, 'status', this.status());
      this.#send(listener.response, 'nodes', { asOf: now(), changed: this.nodes.map(this.form), gone: [] });
      if (listener.stream !== '') this.#send(listener.response, 'stream', this.tree(listener.stream) ?? null);
    }
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Those that listen are told nothing any more, and stay connected. */
  mute(): void {
    this.#listeners.clear();
  }

  /** Puts a text wherever a node, a stream or who connects may have put one. */
  infect(text: string): void {
    this.nodes = this.nodes.map((row) => ({
      ...row,
      ...{ host: text, boot: text, version: text, region: text, zone: text, tags: [text] },
      ...{ rtmp: text, httpInternal: text, mesh: [text], rttMs: { [text]: 1 } },
      ...(row.self ? {} : { http: text }),
    }));
    this.codec = text;
    this.stale = [{ node: text, why: 'failed' }];
    this.alarms = this.alarms.map((alarm) => ({ ...alarm, detail: text, hop: { from: text, to: text } }));
    this.events = this.events.map((row) => ({ ...row, event: text, fields: { [text]: text } }));
    this.sessions = this.sessions.map((row) => ({
      ...row,
      remote: text,
      state: 'ended',
      ended: { code: text, message: text },
    }));
  }

  tellAlarm(alarm: AlarmRow): void {
    this.alarms = [alarm, ...this.alarms.filter(({ id }) => id !== alarm.id)];
    for (const { response } of this.#listeners) this.#send(response, 'alarm', alarm);
  }

  status(): StatusAnswer {
    const sum = (of: (row: NodeRow) => number) => this.nodes.reduce((total, row) => total + of(row), 0);
    return {
      ...this.#envelope(),
      version: '0.1.0',
      uptimeMs: 7_200_000,
      notReady: null,
      trouble: null,
      rtmpPort: 1935,
      publishHint: OPEN_HINT,
      cluster: {
        nodes: {
          up: this.nodes.filter(({ leaseMs, draining }) => leaseMs !== 0 && !draining).length,
          draining: this.nodes.filter(({ draining }) => draining).length,
          silent: this.nodes.filter(({ leaseMs }) => leaseMs === 0).length,
        },
        streams: this.keys.length,
        players: sum(({ load }) => load.players),
        publishers: sum(({ load }) => load.publishers),
        alarms: this.alarms.filter(({ until }) => until === null).length,
        receivedBytesPerS: sum(({ load }) => load.receivedBytesPerS),
        sentBytesPerS: sum(({ load }) => load.sentBytesPerS),
        capacityBytesPerS: sum(({ load }) => load.capacityBytesPerS),
        regions: REGIONS.map((region) => {
          const rows = this.nodes.filter((row) => row.region === region);
          return {
            region,
            nodes: rows.length,
            players: rows.reduce((total, { load }) => total + load.players, 0),
            streams: rows.length,
            sentBytesPerS: rows.reduce((total, { load }) => total + load.sentBytesPerS, 0),
          };
        }),
      },
    };
  }

  /** The first node publishes; the second relays to the third, the others pull from the first. */
  tree(key: string): TreeAnswer | undefined {
    if (!this.keys.includes(key)) return undefined;
    const ids = this.nodes.slice(0, 5).map(({ node }) => node);
    const told = ids.filter((id) => !this.stale.some(({ node }) => node === id));
    const [origin = ''] = ids;
    const upstream = (id: string) => (id === origin ? null : id === ids[2] ? (ids[1] ?? null) : origin);
    return {
      ...this.#envelope(),
      stale: this.stale,
      key,
      origin: { node: origin, epoch: 7, state: 'live', reason: 'publish', since: ago(3_600_000) },
      replicas: ids
        .filter((id) => id !== origin && !told.includes(id))
        .map((node) => ({ node, hops: 1, upstream: upstream(node) ?? origin, epoch: 7 })),
      backup: null,
      alarms: this.alarms.filter(({ stream }) => stream === key),
      nodes: told.map((node, at) => {
        const from = upstream(node);
        const delayMs = from === null ? null : 4 + at * 7;
        return {
          node,
          key,
          role: from === null ? ('origin' as const) : ('replica' as const),
          state: 'live' as const,
          epoch: 7,
          hops: from === null ? 0 : 1,
          upstream: from,
          path: from === null ? [node] : [origin, node],
          players: at * 12,
          children: from === null ? 3 : 0,
          standby: null,
          since: ago(3_600_000),
          bitsPerS: 2_400_000,
          frameRate: 30,
          video: this.codec,
          audio: 'aac',
          ageMs: at === 0 ? 0 : (delayMs ?? 0) + (node === ids[2] ? 11 : 0),
          quality: {
            video: {
              ...{ codec: this.codec, width: 1280, height: 720, frameRate: 30, bitsPerS: 2_270_000 },
              keyIntervalMs: 2000,
              keyAgeMs: 700,
            },
            audio: { codec: 'aac', sampleRate: 48_000, channels: 2, bitsPerS: 130_000 },
            ...{
              bitsPerS: 2_400_000,
              jitterMs: 1.4,
              longestGapMs: 44,
              skewMs: -12,
              dropped: 0,
              silentMs: 12,
            },
          },
          hop:
            from === null
              ? null
              : {
                  ...{ from, to: node, delayMs, errorMs: 0.8, jitterMs: 1.1, rttMs: 9 },
                  ...{ gaps: 0, resumes: at, skipped: 0, queueBytes: at * 900 },
                },
          childRows: [],
          publisher: from === null ? sessionOf(0, key) : null,
          history: this.#history(at + 1),
        };
      }),
    };
  }

  #history(seed: number): History {
    const points = (base: number, swing: number) =>
      Array.from({ length: POINTS }, (_, at) =>
        Math.round(base + swing * Math.sin((at + this.seconds + seed) / 5)),
      );
    return {
      stepMs: 1000,
      bitsPerS: points(2_400_000, 300_000),
      frameRate: points(30, 0),
      players: points(40 * seed, 12),
    };
  }

  #envelope() {
    return { node: this.nodes[0]?.node ?? 'none', registry: 'up' as const, asOf: now() };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://node');
    this.asked.set(url.pathname, (this.asked.get(url.pathname) ?? 0) + 1);
    if (url.pathname.startsWith('/api/')) this.#answerApi(request, response, url);
    else if (this.#dashboard.matches(url.pathname)) void this.#dashboard.handle(request, response, url);
    else response.writeHead(404).end();
  }

  #answerApi(
    { url: target = '', method, headers }: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): void {
    this.addresses.push(target);
    const kicked = /^\/api\/v1\/sessions\/([a-z0-9]+)$/.exec(url.pathname)?.[1];
    if (this.isLoopbackOnly) {
      refuse(response, 403, 'api.loopback-only', 'the request comes from another machine');
    } else if (this.token !== undefined && headers.authorization !== `Bearer ${this.token}`) {
      refuse(response, 401, 'api.token', 'it wants "Authorization: Bearer <api.token>"');
    } else if (url.pathname === '/api/v1/events' && headers.accept === 'text/event-stream') {
      this.#listen(url, response);
    } else if (method === 'DELETE' && kicked !== undefined) {
      this.#kick(kicked, response);
    } else {
      const document = this.#document(url);
      if (document === undefined) refuse(response, 404, 'http.not-found', 'nothing is here');
      else json(response, document);
    }
  }

  #kick(kicked: string, response: ServerResponse): void {
    this.kicked.push(kicked);
    const row = this.sessions.find(({ id }) => id === kicked);
    this.sessions = this.sessions.filter(({ id }) => id !== kicked);
    if (row) json(response, row);
    else refuse(response, 404, 'api.no-session', 'no node has this session');
  }

  #document({ pathname, searchParams }: URL): unknown {
    const cluster = { ...this.#envelope(), stale: this.stale };
    const page = { total: 0, truncated: false };
    switch (pathname) {
      case '/api/v1/streams':
        return this.#streams(searchParams);
      case '/api/v1/sessions': {
        const sessions = this.sessions.filter(
          ({ ended }) => (ended === null) === (searchParams.get('state') !== 'ended'),
        );
        return { ...cluster, total: sessions.length, truncated: false, sessions } satisfies SessionsAnswer;
      }
      case '/api/v1/links':
        return {
          ...cluster,
          links: this.nodes.slice(1, 4).map((row) => linkOf(this.nodes[0]?.node ?? '', row.node)),
        } satisfies LinksAnswer;
      case '/api/v1/alarms':
        return { ...cluster, ...page, alarms: this.alarms } satisfies AlarmsAnswer;
      case '/api/v1/events':
        return { ...cluster, ...page, events: this.events } satisfies EventsAnswer;
      case '/api/v1/decisions':
        return { ...cluster, ...page, ...decisions(this.nodes) } satisfies DecisionsAnswer;
      case '/api/v1/traffic':
        return { ...cluster, ...page, ...traffic(this.nodes) } satisfies TrafficAnswer;
      default:
        return undefined;
    }
  }

  #streams(asked: URLSearchParams): StreamsAnswer {
    const [limit, offset] = [Number(asked.get('limit') ?? 1000), Number(asked.get('offset') ?? 0)];
    const found = this.keys.filter((key) => key.includes(asked.get('q') ?? ''));
    return {
      ...this.#envelope(),
      stale: this.stale,
      total: found.length,
      truncated: found.length > offset + limit,
      limit,
      streams: found.slice(offset, offset + limit).map(
        (key, at): StreamRow => ({
          key,
          origin: {
            node: this.nodes[at % this.nodes.length]?.node ?? '',
            epoch: 7,
            state: at % 9 === 8 ? 'held' : 'live',
            reason: 'publish',
            since: ago(60_000 * (at + 1)),
          },
          replicas: [],
          backup: at === 3 ? { node: 'n1' } : null,
          here: null,
          players: 3 * at,
          bitsPerS: 2_400_000,
          frameRate: 29.97,
          video: this.codec,
          audio: 'aac',
          history: asked.get('history') === '1' ? this.#history(at) : null,
        }),
      ),
    };
  }

  #listen(url: URL, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const listener = { response, stream: url.searchParams.get('stream') ?? '' };
    this.#listeners.add(listener);
    response.once('close', () => this.#listeners.delete(listener));
    this.#send(response, 'hello', { node: this.nodes[0]?.node ?? '', version: '0.1.0', asOf: now() });
    for (const alarm of this.alarms.filter(({ until }) => until === null))
      this.#send(response, 'alarm', alarm);
    this.tell();
  }

  #send<K extends LiveName>(response: ServerResponse, name: K, data: LiveData<K>): void {
    response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

/** An alarm that lasts. */
export function alarmOf(stream: string, id: string): AlarmRow {
  return {
    ...{
      id,
      kind: 'hop-slow',
      node: 'n1',
      stream,
      hop: { from: 'n0', to: 'n1' },
      since: ago(5000),
      until: null,
    },
    ...{ value: 412, limit: 250, unit: 'ms', detail: 'frames come 412 ms late over the hop n0 to n1' },
  };
}

export function eventOf(id: number, event: string): EventRow {
  return {
    id,
    node: 'n0',
    time: ago(id * 1000),
    level: id % 3 === 0 ? 'warn' : 'info',
    event,
    stream: 'live/stream-00000',
    fields: { remote: '10.0.0.9:5123' },
  };
}

export function sessionOf(at: number, stream: string): SessionRow {
  return {
    ...{
      id: `s${at}abc`,
      node: 'n0',
      kind: at === 0 ? 'publisher' : 'player',
      stream,
      protocol: at === 0 ? 'rtmp' : 'http-flv',
    },
    ...{
      remote: `10.0.0.${at}:5${at}00`,
      since: ago(90_000),
      durationMs: 90_000,
      state: at === 2 ? 'behind' : 'live',
    },
    ...{
      bytes: 27_000_000,
      bytesPerS: 300_000,
      backlogBytes: at * 5000,
      dropped: at,
      skips: at > 1 ? 1 : 0,
      ended: null,
    },
  };
}

function nodeOf(at: number): NodeRow {
  const node = `n${at}`;
  return {
    node,
    ...{
      boot: `boot${at}`,
      host: `host${at}`,
      version: '0.1.0',
      region: REGIONS[at % 3] ?? '',
      zone: `z${at % 2}`,
      tags: [],
    },
    ...{
      draining: at === 5,
      mesh: [`10.1.0.${at % 250}:7935`],
      rtmp: `10.0.0.${at % 250}:1935`,
      http: `127.0.0.1:${20_000 + at}`,
    },
    ...{
      rtmpInternal: '',
      httpInternal: '',
      rttMs: { 'us-east': 80 },
      leaseMs: at === 0 ? null : at === 6 ? 0 : 3200,
    },
    load: {
      ...{
        cpu: (at % 10) / 10,
        memory: 0.4,
        loopBusy: 0.2,
        loopLagMs: 1.5,
        players: at * 3,
        publishers: at === 0 ? 3 : 0,
      },
      ...{
        sentBytesPerS: 4_000_000 + at * 100_000,
        receivedBytesPerS: 300_000,
        capacityBytesPerS: 125_000_000,
      },
      ...{ streams: 5, alarms: at === 1 ? 1 : 0 },
    },
    self: at === 0,
    link: null,
  };
}

function linkOf(node: string, peer: string) {
  return {
    ...{
      node,
      peer,
      rttMs: 9.2,
      rttDevMs: 0.6,
      offsetMs: -1204.2,
      lossShare: 0.002,
      receivedBytesPerS: 1000,
    },
    ...{
      sentBytesPerS: 300_000,
      dialledBy: node,
      ageMs: 3_600_000,
      receivedBytes: 10,
      sentBytes: 20,
      queueBytes: 4096,
    },
  };
}

function decisions(nodes: readonly NodeRow[]): Pick<DecisionsAnswer, 'decisions'> {
  const head = { by: 'n0', time: ago(4000), stream: 'live/stream-00000' };
  return {
    decisions: [
      {
        ...{ ...head, id: 2, kind: 'play', place: { region: 'eu-west', zone: '' }, node: 'n0' },
        why: 'n0 has the stream, and the lowest score',
        considered: nodes.slice(0, 3).map(({ node, region }, at) => ({
          ...{ node, region, score: 0.4 + at * 0.3 },
          parts: {
            cpu: 0.1 + at * 0.1,
            memory: 0.05,
            bandwidth: 0.1,
            place: at * 0.2,
            link: 0,
            price: 0.05,
            stream: 0.1,
          },
          promised: { players: at, bytesPerS: at * 300_000 },
        })),
        filtered: [{ reason: 'draining', count: 1, nodes: ['n5'] }],
        parents: [],
      },
      {
        ...{
          ...head,
          id: 1,
          kind: 'upstream',
          place: null,
          node: 'n1',
          why: 'n1 is nearest',
          considered: [],
          filtered: [],
        },
        parents: [
          { node: 'n1', total: 14, parts: { rtt: 9, hops: 5, loss: 0, busy: 0, price: 0, draining: 0 } },
          { node: 'n2', total: 92, parts: { rtt: 80, hops: 10, loss: 2, busy: 0, price: 0, draining: 0 } },
        ],
      },
    ],
  };
}

function traffic(nodes: readonly NodeRow[]): Pick<TrafficAnswer, 'windowMs' | 'by' | 'rows'> {
  return {
    windowMs: 3_600_000,
    by: 'node',
    rows: nodes.slice(0, 20).map(({ node }, at) => ({
      ...{
        node,
        direction: at % 2 === 0 ? ('out' as const) : ('in' as const),
        bytes: 9e9 / (at + 1),
        windowBytes: 1e8,
      },
      ...{ cost: at * 0.4, windowCost: at * 0.05 },
    })),
  };
}

function json(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
}

function refuse(response: ServerResponse, status: number, code: string, detail: string): void {
  response
    .writeHead(status, { 'Content-Type': 'application/problem+json' })
    .end(JSON.stringify({ type: 'about:blank', status, code, detail }));
}

function now(): string {
  return new Date().toISOString();
}

function ago(ms: number): string {
  return new Date(Date.now() - ms).toISOString();
}
