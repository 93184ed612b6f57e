// Very many connections and requests, over real sockets: what waits is reaped, what is asked for in vain leaves
// nothing, and another live stream goes on without a frame lost.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { metric, RawSocket, Watch } from '../support/hostile.ts';
import { mebibytes, settledBytes } from '../support/memory.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';
import { Witness } from '../support/witness.ts';

const MIB = 2 ** 20;

let node: RunningNode;
let witness: Witness;

beforeAll(async () => {
  node = await runNode({
    'log.level': 'warn',
    'play.waitMs': '1',
    'rtmp.handshakeMs': '8000',
    'rtmp.connectMs': '8000',
    'stream.logBytes': '1MiB',
  });
  witness = await Witness.start(node);
});

afterAll(async () => {
  witness.stop();
  await node.stop();
});

afterEach(async () => {
  await witness.undisturbed();
});

async function connections(door: 'rtmp' | 'http'): Promise<number> {
  return (await metric(node, 'tideway_connections')).get(`door="${door}"`) ?? Number.NaN;
}

/** The samples of both, by code. */
async function refusals(): Promise<ReadonlyMap<string, number>> {
  return metric(node, 'tideway_rtmp_refusals_total');
}

test('5,000 idle RTMP connections, and slow or silent HTTP ones, are reaped, and leave nothing', async () => {
  const before = { bytes: await settledBytes(), rtmp: await connections('rtmp') };
  const C0_C1 = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]);
  const GREETING = Buffer.concat([C0_C1, Buffer.alloc(1536)]);
  const idle: RawSocket[] = [];
  for (let count = 0; count < 5000; count += 1) {
    const socket = new RawSocket(node.rtmpPort, `127.0.0.${2 + (count % 5)}`);
    if (count % 4 === 1) socket.write(C0_C1.subarray(0, 700));
    if (count % 4 === 2) socket.write(C0_C1);
    if (count % 4 === 3) socket.write(GREETING);
    idle.push(socket);
  }
  const slow = Array.from({ length: 100 }, () =>
    new RawSocket(node.httpPort).write('GET / HTTP/1.1\r\nHost: x\r\n'),
  );
  const silent = Array.from({ length: 100 }, () => new RawSocket(node.httpPort));
  const drip = setInterval(() => {
    for (const socket of slow) socket.write('X: y\r\n');
  }, 300);
  await until('all are in', async () => (await connections('rtmp')) >= before.rtmp + 5000, 7500);
  const during = process.memoryUsage();
  await witness.undisturbed();
  await until('the idle ones are reaped', () => idle.every(({ isClosed }) => isClosed), 25_000);
  expect(await connections('rtmp')).toBe(before.rtmp);
  const codes = await refusals();
  expect(codes.get('code="rtmp.handshake-timeout"')).toBe(3750);
  expect(codes.get('code="rtmp.connect-timeout"')).toBe(1250);

  const http = [...slow, ...silent];
  await until(
    'slow and silent ones are closed',
    () => http.every(({ isClosed }) => isClosed),
    13_000,
  ).finally(() => clearInterval(drip));
  expect(slow.every(({ received }) => received.includes('http.timeout'))).toBe(true);
  idle.length = 0;
  const after = (await settledBytes()) - before.bytes;
  console.log(
    `5,000 idle: heap and buffers ${mebibytes(during.heapUsed + during.external)} with them, both ends; ` +
      `+${mebibytes(after)} after; RSS ${mebibytes(during.rss)}; worst stall ${Math.round(witness.takeWorstMs())} ms`,
  );
  expect(after).toBeLessThan(8 * MIB);
}, 60_000);

