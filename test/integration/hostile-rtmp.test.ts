// Peers that break RTMP's rules, over real sockets. After each case another live stream, played over all protocols,
// must have gone on without a frame lost.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Amf0Input, encode } from '../../src/format/amf0.ts';
import { FrameKind } from '../../src/format/frame.ts';
import {
  command,
  MessageType,
  type RtmpMessage,
  setChunkSize,
  UserControl,
  userControl,
} from '../../src/format/rtmp/message.ts';
import { uint } from '../support/chunks.ts';
import { metric, noise, RawSocket, Watch } from '../support/hostile.ts';
import { payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';
import { Witness } from '../support/witness.ts';

const SECRET = 'hush-9f2d7c';
const MIB = 2 ** 20;

let node: RunningNode;
let witness: Witness;
let watch: Watch;
let clients: RtmpClient[] = [];

beforeAll(async () => {
  node = await runNode({ 'publish.secret': SECRET, 'play.waitMs': '300', 'publish.holdMs': '500' });
  witness = await Witness.start(node, `?key=${SECRET}`);
});

afterAll(async () => {
  witness.stop();
  await node.stop();
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  await witness.undisturbed();
});

type Stage = 'open' | 'handshaken' | 'connected' | 'publishing' | 'playing';

/** A peer that has behaved well so far. */
async function peer(stage: Stage): Promise<RtmpClient> {
  watch = new Watch(node);
  const client = await RtmpClient.open(node.rtmpPort);
  clients.push(client);
  if (stage === 'open') return client;
  await client.shakeHands();
  if (stage === 'handshaken') return client;
  await client.connect(stage === 'playing' ? 'witness' : 'hostile');
  if (stage === 'publishing') expect(await client.publish(`cam?key=${SECRET}`)).toMatch(/Publish\.Start$/);
  if (stage === 'playing') expect(await client.play('stream')).toMatch(/Play\.Start$/);
  return client;
}

interface Head {
  readonly fmt?: number;
  /** Chunk stream id, 2..63. */
  readonly id?: number;
  readonly streamId?: number;
}

/** One chunk: its head says `length`, its body is what is given. */
function chunk(
  type: number,
  length: number,
  body: Buffer = Buffer.alloc(0),
  { fmt = 0, id = 3, streamId = 0 }: Head = {},
) {
  const first = Buffer.from([(fmt << 6) | id]);
  const fields = [uint(0, 3), uint(length, 3), uint(type, 1), uint(streamId, 4).reverse()];
  return Buffer.concat([first, ...fields.slice(0, [4, 3, 1, 0][fmt]), body]);
}

/** A command of any values whatever. */
function values(...args: Amf0Input[]) {
  return (client: RtmpClient) => {
    const payload = encode(...args);
    client.send({ chunkStreamId: 3, type: MessageType.command, timestamp: 0, streamId: 0, payload });
  };
}

/** A `connect` whose command object is made of these bytes. */
function connectWith(...amf: readonly Buffer[]) {
  return (client: RtmpClient) => {
    const payload = Buffer.concat([encode('connect', 1), ...amf]);
    client.send({ chunkStreamId: 3, type: MessageType.command, timestamp: 0, streamId: 0, payload });
  };
}

const bytes =
  (...parts: readonly Buffer[]) =>
  (client: RtmpClient) =>
    client.raw(Buffer.concat(parts));
const call =
  (name: string, streamId: number, ...args: Amf0Input[]) =>
  (client: RtmpClient) =>
    client.call(name, streamId, ...args);
const picture = (client: RtmpClient) =>
  client.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc key', 1) });

const EMPTY_ARRAY_HEAD = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff]);
const ECMA_ARRAY_HEAD = Buffer.from([0x08, 0xff, 0xff, 0xff, 0xff]);
const LONG_STRING_HEAD = Buffer.from([0x0c, 0xff, 0xff, 0xff, 0xff]);
const NESTED = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0x0a, 0, 0, 0, 1])));
const NESTED_OBJECTS = Buffer.concat(Array.from({ length: 9000 }, () => Buffer.from([0x03, 0, 1, 0x61])));

