// Where other nodes come in: an HTTP server that does nothing but upgrade to our subprotocol. It bounds those who have not
// proven yet who they are; what is said over the WebSocket is link.ts's.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock, Timer } from '../base/clock.ts';
import { listen, listeningPort } from '../base/listen.ts';
import type { Log } from '../base/log.ts';
import { remoteOf } from '../base/remote.ts';
import type { Table } from '../base/table.ts';
import { nameOf, tlsErrorText } from '../base/tls-arrivals.ts';
import type { MeshTls } from './channel.ts';
import { SUBPROTOCOL } from './handshake.ts';
import type { Connection } from './link.ts';
import type { QuietLog } from './quiet-log.ts';
import { WS_BOUNDS } from './ws-bounds.ts';

/** Connections at once that have not proven who they are; for more, those go that took longest. */
export const MAX_UNPROVEN = 64;
/** From the connection to the proof. */
const PROVE_MS = 5_000;
const MAX_HEADER_BYTES = 4 * 1024;
const PATH = '/';
const SERVER_OPTIONS = {
  headersTimeout: PROVE_MS,
  requestTimeout: PROVE_MS,
  connectionsCheckingInterval: PROVE_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  noDelay: true,
} as const;

export interface DoorOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Undefined: nodes don't speak TLS. */
  readonly tls?: MeshTls | undefined;
}

export interface DoorNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly quietLog: QuietLog;
  readonly counters: { refused(code: string): void };
  /** A WebSocket of our subprotocol is open, and nothing was said on it. */
  readonly connected: (connection: Connection) => void;
}

export class MeshDoor {
  readonly #options: DoorOptions;
  readonly #needs: DoorNeeds;
  readonly #server: Server | SecureServer;
  readonly #handshakes: WebSocketServer;
  /** As they were accepted, each with the end of its time, by their names. Bounded by MAX_UNPROVEN. */
  readonly #unproven = new Map<string, { readonly socket: Socket; readonly deadline: Timer }>();

  constructor(options: DoorOptions, needs: DoorNeeds) {
    this.#options = options;
    this.#needs = needs;
    this.#server = options.tls ? this.#secureServer(options.tls) : createServer(SERVER_OPTIONS);
    this.#server.on('connection', (socket) => this.#arrived(socket));
    this.#server.on('request', (_request, response) => turnAway(response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('clientError', (_error, socket) => this.#refuse(socket, 400, 'no valid HTTP'));
    this.#handshakes = new WebSocketServer({
      ...WS_BOUNDS,
      noServer: true,
      clientTracking: false,
      path: PATH,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#handshakes.on('wsClientError', ({ message }, socket) => this.#refuse(socket, 400, message));
  }

  /** Who shows no certificate of the cluster's authority gets no further than that. */
  #secureServer({ certificate }: MeshTls): SecureServer {
    const server = createSecureServer({
      ...{ ...SERVER_OPTIONS, ...certificate.options },
      requestCert: true,
      rejectUnauthorized: true,
    });
    certificate.renews(server);
    // Node's own listener would have it answered as HTTP.
    server.removeAllListeners('tlsClientError');
    server.on('tlsClientError', (error, socket) => {
      this.#say(socket, 'tls.handshake', `the TLS handshake failed: ${tlsErrorText(error)}`);
      socket.destroy();
    });
    return server;
  }

  /** Connections that have not proven who they are. */
  get unproven(): number {
    return this.#unproven.size;
  }

  get table(): Table {
    return { table: 'mesh_unproven', entries: this.#unproven.size, limit: MAX_UNPROVEN };
  }

  /** The port that it listens on; 0 before `start`. */
  get port(): number {
    return listeningPort(this.#server);
  }

  /**
   * Listens.
   * @throws TidewayError `listen.busy`, `listen.failed`
   */
  start(): Promise<void> {
    return listen(this.#server, { ...this.#options, key: 'mesh.port' }, ({ message }) =>
      this.#needs.log.warn({ detail: message }, 'mesh.accept-failed'),
    );
  }

  /** The peer has proven who it is, or is gone: its place is free. */
  proven(socket: Socket): void {
    this.#settle(nameOf(socket));
  }

  #settle(name: string): void {
    this.#unproven.get(name)?.deadline.cancel();
    this.#unproven.delete(name);
  }

  /** Accepts no more, and closes what has not proven itself. Resolves when every socket that came in is closed. */
  stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const { socket } of [...this.#unproven.values()]) socket.destroy();
    return closed;
  }

  #arrived(socket: Socket): void {
    if (this.#unproven.size >= MAX_UNPROVEN) this.#makeRoom();
    const deadline = this.#needs.clock.after(PROVE_MS, () => {
      this.#say(socket, 'mesh.handshake-timeout', `the peer did not prove itself within ${PROVE_MS} ms`);
      socket.destroy();
    });
    const name = nameOf(socket);
    this.#unproven.set(name, { socket, deadline });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      if (this.#unproven.get(name)?.socket === socket) this.#settle(name);
    });
  }

  /** A node proves itself within milliseconds: of the address that has most places, the one that took longest goes. */
  #makeRoom(): void {
    const byAddress = new Map<string, Socket[]>();
    let most: Socket[] = [];
    for (const { socket } of this.#unproven.values()) {
      const address = socket.remoteAddress ?? '';
      const sockets = byAddress.get(address) ?? [];
      byAddress.set(address, sockets);
      sockets.push(socket);
      if (sockets.length > most.length) most = sockets;
    }
    const [longest] = most;
    if (!longest) return;
    this.#say(longest, 'mesh.too-many-unproven', `${MAX_UNPROVEN} connections have not proven themselves`);
    this.proven(longest);
    longest.destroy();
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // Node's HTTP server hands out the sockets that it accepted.
    const socket = stream as Socket;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) {
      this.#refuse(socket, 400, `the subprotocol ${SUBPROTOCOL} was not asked for`);
      return;
    }
    if (request.url !== PATH) {
      this.#refuse(socket, 404, 'nothing is at this path');
      return;
    }
    this.#handshakes.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      this.#needs.connected({ webSocket, socket, remote: remoteOf(socket), isDialled: false });
    });
  }

  #refuse(stream: Duplex, status: 400 | 404, message: string): void {
    this.#say(stream as Socket, 'mesh.bad-request', message);
    const text = status === 404 ? 'Not Found' : 'Bad Request';
    if (stream.writable)
      stream.write(`HTTP/1.1 ${status} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    (stream as Socket).destroySoon();
  }

  #say(socket: Socket, code: string, detail: string): void {
    const { counters, quietLog } = this.#needs;
    counters.refused(code);
    quietLog.refused(socket.remoteAddress ?? 'unknown', { remote: remoteOf(socket), code, detail });
  }
}

function turnAway(response: ServerResponse): void {
  const body = 'this port is for other nodes\n';
  response.writeHead(426, {
    connection: 'close, upgrade',
    upgrade: 'websocket',
    'content-type': 'text/plain',
    'content-length': body.length,
  });
  // A body that is still under way is not waited for.
  response.end(body, () => response.socket?.destroySoon());
}
