import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { writeNow } from '../../../src/base/write-now.ts';

/** Takes nothing until it is told. */
function stuck(): Duplex {
  return new Duplex({ read() {}, write() {} });
}

test('over TLS, a write had to wait only if one before it still waits', () => {
  const socket = new TLSSocket(stuck(), { isServer: true });
  socket.on('error', () => {});
  expect(writeNow(socket, Buffer.alloc(10))).toBe(true);
  expect(socket.writableLength).toBe(10);
  expect(writeNow(socket, Buffer.alloc(10))).toBe(false);
  expect(socket.writableLength).toBe(20);
  socket.destroy();
});

test('without TLS, a write that is not taken at once had to wait', () => {
  const socket = new Socket();
  Object.defineProperty(socket, 'connecting', { value: true });
  expect(writeNow(socket, Buffer.alloc(10))).toBe(false);
  socket.destroy();
});

test('nothing is written to a socket that was ended', () => {
  const socket = new TLSSocket(stuck());
  socket.on('error', () => {});
  socket.end();
  expect(writeNow(socket, Buffer.alloc(10))).toBe(true);
  expect(socket.writableLength).toBe(0);
  socket.destroy();
});
