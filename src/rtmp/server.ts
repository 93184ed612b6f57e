// The RTMP door: listens, accepts within its limits, and keeps time for its sessions.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
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
}

const CHECK_MS = 250;
const STOP_GRACE_MS = 5_000;

export class RtmpServer {
  readonly #options: RtmpServerOptions;
  readonly #needs: SessionNeeds;
  readonly #plain: Server | undefined;
  #secure: { readonly server: Server; readonly arrivals: TlsArrivals } | undefined;
  readonly #sessions = new Set<RtmpSession>();
  readonly #proxied: readonly ProxiedServer[];
  /** Connections of each address that has any. */
  readonly #perAddress = new Map<string, number>();
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
    this.#proxied = [this.#plain, this.#secure?.server].flatMap((server) =>
      server && needs.proxies ? [this.#behindProxies(server, needs.proxies)] : [],
    );
  }

  #behindProxies(server: Server, proxies: Proxies): ProxiedServer {
    server.maxConnections = this.#options.maxConnections;
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
    const { handshakeMs, maxConnections } = this.#options;
    const { clock, counters, log } = this.#needs;
    const server = createSecureServer(certificate.options);
    server.maxConnections = maxConnections;
    server.on('drop', () => {
      this.turnedAway += 1;
    });
    certificate.renews(server);
    const arrivals = new TlsArrivals(server, {
      ...{ clock, handshakeMs },
      connected: (socket) => this.#accept(socket),
      refused: ({ code, message }, raw) => {
        counters.refused(code);
        log.debug({ remote: remoteOf(raw), code, detail: message }, 'rtmp.refused');
      },
    });
    return { server, arrivals };
  }

  get connections(): number {
    return this.#sessions.size;
  }

  get tables(): Table[] {
    const { maxConnections: limit } = this.#options;
    return [
      { table: 'rtmp_connections', entries: this.#sessions.size, limit },
      { table: 'rtmp_addresses', entries: this.#perAddress.size, limit },
      {
        ...{ table: 'rtmp_proxy_headers', limit },
        entries: this.#proxied.reduce((sum, { size }) => sum + size, 0),
      },
      { table: 'rtmps_handshakes', entries: this.#secure?.arrivals.size ?? 0, limit },
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
    const address = addressOf(socket);
    if (address === undefined || !this.#hasRoom(address)) {
      this.turnedAway += 1;
      socket.destroy();
      return;
    }
    this.accepted += 1;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    const session = new RtmpSession(socket, this.#options, this.#needs);
    this.#sessions.add(session);
    socket.on('close', () => this.#forget(session, address));
  }

  #hasRoom(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    const here = this.#perAddress.get(address) ?? 0;
    const isFull = this.#sessions.size >= maxConnections;
    if (!isFull && here < maxConnectionsPerAddress) return true;
    const code = isFull ? 'rtmp.too-many-connections' : 'rtmp.too-many-from-address';
    this.#needs.counters.refused(code);
    this.#needs.log.debug({ remote: address, code }, 'rtmp.refused');
    return false;
  }

  #forget(session: RtmpSession, address: string): void {
    this.#sessions.delete(session);
    this.#closedBytesIn += session.bytesIn;
    this.#closedBytesOut += session.bytesOut;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
    if (this.#sessions.size === 0) this.#emptied();
  }

  #check(): void {
    const nowMs = this.#needs.clock.now();
    for (const session of this.#sessions) session.check(nowMs);
  }

  #countAt(at: RtmpSession['at']): number {
    let count = 0;
    for (const session of this.#sessions) if (session.at === at) count += 1;
    return count;
  }
}
