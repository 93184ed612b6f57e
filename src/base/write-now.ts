// Media to a socket, and whether it went on at once: with TLS the socket itself says so a turn late.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Writes, if the socket can be written to. Node calls a write to a TLS socket done in the next turn, even when the kernel
 * took all of it: there, what counts is whether anything written before still waits.
 * @returns did nothing have to wait?
 */
export function writeNow(socket: Socket, bytes: Buffer): boolean {
  const waitedBytes = socket.writableLength;
  if (socket.writable) socket.write(bytes);
  return socket.writableLength === 0 || (waitedBytes === 0 && socket instanceof TLSSocket);
}
