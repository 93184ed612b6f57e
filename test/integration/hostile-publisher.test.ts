// Publishers and players who are let in and then overdo it, over real sockets: floods, strange times, codecs and
// data, players who don't read. Another live stream must go on without a frame lost, and memory stay bounded.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encode } from '../../src/format/amf0.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { MessageType, setChunkSize, userControl } from '../../src/format/rtmp/message.ts';
import { uint } from '../support/chunks.ts';
import { captureHttpFlv } from '../support/frames.ts';
import { metric, noise, RawSocket, Watch } from '../support/hostile.ts';
import { idOf, kindOf, type PayloadName, payloadOf } from '../support/media.ts';
import { memoryOf, report } from '../support/memory.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';
import { Witness } from '../support/witness.ts';

const MIB = 2 ** 20;
const LOG_BYTES = 8 * MIB;
/** What the test itself and the sockets of a case may hold beside the log. */
const SLACK_BYTES = 24 * MIB;
/** The longest that the node may be deaf to others; attackers and witness take their part of the same event loop. */
const MAX_STALL_MS = 3000;
/** The overhead of a log entry makes many small frames a little more. */
const MAX_LOG_BYTES = LOG_BYTES * 1.3;

let node: RunningNode;
let witness: Witness;
let watch: Watch;
let clients: RtmpClient[] = [];

beforeAll(async () => {
  node = await runNode({
    'log.level': 'info',
    'stream.logBytes': String(LOG_BYTES),
    'publish.holdMs': '300',
    'publish.holdAfterStopMs': '300',
    'player.stallMs': '1500',
    'player.maxBacklogMs': '1000',
    'limits.streams': '50',
    // What holds such a publisher without ending it is what this is about.
    ...{ 'publish.maxFramesPerSecond': '1000000', 'publish.maxMbps': '1000000' },
  });
  witness = await Witness.start(node);
});

afterAll(async () => {
  witness.stop();
  await node.stop();
});

beforeEach(() => {
  watch = new Watch(node);
  witness.takeWorstMs();
});

afterEach(async () => {
  // A reset, so that the node doesn't read what is on its way first.
  for (const { socket } of clients) socket.resetAndDestroy();
  clients = [];
  await witness.undisturbed();
  expect(witness.takeWorstMs()).toBeLessThan(MAX_STALL_MS);
  await until('the stream is gone', async () => {
    const streams = await metric(node, 'tideway_streams');
    return streams.get('state="live"') === 1 && streams.get('state="held"') === 0;
  });
});

async function publisher(name = 'wild'): Promise<RtmpClient> {
  const client = await RtmpClient.publishing(node.rtmpPort, name, 'hostile');
  clients.push(client);
  return client;
}

function send(client: RtmpClient, name: PayloadName, timestamp: number, id: number, size = 0): void {
  client.frame({ kind: kindOf(name), timestamp, payload: payloadOf(name, id, size) });
}

/** Resolves when the kernel has taken it, so that nothing piles up on our side. */
function written(client: RtmpClient, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => client.socket.write(bytes, () => resolve()));
}

/** A whole message in one chunk of fmt 0, on message stream 1. */
function message(type: number, payload: Buffer, id: number): Buffer {
  const head = [Buffer.from([id]), uint(0, 3), uint(payload.length, 3), uint(type, 1)];
  return Buffer.concat([...head, Buffer.from([1, 0, 0, 0]), payload]);
}

/** One-byte messages, two bytes each: fmt 3 repeats the head of the last message on that chunk stream. */
function tiny(count: number, id: number, payload: number): Buffer {
  return Buffer.alloc(count * 2, Buffer.from([0xc0 | id, payload]));
}

async function logBytes(): Promise<number> {
  return (await metric(node, 'tideway_media_memory_bytes')).get('kind="log"') ?? Number.NaN;
}

/** Writes again and again for a while, and answers how much. */
async function flood(client: RtmpClient, bytes: Buffer, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let sent = 0;
  while (performance.now() < endMs && !client.isClosed) {
    await Promise.race([written(client, bytes), until('time is over', () => performance.now() >= endMs)]);
    sent += bytes.length;
  }
  return sent;
}

const SOUND = Buffer.from([0x2f]);
const AUDIO = 4;

