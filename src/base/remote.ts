// Who is at the other end of a socket.
import type { Socket } from 'node:net';

/** "address:port", for logs. */
export function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
}
