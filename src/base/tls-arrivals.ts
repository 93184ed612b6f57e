// Connections to a TLS port that still shake hands: let in by the door before anything is done for them, bounded in time,
// counted in all and by address, and told apart from those that are through. What is said over them is the door's.
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { AddressCount } from './address-count.ts';
import type { Clock, Timer } from './clock.ts';
import { TidewayError } from './errors.ts';
import { addressOf, tellPeer, toldPeer, type Waiting } from './remote.ts';

export interface TlsArrivalsNeeds {
  readonly clock: Clock;
  /** From the connection to the end of TLS's handshake, ms; as it is now. */
  readonly handshakeMs: () => number;
  /** May it shake hands? Who may not was ended by who is asked. */
  readonly admits: (raw: Socket) => boolean;
  /** The handshake is done. */
  readonly connected: (socket: TLSSocket) => void;
  /** It failed, or took too long (`tls.handshake`, `tls.handshake-timeout`), or was ended. The socket is gone. */
  readonly refused: (why: TidewayError, raw: Socket) => void;
}

interface Arrival {
  readonly raw: Socket;
  readonly address: string;
  readonly sinceMs: number;
  readonly deadline: Timer;
}

export class TlsArrivals {
  readonly #needs: TlsArrivalsNeeds;
  /** By both addresses and ports, which no two open connections share. Bounded by the door, which admits them. */
  readonly #arrivals = new Map<string, Arrival>();
  readonly #perAddress = new AddressCount();

  /** @param server with all its listeners of `connection`: they are called for those that are let in */
  constructor(server: Server, needs: TlsArrivalsNeeds) {
    this.#needs = needs;
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (raw: Socket) => {
      if (!needs.admits(raw)) return;
      for (const listener of listeners) listener.call(server, raw);
      this.#arrived(raw);
    });
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

  /** Those of them that come from the address. */
  of(address: string): number {
    return this.#perAddress.of(address);
  }

  /** The one that shakes hands for longest. */
  get longest(): Waiting | undefined {
    for (const [name, { sinceMs }] of this.#arrivals) {
      return { sinceMs, end: ({ code, message }) => this.#end(name, new TidewayError(code, message)) };
    }
    return undefined;
  }

  /** Ends all that still shake hands. */
  stop(): void {
    for (const { raw } of [...this.#arrivals.values()]) raw.destroy();
  }

  #arrived(raw: Socket): void {
    const { clock } = this.#needs;
    const handshakeMs = this.#needs.handshakeMs();
    const name = nameOf(raw);
    const address = addressOf(raw) ?? 'unknown';
    const deadline = clock.after(handshakeMs, () => {
      const message = `the TLS handshake took longer than ${handshakeMs} ms`;
      this.#end(name, new TidewayError('tls.handshake-timeout', message));
    });
    this.#settled(name);
    this.#arrivals.set(name, { raw, address, sinceMs: clock.now(), deadline });
    this.#perAddress.add(address);
    raw.on('error', () => {}); // 'close' follows
    raw.once('close', () => {
      if (this.#arrivals.get(name)?.raw === raw) this.#settled(name);
    });
  }

  #end(name: string, why: TidewayError): void {
    const arrival = this.#settled(name);
    if (!arrival) return;
    this.#needs.refused(why, arrival.raw);
    arrival.raw.destroy();
  }

  #settled(name: string): Arrival | undefined {
    const arrival = this.#arrivals.get(name);
    if (!arrival) return undefined;
    arrival.deadline.cancel();
    this.#arrivals.delete(name);
    this.#perAddress.remove(arrival.address);
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
