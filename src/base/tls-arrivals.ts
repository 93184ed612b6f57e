// Connections to a TLS port that still shake hands: bounded in time, counted, and told apart from those that are through.
// What is said over them is the door's.

import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Clock, Timer } from './clock.ts';
import { TidewayError } from './errors.ts';
import { tellPeer, toldPeer } from './remote.ts';

export interface TlsArrivalsNeeds {
  readonly clock: Clock;
  /** From the connection to the end of TLS's handshake, ms. */
  readonly handshakeMs: number;
  /** The handshake is done. */
  readonly connected: (socket: TLSSocket) => void;
  /** It failed, or took too long: `tls.handshake`, `tls.handshake-timeout`. The socket is gone. */
  readonly refused: (why: TidewayError, raw: Socket) => void;
}

interface Arrival {
  readonly raw: Socket;
  readonly deadline: Timer;
}

export class TlsArrivals {
  readonly #needs: TlsArrivalsNeeds;
  /** By both addresses and ports, which no two open connections share. Bounded by the server's maxConnections. */
  readonly #arrivals = new Map<string, Arrival>();

  /** @param server accepts; it may have other listeners of the same events */
  constructor(server: Server, needs: TlsArrivalsNeeds) {
    this.#needs = needs;
    server.on('connection', (raw) => this.#arrived(raw));
    server.on('secureConnection', (socket) => {
      // One that was given up in the same moment.
      const arrival = this.#settled(nameOf(socket));
      if (!arrival) {
        socket.destroy();
        return;
      }
      const peer = toldPeer(arrival.raw);
      if (peer) tellPeer(socket, peer);
      needs.connected(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      const arrival = this.#settled(nameOf(socket));
      socket.destroy();
      if (arrival)
        needs.refused(
          new TidewayError('tls.handshake', `the TLS handshake failed: ${tlsErrorText(error)}`),
          arrival.raw,
        );
    });
  }

  /** Connections that shake hands. */
  get size(): number {
    return this.#arrivals.size;
  }

  /** Ends all that still shake hands. */
  stop(): void {
    for (const { raw } of [...this.#arrivals.values()]) raw.destroy();
  }

  #arrived(raw: Socket): void {
    const { clock, handshakeMs, refused } = this.#needs;
    const name = nameOf(raw);
    const deadline = clock.after(handshakeMs, () => {
      if (!this.#settled(name)) return;
      const message = `the TLS handshake took longer than ${handshakeMs} ms`;
      refused(new TidewayError('tls.handshake-timeout', message), raw);
      raw.destroy();
    });
    this.#arrivals.set(name, { raw, deadline });
    raw.on('error', () => {}); // 'close' follows
    raw.once('close', () => {
      if (this.#arrivals.get(name)?.raw === raw) this.#settled(name);
    });
  }

  #settled(name: string): Arrival | undefined {
    const arrival = this.#arrivals.get(name);
    arrival?.deadline.cancel();
    this.#arrivals.delete(name);
    return arrival;
  }
}

/** By this a socket that was accepted and the TLSSocket over it are known to be one connection. */
export function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** What became of a connection, in words: OpenSSL's without the place in its own source. */
export function tlsErrorText({ message, code }: Error & { readonly code?: string }): string {
  if (code === 'ERR_SSL_HTTP_REQUEST') return 'the peer speaks plain HTTP at a port for TLS';
  const [, reason] = /:SSL routines:[^:]*:([^:]+)/.exec(message) ?? [];
  return reason === undefined ? message : `TLS: ${reason}`;
}
