// The HTTP server: listens, finds the route of a request, refuses the rest with a reason. It knows no FLV: what is
// served comes in as routes.
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AddressCount } from '../base/address-count.ts';
import type { SecureDoor } from '../base/certificate.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError, WireError } from '../base/errors.ts';
import { listen, listeningPort } from '../base/listen.ts';
import type { Log } from '../base/log.ts';
import { MarkedRequest, remoteOfRequest, sessionOf } from '../base/marked-request.ts';
import { ProxiedServer } from '../base/proxied-server.ts';
import type { Proxies } from '../base/proxies.ts';
import { addressOf, remoteOf, type Waiting } from '../base/remote.ts';
import type { Table } from '../base/table.ts';
import { TlsArrivals } from '../base/tls-arrivals.ts';
import { ProxyHeaderReader } from '../format/proxy-header.ts';
import { asRefusal, refuse, refuseSocket } from './answer.ts';
import { nameRequest, REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';
import { parseTarget, type Route, type UpgradeRoute } from './route.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes any free one; undefined: nothing is served without TLS. */
  readonly port: number | undefined;
  /** Undefined: nothing is served with TLS. */
  readonly secure?: SecureDoor | undefined;
  /** At once that something is asked of; beyond them, only vital routes are answered. */
  readonly maxConnections: number;
  /** Connections at once from one address; undefined: as many as there may be. */
  readonly maxConnectionsPerAddress?: number;
}

/** Told of each "no", by its code. */
export interface HttpCounters {
  refused(code: string): void;
  wireError(code: string): void;
}

export interface HttpServerNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: HttpCounters;
  readonly routes: readonly Route[];
  readonly upgrades: readonly UpgradeRoute[];
  readonly arrivals?: HttpArrivals | undefined;
  /** Proxies in front of it; undefined: none is believed. */
  readonly proxies?: Proxies | undefined;
}

/** Who may come in; without one, everybody. */
export interface HttpArrivals {
  /** Is there no file for one more connection, unless another goes? */
  lacksFiles(): boolean;
  /** Why a new connection from the address is not taken; undefined: it is. */
  refusal(address: string): Reason | undefined;
}

const TOO_MANY_FROM_ADDRESS: Reason = {
  code: 'http.too-many-from-address',
  message: 'this address has all the connections it may have: see http.maxConnectionsPerAddress',
};
const FULL: Reason = {
  code: 'http.too-many-connections',
  message: 'this node has all the connections that it may (http.maxConnections): try later, or another node',
};
const NO_FILES: Reason = {
  code: 'limits.files',
  message: 'this node has nearly all the files open that it may, and this connection asked for nothing',
};
/** Places above maxConnections, for who asks for what is vital, and for who has not asked yet. */
const SPARE_CONNECTIONS = 64;
/** Connections that were turned away, and whose files are not closed yet: a burst of more is dropped by Node. */
const MAX_CLOSING = 1_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** From the connection to the last header. */
const HEADERS_MS = 10_000;
/** A socket on which nothing moves for so long is closed; media routes lift this and watch their own. */
const INACTIVE_MS = 30_000;
const KEEP_ALIVE_PROBE_MS = 30_000;
const CHECK_MS = 1000;
const PREFLIGHT_SECONDS = 86_400;
/** From the connection to the end of TLS's handshake. */
const TLS_HANDSHAKE_MS = 5_000;

