// The FLV doors over real sockets, on the real media core: bytes in, bytes out, and every way to end.
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/base/clock.ts';
import { TidewayError } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import type { Arrival } from '../../src/base/redirect.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { FlvPlayRoute } from '../../src/flv/player.ts';
import { FlvPublishRoute } from '../../src/flv/publisher.ts';
import { WsFlvPlayRoute } from '../../src/flv/ws-player.ts';
import { httpFlv } from '../../src/format/flv.ts';
import { Frame, FrameKind } from '../../src/format/frame.ts';
import { HttpServer } from '../../src/http/server.ts';
import { MemoryBudget } from '../../src/media/memory-budget.ts';
import { Publication, type PublishRequest } from '../../src/media/publication.ts';
import { StreamDirectory } from '../../src/media/stream-directory.ts';
import { authorizerOf } from '../support/authorizing.ts';
import { captureHttpFlv, captureWsFlv, framesOf } from '../support/frames.ts';
import { until } from '../support/until.ts';

const clock = systemClock;
const KEY = parseStreamKey('live', 'demo');
const WAIT_MS = 300;
const IDLE_MS = 600;
const FINISHED = { code: 'stream.hold-over', message: 'the publisher did not come back' };

const BOTH = { audio: true, video: true };
const AVC_HEADER = Buffer.from([0x17, 0, 0, 0, 0, 1, 2, 3]);
const AAC_HEADER = Buffer.from([0xaf, 0, 0x12, 0x10]);

/** Half a second of pictures and sound, set-up first; each payload is unlike any other. */
const TAGS = [
  frame(FrameKind.video, 0, AVC_HEADER),
  frame(FrameKind.audio, 0, AAC_HEADER),
  ...Array.from({ length: 12 }, (_, index) => [
    frame(FrameKind.video, index * 40, Buffer.from([index === 0 ? 0x17 : 0x27, 1, 0, 0, 0, index])),
    frame(FrameKind.audio, index * 40, Buffer.from([0xaf, 1, index])),
  ]).flat(),
];
const FLV = Buffer.concat([httpFlv.open(BOTH), httpFlv.encode(TAGS, 0)]);
const HASHES = framesOf(FLV).map(({ hash }) => hash);

function frame(kind: FrameKind, time: number, payload: Buffer) {
  return { frame: new Frame(kind, 'sample', 0, time, payload), time };
}

let logged: string[];
let directory: StreamDirectory;
let server: HttpServer;
let publishers: PublishRequest[];
let refusePublish: TidewayError | undefined;
let arrivals: Arrival[];
/** Where players are sent. */
let elsewhere: string | undefined;
let epoch = 0;
let base: string;