const UNSPOKEN = 99;

type Violation = readonly [what: string, stage: Stage, code: string, attack: (client: RtmpClient) => void];

const VIOLATIONS: readonly Violation[] = [
  ['random bytes', 'open', 'rtmp.handshake-version', bytes(noise(1, 10_000))],
  ['a web request', 'open', 'rtmp.handshake-version', bytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
  ['a TLS greeting', 'open', 'rtmp.handshake-version', bytes(Buffer.from([0x16, 3, 1, 2, 0]))],
  ['RTMPE', 'open', 'rtmp.handshake-version', bytes(Buffer.from([6]), noise(2, 1536))],

  ['media before connect', 'handshaken', 'rtmp.media-unexpected', picture],
  ['a command before connect', 'handshaken', 'rtmp.command-order', call('createStream', 0, null)],
  ['publish without connect', 'handshaken', 'rtmp.command-order', call('publish', 1, null, 'cam', 'live')],
  ['play without connect', 'handshaken', 'rtmp.command-order', call('play', 1, null, 'stream')],
  ...[1, 2, 3, 4, 5, 6].map(
    (type): Violation => [
      `a control message of type ${type} without content`,
      'handshaken',
      'rtmp.control-length',
      bytes(chunk(type, 0, undefined, { id: 2 })),
    ],
  ),
  ['a ping cut short', 'handshaken', 'rtmp.control-length', bytes(chunk(4, 2, uint(6, 2), { id: 2 }))],
  ['a chunk size of 0', 'handshaken', 'rtmp.chunk-size', (client) => client.send(setChunkSize(0))],
  ['a chunk size of 2^31', 'handshaken', 'rtmp.chunk-size', (client) => client.send(setChunkSize(2 ** 31))],
  [
    'a chunk size of 16 MiB + 1',
    'handshaken',
    'rtmp.chunk-size',
    (client) => client.send(setChunkSize(16 * MIB + 1)),
  ],
  [
    'fmt 3 on a new chunk stream',
    'handshaken',
    'rtmp.chunk-format',
    bytes(chunk(0, 0, undefined, { fmt: 3, id: 9 })),
  ],
  [
    'fmt 2 on a new chunk stream',
    'handshaken',
    'rtmp.chunk-format',
    bytes(chunk(0, 0, undefined, { fmt: 2, id: 9 })),
  ],
  [
    'fmt 0 in mid-message',
    'handshaken',
    'rtmp.chunk-format',
    bytes(chunk(20, 300, Buffer.alloc(128)), chunk(20, 10)),
  ],
  [
    '33 chunk streams',
    'handshaken',
    'rtmp.chunk-streams',
    bytes(...Array.from({ length: 33 }, (_, at) => chunk(UNSPOKEN, 0, undefined, { id: at + 3 }))),
  ],
  ['a command over 64 KiB', 'handshaken', 'rtmp.message-size', bytes(chunk(20, 64 * 1024 + 1))],
  ['data over 256 KiB', 'publishing', 'rtmp.message-size', bytes(chunk(18, 256 * 1024 + 1))],
  [
    'a picture of 8 MiB + 1',
    'publishing',
    'rtmp.message-size',
    bytes(chunk(9, 8 * MIB + 1, undefined, { id: 6 })),
  ],
  ['a picture of 16 MiB', 'connected', 'rtmp.message-size', bytes(chunk(9, 0xffffff, undefined, { id: 6 }))],
  [
    'much unfinished before it may send media',
    'handshaken',
    'rtmp.unfinished',
    (client) => {
      client.send(setChunkSize(MIB));
      client.raw(chunk(9, 8 * MIB, Buffer.alloc(200_000)));
    },
  ],

  ['a command without content', 'handshaken', 'rtmp.command', bytes(chunk(20, 0))],
  ['a command whose name is a number', 'handshaken', 'rtmp.command', values(20, 1, null)],
  ['a command whose transaction id is text', 'handshaken', 'rtmp.command', values('connect', '1', {})],
  ['connect without an object', 'handshaken', 'rtmp.command', values('connect', 1)],
  ['connect with null', 'handshaken', 'rtmp.command', values('connect', 1, null)],
  ['connect with text', 'handshaken', 'rtmp.command', values('connect', 1, 'live')],
  ['connect without an app', 'handshaken', 'rtmp.command', values('connect', 1, {})],
  [
    'connect with an app that is an array',
    'handshaken',
    'rtmp.command',
    values('connect', 1, { app: ['live'] }),
  ],
  ['AMF0 nested deeper than 16', 'handshaken', 'amf0.depth', connectWith(NESTED)],
  ['objects nested deeper than 16', 'handshaken', 'amf0.depth', connectWith(NESTED_OBJECTS)],
  ['an array of 2^32 - 1', 'handshaken', 'amf0.truncated', connectWith(EMPTY_ARRAY_HEAD)],
  ['an associative array of 2^32 - 1', 'handshaken', 'amf0.truncated', connectWith(ECMA_ARRAY_HEAD)],
  ['a string of 2^32 - 1', 'handshaken', 'amf0.truncated', connectWith(LONG_STRING_HEAD)],
  [
    'an array of 2^32 - 1 with a start',
    'handshaken',
    'amf0.count',
    connectWith(EMPTY_ARRAY_HEAD, Buffer.alloc(50_000, 5)),
  ],
  ['60,000 values', 'handshaken', 'amf0.count', connectWith(Buffer.alloc(60_000, 5))],
  ['a type that AMF0 has not', 'handshaken', 'amf0.type', connectWith(Buffer.from([0x42]))],

  ['connect twice', 'connected', 'rtmp.command-order', values('connect', 2, { app: 'live' })],
  ['media before publish', 'connected', 'rtmp.media-unexpected', picture],
  ['publish without a name', 'connected', 'rtmp.command', call('publish', 1, null)],
  [
    'publish with an object for a name',
    'connected',
    'rtmp.command',
    call('publish', 1, null, { name: 'cam' }),
  ],
  ['play with a number for a name', 'connected', 'rtmp.command', call('play', 1, null, 7)],
  ['play without any argument', 'connected', 'rtmp.command', call('play', 1)],

  [
    'publish twice on one session',
    'publishing',
    'rtmp.command-order',
    call('publish', 1, null, 'cam2', 'live'),
  ],
  ['play while publishing', 'publishing', 'rtmp.command-order', call('play', 1, null, 'stream')],
  [
    'media on another message stream',
    'publishing',
    'rtmp.media-stream',
    bytes(chunk(9, 4, Buffer.alloc(4), { streamId: 2 })),
  ],
  [
    'an aggregate with a broken part',
    'publishing',
    'rtmp.aggregate',
    bytes(chunk(22, 20, Buffer.alloc(20, 0xff), { streamId: 1 })),
  ],
  [
    'chunk streams without end',
    'publishing',
    'rtmp.chunk-streams',
    bytes(...Array.from({ length: 60 }, (_, at) => chunk(9, 8 * MIB, Buffer.alloc(4096), { id: at + 3 }))),
  ],

  ['media from a player', 'playing', 'rtmp.media-unexpected', picture],
  ['data from a player', 'playing', 'rtmp.media-unexpected', (client) => client.metadata({ width: 1 })],
  ['play twice', 'playing', 'rtmp.command-order', call('play', 1, null, 'stream')],
  ['publish while playing', 'playing', 'rtmp.command-order', call('publish', 1, null, `cam?key=${SECRET}`)],
];

describe('a peer is closed, with a code, for', () => {
  test.each(VIOLATIONS)('%s, when it is %s: %s', async (_what, stage, code, attack) => {
    const client = await peer(stage);
    attack(client);
    await client.closed();
    await watch.line('rtmp.wire-error', { code });
    expect(watch.of('rtmp.internal-error')).toEqual([]);
  });

  test('asking and never reading the answers', async () => {
    const client = await peer('connected');
    client.socket.pause();
    const asking = setInterval(() => client.call('FCPublish', 0, null, 'x'.repeat(60_000)), 1);
    await watch.line('rtmp.wire-error', { code: 'rtmp.unread' }).finally(() => clearInterval(asking));
  });

  test('noise behind the handshake, of 300 seeds, or it waits for more', async () => {
    watch = new Watch(node);
    const sockets = Array.from({ length: 300 }, (_, seed) => {
      const greeting = Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]);
      return new RawSocket(node.rtmpPort).write(Buffer.concat([greeting, noise(seed + 1, 20_000)]));
    });
    await until('they are judged', () => {
      const open = sockets.filter(({ isClosed, received }) => !isClosed && received.length < 3073);
      return open.length === 0;
    });
    const judged = () => watch.of('rtmp.wire-error').length;
    await until('nearly all are closed', () => judged() > 250);
    for (const { socket } of sockets) socket.destroy();
    expect(watch.of('rtmp.internal-error')).toEqual([]);
  });
});

