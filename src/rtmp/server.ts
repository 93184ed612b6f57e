// The RTMP door: listens, accepts within its limits, and keeps time for its sessions.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { AddressCount } from '../base/address-count.ts';
import type { SecureDoor } from '../base/certificate.ts';
import { every, type Timer } from '../base/clock.ts';
import { type Reason, WireError } from '../base/errors.ts';
import { listen, listeningPort } from '../base/listen.ts';
import { ProxiedServer } from '../base/proxied-server.ts';
import type { Proxies } from '../base/proxies.ts';
import { addressOf, remoteOf } from '../base/remote.ts';
import type { Table } from '../base/table.ts';
import { TlsArrivals } from '../base/tls-arrivals.ts';
import { ProxyHeaderReader } from '../format/proxy-header.ts';
import { RtmpSession, type SessionNeeds, type SessionOptions } from './session.ts';

export interface RtmpServerOptions extends SessionOptions {
  readonly host: string;
  /** 0 takes any free port; undefined: nobody is taken without TLS. */
  readonly port: number | undefined;
  /** RTMPS; undefined: nobody is taken with TLS. */
  readonly secure?: SecureDoor | undefined;
  readonly maxConnections: number;
  /** Connections at once from one address. */
  readonly maxConnectionsPerAddress: number;
}

export interface RtmpServerNeeds extends SessionNeeds {
  /** Proxies in front of it; undefined: none is believed. */
  readonly proxies?: Proxies | undefined;
  /** Why a new connection from the address is not taken; undefined: it is, or nobody asks. */
  readonly refusal?: ((address: string) => Reason | undefined) | undefined;
}

const GONE: Reason = { code: 'rtmp.peer-gone', message: 'the peer closed the connection' };
const TOO_MANY: Reason = {
  code: 'rtmp.too-many-connections',
  message: 'the door has all the connections it may have: see rtmp.maxConnections',
};
const TOO_MANY_FROM_ADDRESS: Reason = {
  code: 'rtmp.too-many-from-address',
  message: 'the address has all the connections it may have: see rtmp.maxConnectionsPerAddress',
};
const CHECK_MS = 250;
const STOP_GRACE_MS = 5_000;

export class RtmpServer {
  readonly #options: RtmpServerOptions;
  readonly #needs: RtmpServerNeeds;
  readonly #plain: Server | undefined;
  #secure: { readonly server: Server; readonly arrivals: TlsArrivals } | undefined;
  readonly #sessions = new Set<RtmpSession>();
  readonly #proxied: readonly ProxiedServer[];
  readonly #perAddress = new AddressCount();
  #timer: Timer | undefined;
  #stopped: Promise<void> | undefined;
  /** Called when the last session has gone. */
  #emptied: () => void = () => {};
  /** Connections ever accepted. */
  accepted = 0;
  /** Connections closed on arrival, by the limits. */
  turnedAway = 0;
  /** Publishers that were asked to connect again, elsewhere. */
  reconnectRequests = 0;
  #closedBytesIn = 0;
  #closedBytesOut = 0;

  constructor(options: RtmpServerOptions, needs: RtmpServerNeeds) {
    this.#options = options;
    this.#needs = needs;
    const { port, secure } = options;
    const accept = (socket: Socket) => this.#accept(socket);
    this.#plain = port === undefined ? undefined : createServer({ allowHalfOpen: false }, accept);
    if (secure) this.#secure = this.#buildSecure(secure);
    // Last: it takes over what is listened to.
    const { proxies } = needs;
    this.#proxied = proxies ? this.#servers.map((server) => this.#behindProxies(server, proxies)) : [];
    this.#boundProxied();
  }

  get #servers(): Server[] {
    return [this.#plain, this.#secure?.server].filter((server) => server !== undefined);
  }

  /** Those whose proxy's header is read are not judged yet, and are bounded by their server. */
  #boundProxied(): void {
    if (this.#proxied.length === 0) return;
    for (const server of this.#servers) server.maxConnections = this.#options.maxConnections;
  }

  #behindProxies(server: Server, proxies: Proxies): ProxiedServer {
    server.on('drop', () => {
      this.turnedAway += 1;
    });
    const { clock } = this.#needs;
    return new ProxiedServer(server, {
      ...{ clock, proxies, newReader: () => new ProxyHeaderReader() },
      refused: (why, socket) => {
        const { counters, log } = this.#needs;
        if (why instanceof WireError) counters.wireError(why.code);
        else counters.refused(why.code);
        log.info({ remote: remoteOf(socket), code: why.code, detail: why.message }, 'rtmp.refused');
      },
    });
  }

  #buildSecure({ certificate }: SecureDoor) {
    const { clock, counters, log } = this.#needs;
    const server = createSecureServer(certificate.options);
    certificate.renews(server);
    const arrivals = new TlsArrivals(server, {
      ...{ clock, handshakeMs: () => this.#options.handshakeMs },
      admits: (raw) => this.#admits(raw),
      connected: (socket) => this.#begin(socket),
      refused: ({ code, message }, raw) => {
        counters.refused(code);
        log.debug({ remote: remoteOf(raw), code, detail: message }, 'rtmp.refused');
      },
    });
    return { server, arrivals };
  }

