// Who is at the other end of a socket: by itself, or as a proxy tells that is believed (proxied-server.ts).
import type { Socket } from 'node:net';
import type { Reason } from './errors.ts';

/** Whom a proxy speaks for. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Who is there and asks for nothing: where a door has no room, the one that has waited longest goes. */
export interface Waiting {
  readonly sinceMs: number;
  /** It is told why, where it can be; its place is free at once. */
  end(why: Reason): void;
}

const TOLD = Symbol('whom a proxy speaks for');

interface Told {
  [TOLD]?: Peer;
}

/** The connection is one that a proxy passes on for this peer. */
export function tellPeer(socket: Socket, peer: Peer): void {
  (socket as Told)[TOLD] = peer;
}

/** Whom a proxy speaks for over it; undefined: who is there came by itself. */
export function toldPeer(socket: Socket): Peer | undefined {
  return (socket as Told)[TOLD];
}

/** The address of who is there, in logs, limits and rules; undefined: it is gone. */
export function addressOf(socket: Socket): string | undefined {
  return toldPeer(socket)?.address ?? socket.remoteAddress;
}

/** "address:port", for logs. */
export function remoteOf(socket: Socket): string {
  const { address, port } = toldPeer(socket) ?? { address: socket.remoteAddress, port: socket.remotePort };
  return `${address ?? 'unknown'}:${port ?? 0}`;
}