describe('a publisher goes on after', () => {
  const aborted = Buffer.concat([
    chunk(9, 5000, Buffer.alloc(4096), { id: 6, streamId: 1 }),
    chunk(MessageType.abort, 4, uint(6, 4), { id: 2 }),
  ]);
  test.each([
    [
      'messages of all types without content',
      bytes(...[8, 9, 15, 18, 22].map((type) => chunk(type, 0, undefined, { streamId: 1, id: type }))),
    ],
    [
      'messages of types that nobody knows',
      bytes(...[0, 7, 10, 19, 99, 255].map((type) => chunk(type, 5, Buffer.alloc(5)))),
    ],
    ['an abort in mid-message', bytes(aborted)],
    ['an abort of a chunk stream that is not', bytes(chunk(MessageType.abort, 4, uint(4711, 4), { id: 2 }))],
    [
      'commands with arguments that make no sense',
      (client: RtmpClient) => {
        client.call('createStream', 9, { deep: [[[null]]] }, 'x', -1);
        client.call('FCPublish', 0, null, { not: 'a name' });
        client.call('__proto__', 0, null);
        client.call('getStreamLength', 0);
        client.call('releaseStream', 0);
      },
    ],
    [
      'control that means nothing',
      bytes(
        chunk(4, 6, Buffer.from([0xff, 0xff, 0, 0, 0, 1]), { id: 2 }),
        chunk(5, 4, uint(0, 4), { id: 2 }),
        chunk(6, 5, Buffer.from([0, 0, 0, 0, 9]), { id: 2 }),
        chunk(3, 4, uint(2 ** 32 - 1, 4), { id: 2 }),
      ),
    ],
    ['data that is no AMF0', bytes(chunk(18, 4, noise(5, 4), { streamId: 1, id: 5 }))],
  ])('%s', async (_what, attack) => {
    const client = await peer('publishing');
    attack(client);
    picture(client);
    client.send(userControl(6, 4711));
    const isPong = ({ type, payload }: RtmpMessage) =>
      type === MessageType.userControl && payload.readUInt16BE(0) === UserControl.pingResponse;
    await client.until(() => client.messages.some(isPong), 'a pong');
    expect(watch.of('rtmp.wire-error')).toEqual([]);
  });

  test('byte after byte in a packet of its own', async () => {
    watch = new Watch(node);
    const socket = new RawSocket(node.rtmpPort);
    await socket.dribble(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536), Buffer.alloc(1536)]));
    const say = (streamId: number, name: string, ...args: Amf0Input[]) => {
      const { payload } = command(streamId, name, 1, ...args);
      return chunk(20, payload.length, payload, { streamId });
    };
    await socket.dribble(say(0, 'connect', { app: 'slow' }));
    await socket.dribble(say(1, 'publish', null, `cam?key=${SECRET}`));
    await socket.dribble(chunk(9, 9, payloadOf('avc key', 1), { id: 6, streamId: 1 }));
    await watch.line('publish.start', { stream: 'slow/cam' });
    socket.socket.destroy();
    await until('the frame was taken', () => watch.of('publish.end')[0]?.frames === 1);
  });
});

