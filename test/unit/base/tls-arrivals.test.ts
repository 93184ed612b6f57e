import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Server, TLSSocket } from 'node:tls';
import { beforeEach, expect, test } from 'vitest';
import { remoteOf, tellPeer } from '../../../src/base/remote.ts';
import { TlsArrivals } from '../../../src/base/tls-arrivals.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const HANDSHAKE_MS = 5_000;

let clock: FakeClock;
let server: EventEmitter;
let arrivals: TlsArrivals;
let isOpen: boolean;
/** Those that TLS begins with, that are through, and that were refused. */
let begun: Socket[];
let through: string[];
let refused: string[];

beforeEach(() => {
  clock = new FakeClock();
  isOpen = true;
  [begun, through, refused] = [[], [], []];
  server = new EventEmitter();
  server.on('connection', (raw: Socket) => begun.push(raw));
  arrivals = new TlsArrivals(server as unknown as Server, {
    ...{ clock, handshakeMs: () => HANDSHAKE_MS },
    admits: (raw) => {
      if (!isOpen) raw.destroy();
      return isOpen;
    },
    connected: (socket) => through.push(remoteOf(socket)),
    refused: ({ code }, raw) => refused.push(`${code} ${remoteOf(raw)}`),
  });
});

function socketFrom(remoteAddress: string, remotePort: number): Socket {
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  const ends = { remoteAddress, remotePort, localAddress: '192.0.2.1', localPort: 443 };
  return Object.assign(socket, ends) as unknown as Socket;
}

function arrive(address: string, port: number, told?: string): Socket {
  const raw = socketFrom(address, port);
  if (told !== undefined) tellPeer(raw, { address: told, port });
  server.emit('connection', raw);
  return raw;
}

/** It was destroyed in this turn. */
function closed(raw: Socket): Promise<unknown> {
  return new Promise((resolve) => raw.once('close', resolve));
}

test('who is not let in shakes no hands, costs no timer and is not counted', () => {
  isOpen = false;
  const raw = arrive('198.51.100.1', 1);
  expect([begun, arrivals.size, clock.timerCount, raw.destroyed]).toEqual([[], 0, 0, true]);
});

test('those that shake hands are counted in all and by address, until they are through, fail, or go', async () => {
  const one = arrive('198.51.100.1', 1);
  const two = arrive('198.51.100.1', 2);
  const three = arrive('198.51.100.1', 3);
  arrive('10.0.0.1', 4, '203.0.113.9');
  const counts = () => [arrivals.size, arrivals.of('198.51.100.1'), arrivals.of('203.0.113.9')];
  expect([begun.length, counts(), arrivals.of('10.0.0.1')]).toEqual([4, [4, 3, 1], 0]);
  server.emit('secureConnection', socketFrom('198.51.100.1', 1) as TLSSocket);
  expect(counts()).toEqual([3, 2, 1]);
  server.emit('tlsClientError', new Error('no shared cipher'), socketFrom('198.51.100.1', 2));
  expect(counts()).toEqual([2, 1, 1]);
  three.destroy();
  await closed(three);
  server.emit('secureConnection', socketFrom('10.0.0.1', 4) as TLSSocket);
  expect([counts(), clock.timerCount]).toEqual([[0, 0, 0], 0]);
  expect([through, refused]).toEqual([['198.51.100.1:1', '203.0.113.9:4'], ['tls.handshake 198.51.100.1:2']]);
  // What was accepted goes later, and takes nothing with it.
  one.destroy();
  two.destroy();
  await Promise.all([closed(one), closed(two)]);
  expect(counts()).toEqual([0, 0, 0]);
});

test('a handshake that never ends is ended when its time is over, told once, and its place is free', async () => {
  const raw = arrive('198.51.100.1', 1);
  clock.advance(HANDSHAKE_MS - 1);
  expect([raw.destroyed, arrivals.size]).toEqual([false, 1]);
  clock.advance(1);
  expect([raw.destroyed, arrivals.size, arrivals.of('198.51.100.1')]).toEqual([true, 0, 0]);
  // One that was through in the same moment is too late.
  const late = socketFrom('198.51.100.1', 1) as TLSSocket;
  server.emit('secureConnection', late);
  await closed(raw);
  expect([refused, through, late.destroyed]).toEqual([['tls.handshake-timeout 198.51.100.1:1'], [], true]);
});

test('the one that shakes hands for longest can be ended, for another', () => {
  const first = arrive('198.51.100.1', 1);
  clock.advance(1);
  const second = arrive('198.51.100.2', 2);
  const why = { code: 'limits.files', message: 'no file is left' };
  const end = () => {
    const { longest } = arrivals;
    longest?.end(why);
    return longest?.sinceMs;
  };
  const startMs = clock.now() - 1;
  expect([end(), first.destroyed, second.destroyed, arrivals.size]).toEqual([startMs, true, false, 1]);
  expect([end(), end(), arrivals.size]).toEqual([startMs + 1, undefined, 0]);
  expect(refused).toEqual(['limits.files 198.51.100.1:1', 'limits.files 198.51.100.2:2']);
});
