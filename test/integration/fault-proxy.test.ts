// The proxy that other tests disturb networks with does what it says, no more and no less.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { until } from '../support/until.ts';

const PATTERN = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7) % 251));

let server: Server;
let proxy: FaultProxy;
/** The server's ends. */
let served: Socket[];
let clients: Peer[];

/** A socket, what came over it, when, and how it ended. */
class Peer {
  readonly socket: Socket;
  readonly chunks: { readonly bytes: Buffer; readonly atMs: number }[] = [];
  error: string | undefined;
  isClosed = false;
  hasEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.chunks.push({ bytes, atMs: performance.now() }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks.map(({ bytes }) => bytes));
  }
}

/** Dials the proxy; the server echoes. */
function dial(localAddress = '127.0.0.1'): Peer {
  const peer = new Peer(connect({ port: proxy.port, host: '127.0.0.1', localAddress, noDelay: true }));
  clients.push(peer);
  return peer;
}

async function echoed(peer: Peer, bytes: Buffer): Promise<void> {
  const before = peer.received.length;
  peer.socket.write(bytes);
  await until('the echo is back', () => peer.received.length === before + bytes.length);
  expect(peer.received.subarray(before).equals(bytes)).toBe(true);
}

beforeEach(async () => {
  served = [];
  clients = [];
  server = createServer({ noDelay: true }, (socket) => {
    served.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.start({ targetPort: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  for (const socket of served) socket.destroy();
  await proxy[Symbol.asyncDispose]();
  await until('no connection is left', () => proxy.connections === 0);
  server.close();
});

test('bytes and the end pass both ways, and then nothing is left', async () => {
  const peer = dial();
  await echoed(peer, PATTERN);
  expect(proxy.connections).toBe(1);
  peer.socket.end();
  await until('the end is echoed', () => peer.hasEnded && peer.isClosed);
  expect(peer.error).toBeUndefined();
  await until('no connection is left', () => proxy.connections === 0);
});

test('a reset passes, too', async () => {
  const peer = dial();
  await echoed(peer, PATTERN);
  served[0]?.resetAndDestroy();
  await until('the client is reset', () => peer.isClosed);
  expect(peer.error).toBe('ECONNRESET');
});

test('delay and jitter: every byte is late within bounds, and in order', async () => {
  proxy.shape({ delayMs: 60, jitterMs: 40 }, { direction: 'out' });
  const peer = dial();
  await echoed(peer, Buffer.from('warm'));
  peer.chunks.length = 0;
  const sentMs: number[] = [];
  for (let id = 0; id < 20; id += 1) {
    sentMs.push(performance.now());
    peer.socket.write(Buffer.from([id]));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until('all are back', () => peer.received.length === 20);
  expect([...peer.received]).toEqual(Array.from({ length: 20 }, (_, id) => id));
  const late = peer.chunks.flatMap(({ bytes, atMs }) => [...bytes].map((id) => atMs - (sentMs[id] ?? 0)));
  expect(Math.min(...late)).toBeGreaterThanOrEqual(59);
  expect(Math.max(...late)).toBeLessThan(60 + 40 + 100);
});

test('split: small pieces, and the same bytes', async () => {
  proxy.shape({ splitBytes: 7 });
  const peer = dial();
  await echoed(peer, PATTERN.subarray(0, 5_000));
  expect(peer.chunks.length).toBeGreaterThan(50);
});

test('a rate: bytes take their time', async () => {
  proxy.shape({ bytesPerS: 100_000 }, { direction: 'back' });
  const peer = dial();
  const startedMs = performance.now();
  await echoed(peer, PATTERN.subarray(0, 30_000));
  const tookMs = performance.now() - startedMs;
  expect(tookMs).toBeGreaterThan(250);
  expect(tookMs).toBeLessThan(1_000);
});

test('stall: nothing passes, links stay open, and all comes after the healing', async () => {
  const old = dial();
  await echoed(old, Buffer.from('before'));
  proxy.blackhole();
  const young = dial();
  old.socket.write(PATTERN);
  served[0]?.write(Buffer.from('from the server'));
  await once(young.socket, 'connect');
  young.socket.write(Buffer.from('young'));
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(old.received.toString()).toBe('before');
  expect(served).toHaveLength(1);
  expect([old.isClosed, young.isClosed, served[0]?.destroyed]).toEqual([false, false, false]);
  // A peer that dies meanwhile is not heard of either.
  old.socket.write('last');
  proxy.heal();
  await until('the young are served', () => young.received.toString() === 'young');
  await until('the old are served', () =>
    old.received.equals(
      Buffer.concat([Buffer.from('before'), Buffer.from('from the server'), PATTERN, Buffer.from('last')]),
    ),
  );
});

test('swallow: what was sent is lost, and the link is cut on healing', async () => {
  const peer = dial();
  await echoed(peer, Buffer.from('before'));
  proxy.blackhole({}, 'swallow');
  peer.socket.write(PATTERN);
  served[0]?.end();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([peer.isClosed, peer.hasEnded]).toEqual([false, false]);
  proxy.heal();
  await until('it is cut', () => peer.isClosed);
  expect(peer.received.toString()).toBe('before');
  await echoed(dial(), Buffer.from('after'));
});

test('one direction only', async () => {
  const peer = dial();
  await echoed(peer, Buffer.from('before'));
  proxy.blackhole({ direction: 'back' });
  const heard = once(served[0] as Socket, 'data');
  peer.socket.write('out');
  expect(String((await heard)[0])).toBe('out');
  expect(peer.received.toString()).toBe('before');
  proxy.heal();
  await until('it comes back', () => peer.received.toString() === 'beforeout');
});

test('a fault for one address leaves others alone', async () => {
  const near = dial('127.0.0.1');
  const far = dial('127.0.3.4');
  await echoed(near, Buffer.from('near'));
  await echoed(far, Buffer.from('far'));
  proxy.blackhole({ from: '127.0.3.4' });
  far.socket.write('lost');
  await echoed(near, PATTERN);
  expect(far.received.toString()).toBe('far');
  proxy.heal('127.0.3.4');
  await until('the far one is heard again', () => far.received.toString() === 'farlost');
});

test('an address that is turned away is reset, and again when it comes; others are not', async () => {
  const [near, far] = [dial('127.0.0.1'), dial('127.0.3.4')];
  await echoed(near, Buffer.from('near'));
  await echoed(far, Buffer.from('far'));
  proxy.turnAway('127.0.3.4');
  const again = dial('127.0.3.4');
  await until('both are reset', () => far.isClosed && again.isClosed);
  expect([far.error, again.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
  await echoed(near, PATTERN);
  proxy.heal('127.0.3.4');
  await echoed(dial('127.0.3.4'), Buffer.from('back'));
});

test('cut resets both sides; refuse and accept are for those who come', async () => {
  const peer = dial();
  await echoed(peer, Buffer.from('before'));
  await proxy.refuse();
  const refused = dial();
  await until('it is refused', () => refused.isClosed);
  expect(refused.error).toBe('ECONNREFUSED');
  await echoed(peer, Buffer.from('still'));
  proxy.cut();
  await until('both are cut', () => peer.isClosed && served[0]?.destroyed);
  expect(peer.error).toBe('ECONNRESET');
  await proxy.accept();
  await echoed(dial(), Buffer.from('again'));
});

test('who comes before there is a target waits for it; a target that is gone resets', async () => {
  await using early = await FaultProxy.start();
  const peer = new Peer(connect({ port: early.port, host: '127.0.0.1' }));
  clients.push(peer);
  await once(peer.socket, 'connect');
  early.target((server.address() as AddressInfo).port);
  await echoed(peer, Buffer.from('hello'));
  server.close();
  early.target(1);
  const late = new Peer(connect({ port: early.port, host: '127.0.0.1' }));
  clients.push(late);
  await until('it is reset', () => late.isClosed);
  expect(late.error).toBe('ECONNRESET');
});

test('a slow reader holds the writer back, and loses nothing', async () => {
  const peer = dial();
  await echoed(peer, Buffer.from('before'));
  peer.socket.pause();
  const large = Buffer.concat(Array.from({ length: 300 }, () => PATTERN));
  served[0]?.unpipe();
  served[0]?.write(large);
  await until('the writer waits', () => (served[0]?.writableLength ?? 0) > 0);
  peer.socket.resume();
  await until('all of it came', () => peer.received.length === large.length + 6, 20_000);
  expect(peer.received.subarray(6).equals(large)).toBe(true);
});