describe('a refused publisher', () => {
  test.each([
    ['without the secret', 'cam', 'NetStream.Publish.Denied', 'publish.denied'],
    ['with a wrong secret', 'cam?key=hush', 'NetStream.Publish.Denied', 'publish.denied'],
    [
      'of a name that is not allowed',
      `../x?key=${SECRET}`,
      'NetStream.Publish.BadName',
      'stream-key.invalid',
    ],
  ])('%s is not read and destroyed within a second, whatever it sends', async (_what, name, answer, code) => {
    const client = await peer('connected');
    expect(await client.publish(name)).toBe(answer);
    const before = await receivedBytes();
    const flood = setInterval(() => client.raw(Buffer.alloc(100_000, 9)), 1);
    const closedMs = await client.closed().finally(() => clearInterval(flood));
    expect(closedMs).toBeLessThan(1000);
    await watch.line('rtmp.refused', { code });
    // The witness publishes about 30 kB a second meanwhile.
    expect((await receivedBytes()) - before).toBeLessThan(200_000);
  });

  async function receivedBytes(): Promise<number> {
    return (await metric(node, 'tideway_rtmp_received_bytes_total')).get('') ?? Number.NaN;
  }
});

/** The witness: its publisher and its RTMP player. */
const WITNESS_CONNECTIONS = 2;