beforeEach(async () => {
  logged = [];
  const note = (fields: object, event: string) => {
    logged.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const limits = { logMs: 10_000, gopMs: 30_000, logBytes: 2 ** 26, logFrames: 32_768 };
  const budget = new MemoryBudget(2 ** 30);
  const player = { maxBacklogBytes: 2 ** 23, maxBacklogMs: 5000, stallMs: 15_000 };
  directory = new StreamDirectory(
    { maxStreams: 10, waitMs: WAIT_MS, maxWaitingKeys: 2 },
    { log: limits, player, maxDelayMs: 20 },
    { clock, log, budget, changed: () => {}, seek: () => {} },
  );
  publishers = [];
  refusePublish = undefined;
  const openStream = directory.open.bind(directory);
  arrivals = [];
  elsewhere = undefined;
  const sessionOf = () => 'session12345';
  const admit = authorizerOf().admitPlayer;
  const sendOn = (arrival: Arrival) => {
    arrivals.push(arrival);
    return elsewhere;
  };
  const openPublication = async (asked: PublishRequest) => {
    if (refusePublish) throw refusePublish;
    publishers.push(asked);
    const stream = directory.feed(asked.key);
    epoch += 1;
    const grant = { epoch, stream, holds: { holdMs: 20_000, holdAfterStopMs: 20_000 } };
    const publication = new Publication(asked, grant, { clock, log, budget });
    stream.attach(publication, {
      code: 'publish.taken-over',
      message: 'a newer publisher took the stream over',
    });
    return publication;
  };
  server = new HttpServer(
    { host: '127.0.0.1', port: 0, maxConnections: 100 },
    {
      clock,
      log,
      counters: { refused: () => {}, wireError: () => {} },
      routes: [
        new FlvPlayRoute({
          clock,
          admit,
          openStream,
          sendOn,
          sessionOf,
          isLive: (key) => directory.has(key),
        }),
        new FlvPublishRoute({ idleMs: IDLE_MS }, { clock, budget, sessionOf, openPublication }),
      ],
      upgrades: [new WsFlvPlayRoute({ clock, admit, openStream, sendOn, sessionOf })],
    },
  );
  await server.start();
  base = `http://127.0.0.1:${server.port}`;
});

afterEach(async () => {
  directory.stop({ code: 'node.stopping', message: 'the test is over' });
  await server.stop(100);
});

const url = () => `${base}/${KEY}.flv`;
const wsUrl = () => url().replace('http', 'ws');

/** Publishes bytes over a POST that stays open. */
function publish(query = ''): {
  send(bytes: Buffer): void;
  finish(): void;
  abort(): void;
  answer: Promise<string>;
} {
  const post = request(`${url()}${query}`, { method: 'POST', agent: false });
  const answer = new Promise<string>((resolve) => {
    post.on('response', (response) => {
      let text = `${response.statusCode} `;
      response.setEncoding('utf8');
      response.on('data', (more: string) => {
        text += more;
      });
      response.on('close', () => resolve(text));
    });
    post.on('error', (error) => resolve(`error ${error.message}`));
  });
  post.flushHeaders();
  return {
    send: (bytes) => void post.write(bytes),
    finish: () => void post.end(),
    abort: () => void post.destroy(),
    answer,
  };
}

/** A live stream with something to start at. */
async function goLive() {
  const publisher = publish();
  publisher.send(FLV);
  await until(
    'the stream is live',
    () => directory.has(KEY) && logged.some((line) => line.startsWith('publish.start')),
  );
  return publisher;
}

function playOn(socket: Socket, version = '1.1'): { readonly text: string; readonly isClosed: boolean } {
  const seen = { text: '', isClosed: false };
  socket.setEncoding('latin1');
  socket.on('data', (more: string) => {
    seen.text += more;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    seen.isClosed = true;
  });
  socket.write(`GET /${KEY}.flv HTTP/${version}\r\nHost: x\r\n\r\n`);
  return seen;
}

const players = () => [...directory.streams].reduce((sum, stream) => sum + stream.playerCount, 0);
const endOf = (code: string) => () =>
  logged.some((line) => line.startsWith('play.end') && line.includes(code));

describe('HTTP-FLV players', () => {
  test('get every payload as it was published, over HTTP and WebSocket alike', async () => {
    await goLive();
    const plays = [captureHttpFlv(url()), captureWsFlv(wsUrl())];
    for (const play of plays) {
      await until('all frames came', () => play.frames.length >= HASHES.length);
      expect(play.frames.map(({ hash }) => hash).sort()).toEqual([...HASHES].sort());
      expect(play.frames.map(({ timestamp }) => timestamp)).toEqual(
        play.frames.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
      );
      play.close();
    }
    await until('both left', () => players() === 0);
  });

  test('wait for a stream that comes up', async () => {
    const play = captureHttpFlv(url());
    await until('it waits', () => directory.waitingKeyCount === 1);
    await goLive();
    await until('frames came', () => play.frames.length > 0);
    play.close();
  });

  test.each(['1.0', '1.1'])(
    'see an answer over HTTP/%s that lasts until the close, without chunks',
    async (version) => {
      await goLive();
      const socket = connect(server.port, '127.0.0.1');
      const seen = playOn(socket, version);
      await until('media came', () => seen.text.includes('FLV\x01'));
      const head = seen.text.slice(0, seen.text.indexOf('\r\n\r\n')).toLowerCase();
      expect(head).toMatch(/^http\/1\.1 200 ok/);
      expect(head).toContain('content-type: video/x-flv');
      expect(head).toContain('cache-control: no-store');
      expect(head).toContain('x-accel-buffering: no');
      expect(head).toContain('connection: close');
      expect(head).toContain('access-control-allow-origin: *');
      expect(head).not.toContain('transfer-encoding');
      expect(seen.text.split('\r\n\r\n')[1]?.startsWith('FLV\x01')).toBe(true);
      socket.destroy();
    },
  );

  test('of a stream that does not come are refused with 404, HEAD at once', async () => {
    const startedMs = performance.now();
    expect((await fetch(url(), { method: 'HEAD' })).status).toBe(404);
    expect(directory.waitingKeyCount).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(WAIT_MS);
    const answer = await fetch(url());
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'play.not-found' });
  });

  test('that had better go elsewhere are sent there by 302, HEAD too, and nothing is waited for', async () => {
    elsewhere = 'http://10.0.0.2:8080/live/demo.flv?key=a&tw_hop=1';
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(`${url()}?key=a`, {
        method,
        redirect: 'manual',
        headers: { 'X-Region': 'eu' },
      });
      expect([answer.status, answer.headers.get('location')]).toEqual([302, elsewhere]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    }
    expect(arrivals).toMatchObject(
      Array(2).fill({ key: KEY, protocol: 'http-flv', headers: { 'x-region': 'eu' } }),
    );
    expect(String(arrivals[0]?.query)).toBe('key=a');
    expect(directory.waitingKeyCount).toBe(0);
  });

  test('are refused with 503 when too many streams are waited for', async () => {
    const many = await Promise.all(['a', 'b', 'c'].map((name) => fetch(`${base}/live/${name}.flv`)));
    expect(many.map(({ status }) => status).sort()).toEqual([404, 404, 503]);
  });

  test('learn from HEAD that a stream is live, and of bad keys that they are bad', async () => {
    await goLive();
    const head = await fetch(url(), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'video/x-flv']);
    expect((await fetch(`${base}/api/x.flv`)).status).toBe(400);
    expect((await fetch(`${base}/live/%20.flv`)).status).toBe(400);
  });

  test('that go away while they wait leave nothing behind', async () => {
    const play = captureHttpFlv(url());
    await until('it waits', () => directory.waitingKeyCount === 1);
    play.close();
    await until('it is forgotten', () => directory.waitingKeyCount === 0, WAIT_MS / 2);
  });

  test.each([
    ['another request', `GET /${KEY}.flv HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['anything else', '\0\x01\x02\x03 hello\r\n\r\n'],
  ])('that send %s while they play are closed', async (_, more) => {
    await goLive();
    const socket = connect(server.port, '127.0.0.1');
    const seen = playOn(socket);
    await until('it plays', () => seen.text.includes('FLV\x01'));
    socket.write(more);
    await until('it is closed', () => seen.isClosed);
    expect(seen.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    await until('for that reason', endOf('player.sent-bytes'));
  });

  test('that pipeline two requests get nothing', async () => {
    await goLive();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /${KEY}.flv HTTP/1.1\r\nHost: x\r\n\r\n`);
    const seen = playOn(socket);
    await until('it is closed', () => seen.isClosed);
    expect(players()).toBe(0);
  });

  test('that half-close have left', async () => {
    await goLive();
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    const seen = playOn(socket);
    await until('it plays', () => seen.text.includes('FLV\x01'));
    socket.end();
    await until('it left', () => players() === 0);
    await until('for that reason', endOf('player.left'));
    await until('it is closed', () => seen.isClosed);
  });

  test('are reset without harm to the others', async () => {
    const publisher = await goLive();
    const other = captureHttpFlv(url());
    const socket = connect(server.port, '127.0.0.1');
    const seen = playOn(socket);
    await until('both play', () => seen.text.includes('FLV\x01') && other.frames.length > 0);
    socket.resetAndDestroy();
    await until('it left', () => players() === 1);
    const before = other.frames.length;
    publisher.send(httpFlv.encode([frame(FrameKind.audio, 600, Buffer.from([0xaf, 1, 99]))], 0));
    await until('the other goes on', () => other.frames.length > before);
    other.close();
  });

  test('that read slowly get everything once they read, in order', async () => {
    const publisher = await goLive();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /${KEY}.flv HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until('it plays', () => players() === 1);
    const bulk = Array.from({ length: 120 }, (_, index) => {
      const payload = Buffer.alloc(60_000, index);
      payload.set([0x27, 1]);
      return frame(FrameKind.video, 480 + index * 10, payload);
    });
    publisher.send(httpFlv.encode(bulk, 0));
    await until('all was published', () =>
      [...directory.streams].some(({ logBytes }) => logBytes > 7_200_000),
    );
    let received = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
    });
    await until('all came', () => received.length > 7_200_000);
    const times = framesOf(received.subarray(received.indexOf('FLV'))).map(({ timestamp }) => timestamp);
    expect(times.slice(-bulk.length)).toEqual(bulk.map(({ time }) => time));
    socket.destroy();
  });

  test('end cleanly with the stream, after everything that was written', async () => {
    await goLive();
    const play = captureHttpFlv(url());
    await until('all frames came', () => play.frames.length >= HASHES.length);
    for (const stream of directory.streams) stream.end(FINISHED);
    await until('it ended', () => play.ended);
    expect(play.frames).toHaveLength(HASHES.length);
  });
});