describe('a publisher that sends as fast as it can', () => {
  /** A flooder is read for long after it left; a newer publisher has it closed. */
  async function takeOver(): Promise<void> {
    await publisher();
    await watch.line('publish.end', { reason: 'publish.taken-over' });
  }

  test('and never a second key frame, is held to the bytes of the log', async () => {
    const client = await publisher();
    const delta = message(MessageType.video, payloadOf('avc delta', 2, 4000), 6);
    const used = await memoryOf(async () => {
      send(client, 'avc key', 0, 1, 4000);
      const sent = await flood(client, Buffer.concat(Array.from({ length: 100 }, () => delta)), 1500);
      expect(sent).toBeGreaterThan(2 * LOG_BYTES);
      expect(await logBytes()).toBeLessThan(MAX_LOG_BYTES);
    });
    report('fast publisher', used);
    expect(used.after).toBeLessThan(LOG_BYTES + SLACK_BYTES);
    expect(client.isClosed).toBe(false);
  });

  test('in messages of one byte, is held to the bytes of the log at any instant, and takes its turn', async () => {
    const client = await publisher();
    const used = await memoryOf(async () => {
      send(client, 'avc key', 0, 1);
      client.raw(message(MessageType.audio, SOUND, AUDIO));
      await flood(client, tiny(MIB / 2, AUDIO, 0x2f), 2000);
      expect(await logBytes()).toBeLessThan(MAX_LOG_BYTES);
    });
    await takeOver();
    report('messages of one byte', used);
    expect(used.peak).toBeLessThan(150 * MIB);
    expect(used.after).toBeLessThan(LOG_BYTES * 3 + SLACK_BYTES);
  });

  test('small frames among bytes that nobody keeps, does not keep those in memory', async () => {
    const client = await publisher();
    client.send(setChunkSize(65_536));
    const junk = message(99, Buffer.alloc(4000), 7);
    const pair = Buffer.concat([message(MessageType.audio, SOUND, AUDIO), junk]);
    const pairs = Buffer.concat(Array.from({ length: 500 }, () => pair));
    const used = await memoryOf(async () => {
      send(client, 'avc key', 0, 1);
      for (let round = 0; round < 24; round += 1) await written(client, pairs);
      await until('all are logged', async () => (await logBytes()) > 12_000 * 256);
    });
    report('12,000 small frames among junk', used);
    expect(used.after).toBeLessThan(SLACK_BYTES);
  });

  test('audio, behind thousands of data messages and before any key frame, takes its turn', async () => {
    const client = await publisher();
    client.raw(Buffer.concat([message(MessageType.data, Buffer.alloc(1), 5), tiny(4094, 5, 0)]));
    client.raw(Buffer.concat([message(MessageType.audio, SOUND, AUDIO)]));
    await flood(client, tiny(20_000, AUDIO, 0x2f), 2000);
    expect(client.isClosed).toBe(false);
    await takeOver();
  });

  test('commands to publish and stop, is slowed down', async () => {
    const client = await RtmpClient.connected(node.rtmpPort, 'hostile');
    clients.push(client);
    for (let count = 0; count < 2000; count += 1) {
      client.call('publish', 1, null, 'storm', 'live');
      client.call('deleteStream', 0, null, 1);
    }
    await until('some were taken', () => watch.of('publish.end').length >= 10);
    await witness.undisturbed();
    expect(watch.of('publish.start').length).toBeLessThan(1500);
  });

  test('many publishers fill no more than the budget of the node and a quarter', async () => {
    const budget = 16 * MIB;
    const small = await runNode({
      'log.level': 'warn',
      'memory.budgetBytes': String(budget),
      'stream.logBytes': '16MiB',
    });
    const hogs = await Promise.all(
      Array.from({ length: 10 }, (_, at) => RtmpClient.publishing(small.rtmpPort, `hog${at}`)),
    );
    clients.push(...hogs);
    for (const hog of hogs) send(hog, 'avc key', 0, 1);
    for (let id = 2; id < 90; id += 1) for (const hog of hogs) send(hog, 'avc delta', id, id, 100_000);
    const used = async () => (await metric(small, 'tideway_media_memory_bytes')).get('kind="log"') ?? 0;
    await until('it is full', async () => (await used()) > budget);
    await until('all was read', async () => {
      const received = (await metric(small, 'tideway_rtmp_received_bytes_total')).get('') ?? 0;
      return received > 10 * 88 * 100_000;
    });
    expect(await used()).toBeLessThan(budget * 1.25 + 10 * MIB);
    await expect(RtmpClient.publishing(small.rtmpPort, 'late')).rejects.toThrow('Publish.Denied');
    await small.stop();
  });
});