/** Asks for one stream after the other on one connection, each under a name of its own. */
function askInVain(worker: number, count: number): Promise<number> {
  const socket = new RawSocket(node.httpPort);
  let asked = 0;
  let refused = 0;
  const ask = () => {
    socket.write(`GET /nowhere/w${worker}-${asked}.flv?token=${asked} HTTP/1.1\r\nHost: x\r\n\r\n`);
    asked += 1;
  };
  return new Promise((resolve, reject) => {
    socket.socket.on('close', () => reject(new Error(`closed after ${refused} answers`)));
    socket.socket.on('data', (bytes: Buffer) => {
      if (!bytes.includes('play.not-found')) return;
      refused += 1;
      if (asked < count) ask();
      else {
        resolve(refused);
        socket.socket.destroy();
      }
    });
    ask();
  });
}

/** Asks once on a connection of its own, and takes the answer. */
async function askOnce(lines: string): Promise<string> {
  const socket = new RawSocket(node.httpPort);
  socket.write(lines);
  await socket.closed();
  return socket.received;
}

const HEAD = 'HTTP/1.1\r\nHost: x\r\nConnection:';
const UPGRADE = `Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==`;

async function inVain(keptAlive: number, others: number): Promise<void> {
  const workers = 100;
  const answers = await Promise.all(
    Array.from({ length: workers }, (_, worker) => askInVain(worker, keptAlive / workers)),
  );
  expect(answers.reduce((sum, count) => sum + count, 0)).toBe(keptAlive);
  for (let round = 0; round < others; round += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const path = `/nowhere/n${round + at}.flv`;
        expect(await askOnce(`GET ${path} ${HEAD} close\r\n\r\n`)).toContain('play.not-found');
        expect(await askOnce(`GET ${path} ${HEAD} ${UPGRADE}\r\n\r\n`)).toContain('play.not-found');
        if (at % 5 > 0) return;
        const client = await RtmpClient.connected(node.rtmpPort, 'nowhere');
        expect(await client.play(`n${round + at}`)).toBe('NetStream.Play.StreamNotFound');
        client.destroy();
      }),
    );
  }
}

test('100,000 requests for streams that do not exist leave no trace', async () => {
  await inVain(2000, 100); // What the first ones cost stays: code, and pools of the runtime.
  const before = { bytes: await settledBytes(), rtmp: await connections('rtmp') };
  const startedMs = performance.now();
  await inVain(96_000, 2000);
  const seconds = (performance.now() - startedMs) / 1000;
  await until('all connections are gone', async () => (await connections('rtmp')) === before.rtmp);
  const after = (await settledBytes()) - before.bytes;
  console.log(
    `100,400 requests in vain: ${seconds.toFixed(1)} s, +${mebibytes(after)} after, ` +
      `worst stall ${Math.round(witness.takeWorstMs())} ms`,
  );
  expect(after).toBeLessThan(3 * MIB);
  expect((await metric(node, 'tideway_waiting_keys')).get('')).toBe(0);
  expect(await metric(node, 'tideway_streams')).toEqual(
    new Map([
      ['state="live"', 1],
      ['state="held"', 0],
    ]),
  );
}, 180_000);

test('keys beyond the limit of those that are waited for are refused at once', async () => {
  const patient = await runNode({ 'play.waitMs': '2500', 'play.maxWaitingKeys': '100' });
  const watch = new Watch(patient);
  const sockets = Array.from({ length: 300 }, (_, at) =>
    new RawSocket(patient.httpPort).write(`GET /nowhere/n${at}.flv HTTP/1.1\r\nHost: x\r\n\r\n`),
  );
  const answered = (code: string) => sockets.filter(({ received }) => received.includes(code)).length;
  await until('those beyond it are refused', () => answered('play.too-many-waiting') === 200);
  expect((await metric(patient, 'tideway_waiting_keys')).get('')).toBe(100);
  await until('the others have waited', () => answered('play.not-found') === 100);
  expect((await metric(patient, 'tideway_waiting_keys')).get('')).toBe(0);
  expect(watch.of('http.request-failed')).toEqual([]);
  for (const { socket } of sockets) socket.destroy();
  await patient.stop();
});
