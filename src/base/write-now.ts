// Media to a socket, and whether it went on at once: with TLS the socket itself says so a turn late.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Writes, if the socket can be written to.
 * @returns did nothing have to wait?
 */
export function writeNow(socket: Socket, bytes: Buffer): boolean {
  if (socket instanceof TLSSocket) return writeSecure(socket, bytes);
  if (socket.writable) socket.write(bytes);
  return socket.writableLength === 0;
}

/**
 * Node calls a write to a TLS socket done in the next turn, even when the kernel took all of it: what counts is whether
 * anything written before still waits.
 */
function writeSecure(socket: TLSSocket, bytes: Buffer): boolean {
  const nothingWaited = socket.writableLength === 0;
  if (socket.writable) socket.write(bytes);
  return nothingWaited || socket.writableLength === 0;
}