describe('connections that break', () => {
  const GREETING = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]);

  test.each([
    ['in the handshake by a reset', (socket: RawSocket) => socket.write(GREETING).socket.resetAndDestroy()],
    ['in the handshake by an end', (socket: RawSocket) => socket.write(GREETING).socket.end()],
    ['before the first byte', (socket: RawSocket) => socket.socket.resetAndDestroy()],
  ])('%s leave nothing', async (_how, breakOff) => {
    for (let count = 0; count < 100; count += 1) {
      const socket = new RawSocket(node.rtmpPort);
      socket.socket.once('connect', () => breakOff(socket));
    }
    await until('all are gone', async () => (await openConnections()) === WITNESS_CONNECTIONS);
  });

  test.each(['publishing', 'playing'] as const)('while %s, in mid-message, leave nothing', async (stage) => {
    for (let count = 0; count < 10; count += 1) {
      const client = await peer(stage);
      client.raw(chunk(9, 5000, Buffer.alloc(100), { id: 7 }));
      if (count % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.end();
    }
    await until('all are gone', async () => (await openConnections()) === WITNESS_CONNECTIONS);
  });

  async function openConnections(): Promise<number> {
    return (await metric(node, 'tideway_connections')).get('door="rtmp"') ?? Number.NaN;
  }
});

test('every violation was counted by its code', async () => {
  const lines = new Map<string, number>();
  for (const { event, code } of node.lines) {
    if (event === 'rtmp.wire-error') lines.set(`code="${code}"`, (lines.get(`code="${code}"`) ?? 0) + 1);
  }
  expect(await metric(node, 'tideway_wire_errors_total')).toEqual(lines);
});

test('the publish secret never reached the log, wherever it was given', async () => {
  const client = await peer('connected');
  client.call('releaseStream', 0, null, `cam?key=${SECRET}`);
  client.call('FCPublish', 0, null, `cam?key=${SECRET}`);
  client.call(`cam?key=${SECRET}`, 0, null);
  expect(await client.play(`nothing?key=${SECRET}`)).toBe('NetStream.Play.StreamNotFound');
  for (const [app, tcUrl, name] of [
    [`live?key=${SECRET}`, 'rtmp://localhost/live', 'cam'],
    ['live', `rtmp://localhost/live?key=${SECRET}`, 'cam'],
    ['live', 'rtmp://localhost/live', `cam?key=${SECRET}`],
    [`live/cam?key=${SECRET}`, 'rtmp://localhost/live', ''],
    ['live', `rtmp://me:${SECRET}@localhost/live`, `cam/${SECRET}?key=${SECRET}`],
    [SECRET, '', `cam?key=x${SECRET}`],
  ] as const) {
    const given = await peer('handshaken');
    await given.connect(app, { tcUrl, pageUrl: tcUrl, swfUrl: tcUrl });
    await given.publish(name);
  }
  await witness.undisturbed();
  expect(node.lines.filter((line) => JSON.stringify(line).includes(SECRET))).toEqual([]);
});