  /** Open connections that speak RTMP, or are to. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Those, and the ones before them that shake hands in TLS, or are with a proxy's header. */
  get sockets(): number {
    return this.#sessions.size + this.#handshakes + this.#headers;
  }

  get #handshakes(): number {
    return this.#secure?.arrivals.size ?? 0;
  }

  get #headers(): number {
    return this.#proxied.reduce((sum, { size }) => sum + size, 0);
  }

  get tables(): Table[] {
    const { maxConnections: limit } = this.#options;
    return [
      { table: 'rtmp_connections', entries: this.#sessions.size, limit },
      { table: 'rtmp_addresses', entries: this.#perAddress.size, limit },
      { table: 'rtmp_proxy_headers', entries: this.#headers, limit },
      { table: 'rtmps_handshakes', entries: this.#handshakes, limit },
    ];
  }

  get publishers(): number {
    return this.#countAt('publishing');
  }

  get players(): number {
    return this.#countAt('playing');
  }

  /** Bytes received from all peers ever, those that are gone included. */
  get bytesIn(): number {
    let sum = this.#closedBytesIn;
    for (const session of this.#sessions) sum += session.bytesIn;
    return sum;
  }

  /** Bytes written to all peers ever. */
  get bytesOut(): number {
    let sum = this.#closedBytesOut;
    for (const session of this.#sessions) sum += session.bytesOut;
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
    const { clock, log } = this.#needs;
    // A socket that could not be accepted (EMFILE) is that peer's loss alone.
    const failed = ({ message }: Error) => log.warn({ detail: message }, 'rtmp.accept-failed');
    if (this.#plain) await listen(this.#plain, { host, port: port ?? 0, key: 'rtmp.port' }, failed);
    try {
      if (this.#secure && secure) {
        await listen(this.#secure.server, { host, port: secure.port, key: 'rtmps.port' }, failed);
      }
    } catch (error) {
      this.#plain?.close();
      throw error;
    }
    this.#timer = every(clock, CHECK_MS, () => this.#check());
  }

  /** Asks those publishers to go on elsewhere that can be asked. */
  sendElsewhere(why: Reason): void {
    for (const session of [...this.#sessions]) if (session.sendElsewhere(why)) this.reconnectRequests += 1;
  }

  /** Accepts no more; sessions go on. Calm when repeated. */
  stopAccepting(): void {
    this.#plain?.close();
    this.#secure?.server.close();
    this.#secure?.arrivals.stop();
    for (const proxied of this.#proxied) proxied.stop();
  }

  /**
   * Ends every session, cleanly where it publishes or plays; those that have not gone after `graceMs` are destroyed.
   * Resolves when all are gone. Calm when repeated.
   */
  stop(why: Reason, graceMs: number = STOP_GRACE_MS): Promise<void> {
    this.#stopped ??= this.#stopAll(why, graceMs);
    return this.#stopped;
  }

  async #stopAll(why: Reason, graceMs: number): Promise<void> {
    this.stopAccepting();
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const session of [...this.#sessions]) session.stop(why);
    const patience = this.#needs.clock.after(graceMs, () => {
      for (const session of [...this.#sessions]) session.destroy(why);
    });
    if (this.#sessions.size > 0) await emptied;
    patience.cancel();
    this.#timer?.cancel();
  }

  #accept(socket: Socket): void {
    if (this.#admits(socket)) this.#begin(socket);
  }

  /** Who may not come in is turned away. */
  #admits(socket: Socket): boolean {
    const address = addressOf(socket);
    const why = address === undefined ? GONE : this.#refusal(address);
    if (why) this.#turnAway(socket, why);
    return !why;
  }

  #begin(socket: Socket): void {
    const address = addressOf(socket);
    if (address === undefined) {
      this.#turnAway(socket, GONE);
      return;
    }
    this.accepted += 1;
    this.#perAddress.add(address);
    const session = new RtmpSession(socket, this.#options, this.#needs);
    this.#sessions.add(session);
    socket.on('close', () => this.#forget(session, address));
  }

  #refusal(address: string): Reason | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    const { arrivals } = this.#secure ?? {};
    if (this.#sessions.size + this.#handshakes >= maxConnections) return TOO_MANY;
    const ofAddress = this.#perAddress.of(address) + (arrivals?.of(address) ?? 0);
    if (ofAddress >= maxConnectionsPerAddress) return TOO_MANY_FROM_ADDRESS;
    return this.#needs.refusal?.(address);
  }

  /** Without a word: RTMP has none before its handshake. */
  #turnAway(socket: Socket, { code, message: detail }: Reason): void {
    this.turnedAway += 1;
    this.#needs.counters.refused(code);
    this.#needs.log.debug({ remote: addressOf(socket), code, detail }, 'rtmp.refused');
    socket.destroy();
  }

  #forget(session: RtmpSession, address: string): void {
    this.#sessions.delete(session);
    this.#closedBytesIn += session.bytesIn;
    this.#closedBytesOut += session.bytesOut;
    this.#perAddress.remove(address);
    if (this.#sessions.size === 0) this.#emptied();
  }

  #check(): void {
    const nowMs = this.#needs.clock.now();
    for (const session of this.#sessions) session.check(nowMs);
    this.#boundProxied();
  }

  #countAt(at: RtmpSession['at']): number {
    let count = 0;
    for (const session of this.#sessions) if (session.at === at) count += 1;
    return count;
  }
}