test('a server that stops leaves players and publishers alone until their stream ends', async () => {
  const publisher = await goLive();
  const plays = [captureHttpFlv(url()), captureWsFlv(wsUrl())];
  await until('both play', () => plays.every(({ frames }) => frames.length >= HASHES.length));
  const stopped = server.stop(5000);
  publisher.send(httpFlv.encode([frame(FrameKind.audio, 600, Buffer.from([0xaf, 1, 99]))], 0));
  await until('both go on', () => plays.every(({ frames }) => frames.length > HASHES.length));
  directory.stop({ code: 'node.stopping', message: 'the node is stopping: try again in a moment' });
  await stopped;
  await until('both ended', () => plays.every(({ ended }) => ended));
  expect(plays.map(({ ended }) => ended?.code)).toEqual([200, 1001]);
  expect(await publisher.answer).toMatch(/^503 .*node\.stopping/);
});

describe('WS-FLV players', () => {
  test('of a stream that does not come are refused before the handshake', async () => {
    const play = captureWsFlv(wsUrl());
    await until('it is refused', () => play.ended);
    expect(play.status).toBe(404);
  });

  test('that had better go elsewhere are sent there by 302', async () => {
    elsewhere = 'ws://10.0.0.2:8080/live/demo.flv?tw_hop=1';
    const socket = new WebSocket(wsUrl());
    socket.on('error', () => {});
    const answer = await new Promise<IncomingMessage>((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response));
    });
    expect([answer.statusCode, answer.headers.location]).toEqual([302, elsewhere]);
    expect(arrivals).toMatchObject([{ key: KEY, protocol: 'ws-flv', headers: { upgrade: 'websocket' } }]);
    socket.terminate();
  });

  test('are told 1001 when the stream ends', async () => {
    await goLive();
    const socket = new WebSocket(wsUrl());
    const closed = new Promise<string>((resolve) => {
      socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
    });
    await new Promise((resolve) => socket.once('message', resolve));
    for (const stream of directory.streams) stream.end(FINISHED);
    expect(await closed).toBe('1001 stream.hold-over: the publisher did not come back');
  });

  test('get pongs between media, and may close by themselves', async () => {
    await goLive();
    const socket = new WebSocket(wsUrl());
    await new Promise((resolve) => socket.once('message', resolve));
    const pong = new Promise((resolve) => socket.once('pong', resolve));
    socket.ping('hello');
    expect(String(await pong)).toBe('hello');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.close(1000);
    expect(await closed).toBe(1000);
    await until('it left', () => players() === 0);
  });

  test('that talk too much are closed with 1008', async () => {
    await goLive();
    const socket = new WebSocket(wsUrl());
    await new Promise((resolve) => socket.once('message', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (let count = 0; count < 200; count += 1) socket.send('hello');
    expect(await closed).toBe(1008);
    await until('for that reason', endOf('player.talks-too-much'));
  });

  test('that send too much at once, or no frame at all, end alone', async () => {
    await goLive();
    const other = captureWsFlv(wsUrl());
    const big = new WebSocket(wsUrl());
    await new Promise((resolve) => big.once('message', resolve));
    const closed = new Promise((resolve) => big.once('close', resolve));
    big.send(Buffer.alloc(100_000));
    expect(await closed).toBe(1009);

    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
    const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
    socket.write(`GET /${KEY}.flv HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n${key}\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.alloc(64, 0xff));
    await gone;
    await until('for that reason', endOf('player.bad-frame'));
    expect(other.ended).toBeUndefined();
    other.close();
  });

  test('with a bad handshake are 400', async () => {
    await goLive();
    const socket = connect(server.port, '127.0.0.1');
    const text = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())));
    socket.write(`GET /${KEY}.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(await text).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });
});

describe('HTTP-FLV publishers', () => {
  test('that end their body end the stream cleanly, and are told so', async () => {
    const publisher = await goLive();
    publisher.finish();
    expect(await publisher.answer).toBe('200 published: the stream has ended\n');
    expect(logged.join('\n')).toContain('publish.stopped');
  });

  test('may be cut into pieces of any size', async () => {
    const publisher = publish();
    for (const byte of FLV) publisher.send(Buffer.of(byte));
    const play = captureHttpFlv(url());
    await until('all frames came', () => play.frames.length >= HASHES.length);
    play.close();
  });

  test('that ask first may send their header, and are refused by it', async () => {
    const ask = (then: string) => {
      const post = request(url(), { method: 'POST', headers: { Expect: '100-continue' }, agent: false });
      post.on('error', () => undefined);
      post.flushHeaders();
      return new Promise<string>((resolve) => {
        post.on('continue', () => {
          if (then === 'continue') resolve(then);
          else post.write(FLV);
        });
        post.on('response', (response) => resolve(String(response.statusCode)));
      }).finally(() => post.destroy());
    };
    expect(await ask('continue')).toBe('continue');
    refusePublish = new TidewayError('publish.taken', 'another publisher is live');
    expect(await ask('answer')).toBe('409');
  });

  test('without the secret are told 403, and their query is passed on and not logged', async () => {
    const allowed = publish('?key=hidden');
    allowed.send(FLV);
    await until('it is asked for', () => publishers.length === 1);
    expect(publishers[0]?.query.get('key')).toBe('hidden');
    allowed.abort();
    refusePublish = new TidewayError('publish.denied', 'the publish secret is wrong');
    const refused = publish('?key=hidden');
    refused.send(FLV);
    expect(await refused.answer).toMatch(/^403 .*publish\.denied/);
    expect(logged.join()).not.toContain('hidden');
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half an FLV header', FLV.subarray(0, 5)],
    ['half a tag', FLV.subarray(0, FLV.length - 8)],
  ])('that send %s are told so, and take no stream over that is not theirs', async (what, body) => {
    const answer = await fetch(url(), { method: 'POST', body });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('flv.truncated');
    expect(publishers).toHaveLength(what === 'half a tag' ? 1 : 0);
  });

  test('that send no FLV are told what is wrong', async () => {
    const publisher = publish();
    publisher.send(Buffer.from('<html>this is a web page</html>'));
    expect(await publisher.answer).toMatch(/^400 .*flv\.signature/);
  });

  test('that fall silent are ended', async () => {
    const publisher = publish();
    publisher.send(FLV);
    expect(await publisher.answer).toMatch(/^408 .*publish\.idle/);
    expect(logged.join('\n')).toContain('publish.idle');
  });

  test('that are taken over are told so and closed; the newer one goes on', async () => {
    const first = await goLive();
    const second = publish();
    second.send(FLV);
    expect(await first.answer).toMatch(/^409 .*publish\.taken-over/);
    second.finish();
    expect(await second.answer).toMatch(/^200 /);
  });

  test('that vanish put the stream on hold', async () => {
    const publisher = await goLive();
    publisher.abort();
    await until('the stream is held', () => [...directory.streams][0]?.state.at === 'held');
    expect(logged.join('\n')).toContain('publish.lost');
  });

  test('that send slowly live on', async () => {
    const publisher = await goLive();
    for (let time = 500; time < 1500; time += 100) {
      await delay(100);
      publisher.send(httpFlv.encode([frame(FrameKind.audio, time, Buffer.from([0xaf, 1, 1]))], 0));
    }
    expect([...directory.streams][0]?.state.at).toBe('live');
    publisher.abort();
  });
});