/** Of both ports. */
const SERVER_OPTIONS = {
  IncomingMessage: MarkedRequest,
  headersTimeout: HEADERS_MS,
  // A live POST lasts for hours, so no request is cut for its age: its route ends one that sends nothing.
  requestTimeout: 0,
  connectionsCheckingInterval: CHECK_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
} as const;

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counters: HttpCounters;
  readonly #routes: readonly Route[];
  readonly #upgrades: readonly UpgradeRoute[];
  readonly #arrivals: HttpArrivals | undefined;
  readonly #plain: Server | undefined;
  #secure: Secure | undefined;
  readonly #proxies: Proxies | undefined;
  readonly #proxied: readonly ProxiedServer[];
  /** Every open socket and its address, also those that left the HTTP parser. Bounded by maxConnections and spare places. */
  readonly #sockets = new Map<Socket, string>();
  /** Those of them that wait for no answer, longest first: they make room. */
  readonly #idle = new Map<Socket, Idle>();
  readonly #perAddress = new AddressCount();
  #stopping: TidewayError | undefined;
  #closed: Promise<unknown> | undefined;
  #closedBytesIn = 0;
  #closedBytesOut = 0;
  /** Requests and upgrades ever taken; connections over the limit. */
  requests = 0;
  droppedConnections = 0;

  constructor(options: HttpServerOptions, needs: HttpServerNeeds) {
    this.#options = options;
    this.#clock = needs.clock;
    this.#log = needs.log;
    this.#counters = needs.counters;
    this.#routes = needs.routes;
    this.#upgrades = needs.upgrades;
    this.#arrivals = needs.arrivals;
    this.#proxies = needs.proxies;
    const { port, secure } = options;
    this.#plain = port === undefined ? undefined : this.#listensTo(createServer(SERVER_OPTIONS));
    this.#plain?.on('connection', (socket) => this.#connected(socket));
    if (secure) this.#secure = this.#buildSecure(secure);
    // Last: it takes over what is listened to.
    this.#proxied = [this.#plain, this.#secure?.server].flatMap((server) =>
      server && needs.proxies ? [this.#behindProxies(server, needs.proxies)] : [],
    );
  }

  #behindProxies(server: Server | SecureServer, proxies: Proxies): ProxiedServer {
    return new ProxiedServer(server, {
      ...{ clock: this.#clock, proxies, newReader: () => new ProxyHeaderReader() },
      admits: (socket) => this.#admitsProxied(socket),
      refused: (why, socket) => this.#report(socket, why),
    });
  }

  #buildSecure({ certificate }: SecureDoor): Secure {
    const server = createSecureServer({ ...SERVER_OPTIONS, ...certificate.options });
    certificate.renews(server);
    const arrivals = new TlsArrivals(server, {
      ...{ clock: this.#clock, handshakeMs: () => TLS_HANDSHAKE_MS },
      admits: (raw) => this.#admitsSecure(raw),
      connected: (socket) => this.#keep(socket),
      refused: (why, raw) => this.#countRefusal(raw, why),
    });
    this.#listensTo(server);
    return { server, arrivals };
  }

  #listensTo<S extends Server | SecureServer>(server: S): S {
    server.timeout = INACTIVE_MS;
    server.maxConnections = this.#most + MAX_CLOSING;
    server.on('drop', () => {
      this.droppedConnections += 1;
    });
    server.on('request', (request, response) => this.#requested(request, response));
    // With this listener, the route decides whether a publisher that asks first (RFC 9110 §10.1.1) may send.
    server.on('checkContinue', (request, response) => this.#requested(request, response));
    server.on('upgrade', (request, socket, head) => this.#upgradeRequested(request, socket, head));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#broken(error, socket));
    return server;
  }

  /** Open connections that speak HTTP, or are to. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Those, and the ones before them that shake hands in TLS, or are with a proxy's header. */
  get sockets(): number {
    return this.#sockets.size + this.#handshakes + this.#headers;
  }

  /** Connections of all kinds at most. */
  get #most(): number {
    return this.#options.maxConnections + SPARE_CONNECTIONS;
  }

  get #handshakes(): number {
    return this.#secure?.arrivals.size ?? 0;
  }

  get #headers(): number {
    return this.#proxied.reduce((sum, { size }) => sum + size, 0);
  }

  get tables(): Table[] {
    const limit = this.#most;
    return [
      { table: 'http_connections', entries: this.#sockets.size, limit },
      { table: 'http_connections_idle', entries: this.#idle.size, limit },
      { table: 'http_addresses', entries: this.#perAddress.size, limit },
      { table: 'http_proxy_headers', entries: this.#headers, limit },
      { table: 'https_handshakes', entries: this.#handshakes, limit },
    ];
  }

  /** Bytes read from all clients ever. */
  get bytesIn(): number {
    let sum = this.#closedBytesIn;
    for (const socket of this.#sockets.keys()) sum += socket.bytesRead;
    return sum;
  }

  /** Bytes written to all clients ever. */
  get bytesOut(): number {
    let sum = this.#closedBytesOut;
    for (const socket of this.#sockets.keys()) sum += socket.bytesWritten;
    return sum;
  }

  /** The port that it listens on without TLS; 0 before `start`, and without one. */
  get port(): number {
    return this.#plain ? listeningPort(this.#plain) : 0;
  }

  /** The same with TLS. */
  get securePort(): number {
    return this.#secure ? listeningPort(this.#secure.server) : 0;
  }

  /**
   * Listens.
   * @throws TidewayError `listen.busy`, `listen.failed`; nothing is left open
   */
  async start(): Promise<void> {
    const { host, port, secure } = this.#options;
    const failed = (error: Error) => this.#log.error({ err: error }, 'http.server-error');
    if (this.#plain) await listen(this.#plain, { host, port: port ?? 0, key: 'http.port' }, failed);
    if (!this.#secure || !secure) return;
    try {
      await listen(this.#secure.server, { host, port: secure.port, key: 'https.port' }, failed);
    } catch (error) {
      this.#plain?.close();
      throw error;
    }
  }

  /**
   * Stops accepting, closes connections without a request; what is still open after `graceMs` is destroyed. Calm when
   * repeated.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping ??= new TidewayError('node.stopping', 'the node is stopping: try again in a moment');
    const servers = [this.#plain, this.#secure?.server].filter((server) => server !== undefined);
    this.#closed ??= Promise.all(servers.map(closed));
    this.#secure?.arrivals.stop();
    for (const proxied of this.#proxied) proxied.stop();
    // Node counts one that never asked for anything as busy: browsers open such connections in advance.
    for (const [socket, { was }] of this.#idle) if (was === 'new') socket.destroy();
    const deadline = this.#clock.after(graceMs, () => {
      for (const socket of this.#sockets.keys()) socket.destroy();
    });
    await this.#closed;
    deadline.cancel();
  }

  #connected(socket: Socket): void {
    const why = this.#refusalOf(socket);
    if (!why) {
      this.#keep(socket);
      return;
    }
    this.droppedConnections += 1;
    this.#turnAway(socket, why);
  }

  /** Before TLS's handshake nothing can be said, and after it too much was done for who is turned away. */
  #admitsSecure(raw: Socket): boolean {
    const why = this.#refusalOf(raw);
    if (!why) return true;
    this.droppedConnections += 1;
    this.#cut(raw, why);
    return false;
  }

  /** Whom it comes from is not known yet: that is judged behind its header. */
  #admitsProxied(socket: Socket): boolean {
    if (this.#hasRoom()) return true;
    this.droppedConnections += 1;
    this.#cut(socket, FULL);
    return false;
  }

  /** Nothing can be said to it. */
  #cut(socket: Socket, why: Reason): void {
    this.#countRefusal(socket, why);
    socket.destroy();
  }

  #keep(socket: Socket): void {
    const address = addressOf(socket) ?? 'unknown';
    this.#sockets.set(socket, address);
    this.#idle.set(socket, { was: 'new', sinceMs: this.#clock.now() });
    this.#perAddress.add(address);
    socket.once('close', () => this.#leave(socket));
  }

  /** Closed, or as good as that: its place is free. Calm when repeated. */
  #leave(socket: Socket): void {
    const address = this.#sockets.get(socket);
    if (address === undefined) return;
    this.#sockets.delete(socket);
    this.#idle.delete(socket);
    this.#perAddress.remove(address);
    this.#closedBytesIn += socket.bytesRead;
    this.#closedBytesOut += socket.bytesWritten;
  }

  /** It was answered, and may ask again: until then it may make room. */
  #rests(socket: Socket): void {
    if (!this.#sockets.has(socket) || socket.destroyed) return;
    this.#idle.set(socket, { was: 'answered', sinceMs: this.#clock.now() });
  }

  #refusalOf(socket: Socket): Reason | undefined {
    const { maxConnectionsPerAddress = Number.POSITIVE_INFINITY } = this.#options;
    const address = addressOf(socket) ?? 'unknown';
    const ofAddress = this.#perAddress.of(address) + (this.#secure?.arrivals.of(address) ?? 0);
    if (ofAddress >= maxConnectionsPerAddress) return TOO_MANY_FROM_ADDRESS;
    if (this.#arrivals?.lacksFiles()) this.#makeRoom(NO_FILES);
    const why = this.#arrivals?.refusal(address);
    if (why) return why;
    return this.#hasRoom() ? undefined : FULL;
  }

  #hasRoom(): boolean {
    return this.sockets < this.#most || this.#makeRoom(FULL);
  }

  /** Who asks for nothing goes before who may ask for health: the one that has waited longest. Was there any? */
  #makeRoom(why: Reason): boolean {
    const others = [this.#secure?.arrivals, ...this.#proxied].map((door) => door?.longest);
    const longest = longestOf([this.#longestIdle, ...others]);
    if (!longest) return false;
    this.droppedConnections += 1;
    longest.end(why);
    return true;
  }

  get #longestIdle(): Waiting | undefined {
    for (const [socket, { was, sinceMs }] of this.#idle) {
      const end = (why: Reason) => {
        // What one that was answered is sent now could pass for another answer.
        if (was === 'new') this.#turnAway(socket, why);
        else this.#cut(socket, why);
        this.#leave(socket);
      };
      return { sinceMs, end };
    }
    return undefined;
  }

  /** @throws TidewayError `http.too-many-connections` */
  #checkPlace(isVital: boolean, response?: ServerResponse): void {
    if (isVital || this.#sockets.size - this.#idle.size <= this.#options.maxConnections) return;
    response?.setHeader('Connection', 'close');
    throw new TidewayError(FULL.code, FULL.message);
  }

  /** It is told why, and not waited for. */
  #turnAway(socket: Socket, why: Reason): void {
    const { code, message } = why;
    this.#countRefusal(socket, why);
    socket.on('error', () => {}); // 'close' follows
    refuseSocket(socket, new TidewayError(code, message));
    socket.destroySoon();
  }

  /** At the debug level: who is turned away often is turned away very often. */
  #countRefusal(socket: Socket, { code, message }: Reason): void {
    this.#counters.refused(code);
    this.#log.debug({ remote: remoteOf(socket), code, detail: message }, 'http.refused');
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    // Turned away already, and read by the parser before it was closed.
    if (!this.#sockets.has(request.socket)) return;
    this.requests += 1;
    this.#idle.delete(request.socket);
    response.once('finish', () => this.#rests(request.socket));
    nameRequest(request);
    this.#markAsker(request);
    // A request that is pipelined behind one without an answer has no socket yet; its answer would mix with media.
    if (response.socket === null) {
      this.#report(request.socket, pipelined(), request);
      request.socket.destroy();
      return;
    }
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader(REQUEST_ID_HEADER, requestIdOf(request));
    this.#answer(request, response).catch((error: unknown) => {
      const refusal = this.#refusal(error, request);
      // A client that went away needs no answer: its route was told by the same close.
      if (request.socket.destroyed) return;
      this.#report(request.socket, refusal, request);
      refuse({ request, response }, refusal, this.#clock);
      // Also while the rest of it is read and thrown away.
      this.#rests(request.socket);
    });
  }

  /** Where a proxy passed it on: for whom. */
  #markAsker(request: IncomingMessage): void {
    const peer = addressOf(request.socket);
    if (!this.#proxies?.has(peer) || peer === undefined || !(request instanceof MarkedRequest)) return;
    request.isOfProxy = true;
    const asker = this.#proxies.askerOf(request.headers, peer);
    if (asker !== peer) request.askedBy = asker;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#stopping) throw this.#stopping;
    const url = parseTarget(request.url);
    const { method = '' } = request;
    const routes = this.#routes.filter((route) => route.matches(url.pathname));
    const allowed = [...new Set(['OPTIONS', ...routes.flatMap((route) => route.methods)])].join(', ');
    const isPrivate = routes.some((candidate) => candidate.isPrivate);
    if (isPrivate) response.removeHeader('Access-Control-Allow-Origin');
    if (method === 'OPTIONS') {
      if (isPrivate) answerOptions(response, allowed);
      else answerPreflight(response, allowed);
      return;
    }
    const route = routes.find((candidate) => candidate.methods.includes(method));
    if (route) {
      this.#checkPlace(route.isVital ?? false, response);
      await route.handle(request, response, url);
      return;
    }
    if (routes.length === 0) throw notFound();
    response.setHeader('Allow', allowed);
    throw new TidewayError('http.method-not-allowed', `this path takes ${allowed}`);
  }

  #upgradeRequested(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Node has taken its own listeners off; without one, a reset would end the process.
    socket.on('error', () => socket.destroy());
    if (!(socket instanceof Socket) || !this.#sockets.has(socket)) {
      socket.destroy();
      return;
    }
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' && isBodiless(request)) {
      this.#serveWithoutUpgrade(request, socket);
      return;
    }
    this.requests += 1;
    this.#idle.delete(socket);
    nameRequest(request);
    this.#markAsker(request);
    this.#upgrade(request, socket, head).catch((error: unknown) => {
      const refusal = this.#refusal(error, request);
      if (socket.destroyed) return;
      this.#report(socket, refusal, request);
      refuseSocket(socket, refusal, request);
    });
  }

  /** RFC 9110 §7.8: an upgrade that is not known is ignored, such as the h2c that curl and Java offer. */
  #serveWithoutUpgrade(request: IncomingMessage, socket: Socket): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => {
      response.detachSocket(socket);
      socket.end();
    });
    this.#requested(request, response);
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (this.#stopping) throw this.#stopping;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new TidewayError('http.bad-request', 'with a body, the only upgrade taken here is websocket');
    }
    const url = parseTarget(request.url);
    const route = this.#upgrades.find((candidate) => candidate.matches(url.pathname));
    if (!route) throw notFound();
    this.#checkPlace(false);
    await route.upgrade(request, socket, head, url);
  }

  /** Counts and logs a "no". What nobody had, and what browsers and crawlers ask for all day, is for the curious. */
  #report(socket: Socket, why: TidewayError, request?: IncomingMessage): void {
    const level = why.code === 'http.not-found' || why.code === 'play.not-found' ? 'debug' : 'info';
    const asked = request && { request: requestIdOf(request), session: sessionOf(request) };
    const remote = request ? remoteOfRequest(request) : remoteOf(socket);
    const said = { ...asked, remote, code: why.code, detail: why.message };
    this.#log[level](said, 'http.refused');
    if (why instanceof WireError) this.#counters.wireError(why.code);
    else this.#counters.refused(why.code);
  }

  #refusal(error: unknown, request: IncomingMessage): TidewayError {
    const refusal = asRefusal(error);
    if (refusal.code === 'http.internal') {
      const asked = { request: requestIdOf(request), session: sessionOf(request) };
      this.#log.error({ ...asked, err: error }, 'http.request-failed');
    }
    return refusal;
  }

  /** What came could not be parsed, was too slow, or the socket failed: only the first two can be told. */
  #broken(error: NodeJS.ErrnoException, socket: Duplex): void {
    const refusal = parseRefusal(error.code ?? '');
    if (!refusal || !(socket instanceof Socket) || !this.#sockets.has(socket)) {
      socket.destroy();
      return;
    }
    this.#report(socket, refusal);
    refuseSocket(socket, refusal);
  }
}

