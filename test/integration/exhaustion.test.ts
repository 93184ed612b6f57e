// Very many connections and requests, and more media than there is memory for, over real sockets: what waits is reaped,
// what is asked for in vain leaves nothing, memory is shed in order, and another live stream goes on without a frame lost.
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { flvHeader, httpFlv } from '../../src/format/flv.ts';
import { Frame, FrameKind } from '../../src/format/frame.ts';
import { writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { captureHttpFlv } from '../support/frames.ts';
import { metric, noise, RawSocket, Watch } from '../support/hostile.ts';
import { idOf, kindOf, payloadOf } from '../support/media.ts';
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
async function askOnce(lines: string, port = node.httpPort): Promise<string> {
  const socket = new RawSocket(port);
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

test('50,000 requests for streams that do not exist leave no trace', async () => {
  await inVain(2000, 100); // What the first ones cost stays: code, and pools of the runtime.
  const before = { bytes: await settledBytes(), rtmp: await connections('rtmp') };
  const startedMs = performance.now();
  await inVain(46_000, 2000);
  const seconds = (performance.now() - startedMs) / 1000;
  await until('all connections are gone', async () => (await connections('rtmp')) === before.rtmp);
  const after = (await settledBytes()) - before.bytes;
  console.log(
    `50,400 requests in vain: ${seconds.toFixed(1)} s, +${mebibytes(after)} after, ` +
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

describe('a node whose memory for media runs out', () => {
  const HOLD_MS = 400;
  let small: RunningNode;
  let watch: Watch;
  let inside: Witness;
  let clients: RtmpClient[];
  let posts: Post[];

  beforeEach(async () => {
    clients = [];
    posts = [];
  });

  /** With a witness of its own. */
  async function start(budgetBytes: number): Promise<void> {
    small = await runNode({
      'memory.budgetBytes': String(budgetBytes),
      'publish.holdMs': String(HOLD_MS),
      'publish.holdAfterStopMs': String(HOLD_MS),
      'log.level': 'info',
    });
    watch = new Watch(small);
    inside = await Witness.start(small);
  }

  afterEach(async () => {
    for (const client of clients) client.destroy();
    for (const post of posts) post.destroy();
    inside.stop();
    try {
      await until('all of it is given back', async () => (await used()) === 0);
    } finally {
      await small.stop();
    }
  });

  async function used(kind?: string): Promise<number> {
    const byKind = await metric(small, 'tideway_media_memory_bytes');
    if (kind !== undefined) return byKind.get(`kind="${kind}"`) ?? Number.NaN;
    return [...byKind.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async function stage(): Promise<number> {
    return (await metric(small, 'tideway_media_memory_stage')).get('') ?? Number.NaN;
  }

  async function publisher(name: string): Promise<RtmpClient> {
    const client = await RtmpClient.publishing(small.rtmpPort, name);
    clients.push(client);
    return client;
  }

  function newestId({ frames }: ReturnType<typeof captureHttpFlv>): number {
    const newest = frames.at(-1);
    return newest ? idOf(newest.kind, newest.payload) : 0;
  }

  /** What a player is told, by each protocol. */
  async function joins(path: string): Promise<string[]> {
    const ask = (more: string) => askOnce(`GET /live/${path}.flv ${HEAD} ${more}\r\n\r\n`, small.httpPort);
    const client = await RtmpClient.connected(small.rtmpPort, 'live');
    clients.push(client);
    const [http, ws, rtmp] = await Promise.all([ask('close'), ask(UPGRADE), client.play(path)]);
    return [http, ws]
      .map((answer) => /^HTTP\/1.1 503.*"code":"([^"]+)"/s.exec(answer)?.[1] ?? answer)
      .concat(rtmp);
  }

  test('lets nobody in first, then keeps only the newest GOP of each log; who is in notices nothing', async () => {
    const budget = 16 * MIB;
    const GOP = 10;
    const FRAME_BYTES = 50_000;
    await start(budget);
    const fat = await Promise.all(['a', 'b', 'c', 'd'].map(publisher));
    let id = 0;
    let sentBytes = 0;
    let play: ReturnType<typeof captureHttpFlv> | undefined;
    const feed = async (untilBytes: number) => {
      while (sentBytes < untilBytes) {
        id += 1;
        for (const client of fat) {
          const name = id % GOP === 1 ? 'avc key' : 'avc delta';
          client.frame({
            kind: FrameKind.video,
            timestamp: id * 10,
            payload: payloadOf(name, id, FRAME_BYTES),
          });
          sentBytes += FRAME_BYTES;
        }
        await until('it is taken', () => fat.every(({ socket }) => socket.writableLength === 0));
        await until('it is played', () => !play || newestId(play) === id);
      }
    };

    await feed(budget * 0.75);
    const playing = captureHttpFlv(small.flvUrl('live/a'));
    play = playing;
    await until('it plays', () => playing.frames.length > 0);
    expect(await stage()).toBe(0);

    await feed(budget * 0.88);
    await until('joins are refused', async () => (await stage()) === 1);
    expect(await used('log'), 'all that came is kept').toBeGreaterThan(sentBytes);
    expect(await joins('a')).toEqual(['play.no-memory', 'play.no-memory', 'NetStream.Play.Failed']);
    expect(await joins('unknown')).toEqual(['play.no-memory', 'play.no-memory', 'NetStream.Play.Failed']);
    await expect(publisher('late')).rejects.toThrow('Publish.Denied');
    expect(await publishByPost('late').answer).toContain('publish.no-memory');
    await watch.line('memory.short');
    const back = fat.pop();
    back?.destroy();
    await until(
      'its stream is held',
      async () => (await metric(small, 'tideway_streams')).get('state="held"') === 1,
    );
    fat.push(await publisher('d'));

    await feed(budget * 3);
    await until('all was read', async () => {
      const received = (await metric(small, 'tideway_rtmp_received_bytes_total')).get('') ?? 0;
      return received > sentBytes;
    });
    expect(await stage()).toBeGreaterThanOrEqual(2);
    expect(await used()).toBeLessThan(budget + fat.length * FRAME_BYTES * GOP);
    await inside.undisturbed();
    const ids = playing.frames.map(({ kind, payload }) => idOf(kind, payload));
    expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
    expect(ids.at(-1)).toBe(id);
    expect(playing.ended).toBeFalsy();
    expect(fat.filter(({ isClosed }) => isClosed)).toEqual([]);

    for (const client of fat.slice(1)) client.destroy();
    await watch.line('memory.enough');
    const late = captureHttpFlv(small.flvUrl('live/a'));
    await until('players are let in again', () => late.frames.length > 0);
    for (const each of [playing, late]) each.close();
  });

  test.each(['RTMP', 'HTTP'])(
    'closes publishers by %s that fill it with messages they do not finish, and no more than it must',
    async (door) => {
      const budget = 4 * MIB;
      const part = 1.5 * MIB;
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      await start(budget);
      if (door === 'RTMP') await Promise.all(names.map(publisher));
      else posts.push(...names.map(publishByPost));
      await until('all are in', () => watch.of('publish.start').length === 1 + names.length);
      const frame = new Frame(FrameKind.video, 'key', 0, 0, Buffer.alloc(8 * MIB));
      const { kind: type, payload } = frame;
      const message = writeMessage({ chunkStreamId: 6, type, timestamp: 0, streamId: 1, payload }, 4096);
      const tag = httpFlv.encode([{ frame, time: 0 }], 0);
      for (const client of clients) client.raw(message.subarray(0, part));
      for (const post of posts) post.write(tag.subarray(0, part));

      const over = () =>
        watch.of('publish.end').filter(({ reason }) => reason === 'publish.unfinished').length;
      await until('enough are closed', () => over() >= 3);
      await until('there is room', async () => (await stage()) < 4);
      await inside.undisturbed();
      expect(over()).toBeLessThan(names.length);
      expect(await used(), 'one less would have been too few').toBeGreaterThan(budget * 1.25 - part - MIB);
      for (const { answer } of posts.filter(({ isOver }) => isOver))
        expect(await answer).toContain('publish.unfinished');
      const closed = () => [
        ...clients.filter(({ isClosed }) => isClosed),
        ...posts.filter(({ isOver }) => isOver),
      ];
      await until('nobody else is closed', () => closed().length === over());
    },
  );

  test('has all of it back when publishers have come and gone, wherever they were cut off', async () => {
    await start(64 * MIB);
    const random = noise(11, 3 * 60);
    for (let at = 0; at < 60; at += 1) {
      const [of = 0, size = 0, cut = 0] = random.subarray(at * 3);
      const video = payloadOf(of % 2 ? 'avc key' : 'avc delta', at, 1000 * (size + 1));
      const query = of % 5 === 0 ? '?role=backup' : '';
      const frame = { kind: kindOf('avc key'), timestamp: at, payload: video };
      const part = Math.floor((cut / 256) * video.length);
      if (of % 3 === 0) {
        const post = publishByPost(`n${of % 4}${query}`);
        posts.push(post);
        const tag = httpFlv.encode([{ frame: new Frame(frame.kind, 'key', 0, at, video), time: at }], 0);
        post.write(Buffer.concat([tag, tag.subarray(0, part)]));
      } else {
        const client = await RtmpClient.connected(small.rtmpPort, 'live');
        clients.push(client);
        await client.publish(`n${of % 4}${query}`);
        client.frame(frame);
        const { kind: type, payload } = frame;
        const bytes = writeMessage({ chunkStreamId: 6, type, timestamp: at, streamId: 1, payload }, 4096);
        if (!client.isClosed) client.raw(bytes.subarray(0, part));
      }
      if (at % 4 === 3) clients.splice(0, 1)[0]?.destroy();
      if (at % 7 === 6) posts.splice(0, 1)[0]?.destroy();
    }
    await until('what is unfinished is seen', async () => (await used('unfinished')) > 0);
    expect(await used('log')).toBeGreaterThan(0);
    await inside.undisturbed();
  });

  /** A POST whose body goes on until it is destroyed. */
  interface Post {
    readonly answer: Promise<string>;
    readonly isOver: boolean;
    write(bytes: Buffer): void;
    destroy(): void;
  }

  function publishByPost(name: string): Post {
    const [path, query = ''] = name.split('?');
    const post = request(`${small.flvUrl(`live/${path}`)}?${query}`, { method: 'POST', agent: false });
    let isOver = false;
    const answer = new Promise<string>((resolve) => {
      post.on('response', (response) => {
        isOver = true;
        let text = '';
        response.on('data', (bytes: Buffer) => {
          text += bytes.toString();
        });
        response.on('close', () => resolve(text));
        response.on('error', () => {}); // 'close' follows
      });
      post.on('error', ({ message }) => {
        isOver = true;
        resolve(message);
      });
    });
    post.write(flvHeader({ audio: true, video: true }));
    return {
      answer,
      get isOver() {
        return isOver;
      },
      write: (bytes) => void post.write(bytes),
      destroy: () => post.destroy(),
    };
  }
});