describe('a publisher of strange media', () => {
  test('that jumps in time is shown with times that never fall and never leap by over 3 s', async () => {
    const client = await publisher();
    const jumps = noise(3, 4 * 400);
    send(client, 'avc key', 0, 1);
    const play = captureHttpFlv(node.flvUrl('hostile/wild'));
    await until('it plays', () => play.frames.length > 0);
    for (let at = 0; at < 400; at += 1) {
      const name = at % 10 === 0 ? 'avc key' : at % 2 === 0 ? 'avc delta' : 'aac sample';
      send(client, name, jumps.readUInt32BE(at * 4), at + 2);
    }
    await until('all came', () => play.frames.length >= 401);
    for (const track of [FrameKind.audio, FrameKind.video]) {
      const times = play.frames.filter(({ kind }) => kind === track).map(({ timestamp }) => timestamp);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
    let newest = play.frames[0]?.timestamp ?? 0;
    for (const { timestamp } of play.frames) {
      expect(timestamp - newest).toBeLessThanOrEqual(3000);
      newest = Math.max(newest, timestamp);
    }
    play.close();
  });

  test('that changes its codec with each frame ends its players cleanly, each time', async () => {
    const client = await publisher();
    let id = 0;
    const change = setInterval(() => {
      id += 1;
      send(client, id % 2 === 0 ? 'avc key' : 'hevc key', id * 5, id, 1000);
      send(client, id % 3 === 0 ? 'aac sample' : 'mp3 sample', id * 5, id);
    }, 5);
    for (let count = 0; count < 20; count += 1) {
      const play = captureHttpFlv(node.flvUrl('hostile/wild'));
      await until('it has ended', () => play.ended);
      expect(play.status).toBe(200);
    }
    clearInterval(change);
    await watch.line('play.end', { reason: 'stream.codec-changed' });
    expect(client.isClosed).toBe(false);
  });

  test('that sends set-up and never media keeps nothing but the newest', async () => {
    const client = await publisher();
    const play = captureHttpFlv(node.flvUrl('hostile/wild'));
    const used = await memoryOf(async () => {
      for (let id = 1; id <= 3000; id += 1) {
        send(client, 'avc header', id, id, 5000);
        send(client, 'aac header', id, id);
        if (id % 100 === 0) await written(client, tiny(0, AUDIO, 0));
      }
      await until('it was read', async () => (await bytesReceived()) > 3000 * 5000);
    });
    report('set-up without media', used);
    expect(used.after).toBeLessThan(16 * MIB + SLACK_BYTES);
    expect(play.frames).toEqual([]);
    play.close();
  });

  test('of 10,000 data messages a second is let do so', async () => {
    const client = await publisher();
    send(client, 'avc key', 0, 1);
    client.raw(message(MessageType.data, Buffer.from([5]), 5));
    const received = await bytesReceived();
    for (let tick = 0; tick < 20; tick += 1) {
      await written(client, tiny(1000, 5, 5));
      const sentBefore = witness.sent;
      await until('a tenth of a second', () => witness.sent >= sentBefore + 10);
    }
    await until('they came', async () => (await bytesReceived()) - received >= 40_000);
    expect(client.isClosed).toBe(false);
  });

  test('of 256 KiB of metadata, over and over, is held to the bytes of the log', async () => {
    const client = await publisher();
    send(client, 'avc key', 0, 1);
    const play = captureHttpFlv(node.flvUrl('hostile/wild'));
    await until('it plays', () => play.frames.length > 0);
    play.close();
    const used = await memoryOf(async () => {
      for (let id = 0; id < 200; id += 1) {
        const text = `${id}`.padEnd(250_000);
        const payload = encode('@setDataFrame', 'onMetaData', { text });
        client.frame({ kind: FrameKind.data, timestamp: id, payload });
        if (id % 20 === 0) await written(client, tiny(0, AUDIO, 0));
      }
      await until('they came', async () => (await bytesReceived()) > 200 * 250_000);
      expect(await logBytes()).toBeLessThan(MAX_LOG_BYTES + 512 * 1024);
    });
    report('50 MB of metadata', used);
    expect(used.after).toBeLessThan(LOG_BYTES + SLACK_BYTES);
  });

  async function bytesReceived(): Promise<number> {
    return (await metric(node, 'tideway_rtmp_received_bytes_total')).get('') ?? Number.NaN;
  }
});

describe('names', () => {
  test.each([
    ['of 64 and 64', 'a'.repeat(64), 'b'.repeat(64), 'Publish.Start'],
    ['of 65', 'a', 'b'.repeat(65), 'BadName'],
    ['of 60,000', 'a', 'b'.repeat(60_000), 'BadName'],
    ['of 60,000 slashes', 'a', '/'.repeat(60_000), 'BadName'],
    ['of an app of 20,000', 'a'.repeat(20_000), 'b', 'BadName'],
    ['with a query of 16 KiB', 'a', `b?${'key=x&'.repeat(2700)}`, 'Publish.Start'],
    ['of the object prototype', '__proto__', 'constructor', 'Publish.Start'],
  ])('%s are judged', async (_what, app, name, answer) => {
    const client = await RtmpClient.connected(node.rtmpPort, app);
    clients.push(client);
    expect(await client.publish(name)).toContain(answer);
  });

  test('with tens of thousands of query fields cost no more than reading them', async () => {
    const names = Array.from({ length: 17_000 }, (_, at) => at.toString(36));
    const lower = names.join('&').slice(0, 62_000);
    const upper = lower.toUpperCase();
    const client = await RtmpClient.open(node.rtmpPort);
    clients.push(client);
    await client.shakeHands();
    await client.connect(`a?${lower}`, { tcUrl: '' });
    await witness.undisturbed();
    witness.takeWorstMs();
    await client.publish(`b?${upper}`);
    expect(witness.takeWorstMs()).toBeLessThan(600);
  });

  test('beyond the limit of streams are refused, and none is left', async () => {
    const answers: string[] = [];
    for (let at = 0; at < 80; at += 1) {
      const client = await RtmpClient.connected(node.rtmpPort, `app${at}`);
      clients.push(client);
      answers.push(await client.publish('cam'));
    }
    expect(answers.filter((code) => code === 'NetStream.Publish.Start')).toHaveLength(49);
    expect(watch.of('rtmp.refused').map(({ code }) => code)).toEqual(
      new Array(31).fill('publish.too-many-streams'),
    );
  });
});

test('players that never read are closed with the reason, and one beside them gets every frame', async () => {
  const client = await publisher('fat');
  let id = 0;
  const feed = setInterval(() => {
    id += 1;
    send(client, id % 25 === 1 ? 'avc key' : 'avc delta', id * 20, id, 40_000);
  }, 20);
  await until('it is live', () => id > 2);
  const healthy = captureHttpFlv(node.flvUrl('hostile/fat'));
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  const used = await memoryOf(async () => {
    const deaf: RawSocket[] = [];
    for (let count = 0; count < 30; count += 1) {
      const http = new RawSocket(node.httpPort).write('GET /hostile/fat.flv HTTP/1.1\r\nHost: x\r\n\r\n');
      const ws = new RawSocket(node.httpPort).write(
        `GET /hostile/fat.flv HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n${key}\r\n\r\n`,
      );
      for (const each of [http, ws]) each.socket.pause();
      deaf.push(http, ws);
      const rtmp = await RtmpClient.playing(node.rtmpPort, 'fat', 'hostile');
      rtmp.socket.pause();
      clients.push(rtmp);
    }
    const talk = setInterval(() => {
      for (const rtmp of clients.slice(1, 10)) rtmp.send(userControl(6, 1));
    }, 200);
    const over = () =>
      watch.of('play.end').filter(({ reason }) => /^player\.(backlog|stalled)$/.test(String(reason)));
    await until('all are closed', () => over().length === 90, 20_000).finally(() => clearInterval(talk));
    for (const { socket } of deaf) socket.destroy();
  });
  report('90 players that never read', used);
  clearInterval(feed);
  await until('the healthy one has all', () => idOfLast(healthy.frames) === id);
  const ids = healthy.frames.map(({ kind, payload }) => idOf(kind, payload));
  expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
  healthy.close();
}, 40_000);

test('a player that never reads and was never live is not kept alive by its own pings', async () => {
  const client = await publisher('fat');
  for (let id = 1; id <= 14; id += 1) send(client, id === 1 ? 'avc key' : 'avc delta', id, id, 500_000);
  await until('they came', async () => (await logBytes()) > 14 * 500_000);
  const player = await RtmpClient.playing(node.rtmpPort, 'fat', 'hostile');
  clients.push(player);
  player.socket.pause();
  const pings = setInterval(() => player.send(userControl(6, 1)), 200);
  await watch.line('play.end', { reason: 'player.stalled' }, 6000).finally(() => clearInterval(pings));
});

function idOfLast(frames: readonly { kind: number; payload: Buffer }[]): number {
  const last = frames.at(-1);
  return last ? idOf(last.kind, last.payload) : 0;
}