interface Idle {
  /** Has it asked for anything before? */
  readonly was: 'new' | 'answered';
  readonly sinceMs: number;
}

function longestOf(offered: readonly (Waiting | undefined)[]): Waiting | undefined {
  let longest: Waiting | undefined;
  for (const waiting of offered) {
    if (waiting && (!longest || waiting.sinceMs < longest.sinceMs)) longest = waiting;
  }
  return longest;
}

interface Secure {
  readonly server: SecureServer;
  readonly arrivals: TlsArrivals;
}

function closed(server: Server | SecureServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function answerOptions(response: ServerResponse, allowed: string): void {
  response.writeHead(204, { Allow: allowed });
  response.end();
}

function answerPreflight(response: ServerResponse, allowed: string): void {
  response.writeHead(204, {
    Allow: allowed,
    'Access-Control-Allow-Methods': allowed,
    'Access-Control-Allow-Headers': 'Authorization, Cache-Control, Content-Type, Range',
    'Access-Control-Max-Age': PREFLIGHT_SECONDS,
  });
  response.end();
}

function isBodiless({ method, headers }: IncomingMessage): boolean {
  const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  return isRead && headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
}

function pipelined(): TidewayError {
  return new TidewayError('http.bad-request', 'a request came behind one that is not answered yet');
}

function notFound(): TidewayError {
  return new TidewayError(
    'http.not-found',
    'nothing is here: streams are at /app/name.flv, the watch page at /watch/',
  );
}

function parseRefusal(code: string): TidewayError | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new TidewayError('http.headers-too-large', `the headers are over ${MAX_HEADER_BYTES} bytes`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new TidewayError('http.timeout', `the headers were not there within ${HEADERS_MS} ms`);
  }
  return code.startsWith('HPE_') ? new TidewayError('http.bad-request', 'this is no valid HTTP') : undefined;
}
