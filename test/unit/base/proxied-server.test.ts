import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { ProxiedServer } from '../../../src/base/proxied-server.ts';
import { Proxies, type ProxyOptions } from '../../../src/base/proxies.ts';
import { remoteOf, toldPeer } from '../../../src/base/remote.ts';
import { ProxyHeaderReader } from '../../../src/format/proxy-header.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tcp4Header } from '../../support/proxy-headers.ts';
import { until } from '../../support/until.ts';

const HEADER = tcp4Header('203.0.113.9', 4711);
const REST = Buffer.from('what is for the server');

let clock: FakeClock;
let server: Server;
let proxied: ProxiedServer;
/** What the server's own listener got, and read. */
let served: { socket: Socket; text: string }[];
let refused: string[];
let isOpen: boolean;

beforeEach(() => {
  clock = new FakeClock();
  served = [];
  refused = [];
  isOpen = true;
});

function build(protocol: ProxyOptions['protocol']): void {
  server = createServer((socket) => {
    const entry = { socket, text: '' };
    served.push(entry);
    socket.on('data', (bytes) => {
      entry.text += String(bytes);
    });
  });
  proxied = new ProxiedServer(server, {
    ...{ clock, newReader: () => new ProxyHeaderReader() },
    proxies: new Proxies({ networks: ['10.0.0.0/8'], protocol, header: 'none' }),
    refused: ({ code }) => refused.push(code),
    admits: (socket) => {
      if (!isOpen) socket.destroy();
      return isOpen;
    },
  });
}

/** A connection from an address. */
function arrive(remoteAddress: string): Socket {
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  const accepted = Object.assign(socket, { remoteAddress, remotePort: 1 }) as unknown as Socket;
  server.emit('connection', accepted);
  return accepted;
}

test('the server gets a connection once its header was read, with what came behind it', async () => {
  build('require');
  const socket = arrive('10.0.0.1');
  for (const byte of HEADER.subarray(0, -1)) {
    socket.push(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([served.length, proxied.size]).toEqual([0, 1]);
  socket.push(Buffer.concat([HEADER.subarray(-1), REST]));
  await until('the rest came', () => served[0]?.text === String(REST));
  socket.push(' and more');
  await until('all came', () => served[0]?.text === `${REST} and more`);
  expect(remoteOf(socket)).toBe('203.0.113.9:4711');
  expect([proxied.size, clock.timerCount, refused]).toEqual([0, 0, []]);
});

test('one without is let by where it may be, and refused where it may not', async () => {
  build('allow');
  const socket = arrive('10.0.0.1');
  socket.push(REST);
  await until('it is served', () => served[0]?.text === String(REST));
  expect([toldPeer(socket), remoteOf(socket)]).toEqual([undefined, '10.0.0.1:1']);
  build('require');
  const other = arrive('10.0.0.1');
  other.push(REST);
  await until('it is refused', () => other.destroyed);
  expect([served.length, refused, proxied.size]).toEqual([1, ['proxy.missing'], 0]);
});

test('one that says nothing in time is closed', () => {
  build('allow');
  const socket = arrive('10.0.0.1');
  clock.advance(4_999);
  expect(socket.destroyed).toBe(false);
  clock.advance(1);
  expect([socket.destroyed, refused, proxied.size]).toEqual([true, ['proxy.timeout'], 0]);
});

test('the one whose header is read for longest can be ended, for another; who is not let in is not read', () => {
  build('allow');
  const first = arrive('10.0.0.1');
  clock.advance(1);
  const second = arrive('10.0.0.1');
  const sinceMs = proxied.longest?.sinceMs;
  proxied.longest?.end({ code: 'http.too-many-connections', message: 'full' });
  expect([sinceMs, first.destroyed, second.destroyed]).toEqual([clock.now() - 1, true, false]);
  expect([refused, proxied.size, clock.timerCount]).toEqual([['http.too-many-connections'], 1, 1]);
  isOpen = false;
  expect([arrive('10.0.0.1').destroyed, proxied.size, served]).toEqual([true, 1, []]);
});

test('one that goes away while it is read leaves nothing behind', async () => {
  build('allow');
  const [left, ended] = [arrive('10.0.0.1'), arrive('10.0.0.1')];
  left.push(HEADER.subarray(0, 5));
  left.destroy(new Error('reset'));
  ended.push(null);
  await until('both are gone', () => left.destroyed && ended.destroyed && proxied.size === 0);
  expect([served, refused, clock.timerCount]).toEqual([[], [], 0]);
  const stopped = arrive('10.0.0.1');
  proxied.stop();
  expect(stopped.destroyed).toBe(true);
});

test.each([
  ['allow', '192.0.2.1'],
  ['require', '192.0.2.1'],
  ['off', '10.0.0.1'],
] as const)('with %s, nothing is read of a connection from %s', (protocol, address) => {
  build(protocol);
  const socket = arrive(address);
  expect(served).toMatchObject([{ socket }]);
  expect([proxied.size, clock.timerCount]).toEqual([0, 0]);
});
