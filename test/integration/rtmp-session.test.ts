// The state rules of an RTMP session, over real sockets, with a publication and a stream that are made up.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Reason, TidewayError } from '../../src/base/errors.ts';
import type { Arrival } from '../../src/base/redirect.ts';
import { type Amf0Input, encode } from '../../src/format/amf0.ts';
import { Frame, FrameKind } from '../../src/format/frame.ts';
import { rtmpEncoder, writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import {
  acknowledgement,
  command,
  MessageType,
  parseControl,
  parseUserControl,
  setChunkSize,
  userControl,
  windowAckSize,
} from '../../src/format/rtmp/message.ts';
import { MemoryBudget } from '../../src/media/memory-budget.ts';
import type { Player, Sink } from '../../src/media/player.ts';
import type { Publication, PublishRequest } from '../../src/media/publication.ts';
import type { Stream } from '../../src/media/stream.ts';
import type { PlayRequest } from '../../src/media/stream-directory.ts';
import { RtmpServer, type RtmpServerOptions } from '../../src/rtmp/server.ts';
import { authorizerOf } from '../support/authorizing.ts';
import { uint } from '../support/chunks.ts';
import { field, type MediaMessage, RtmpClient } from '../support/rtmp-client.ts';

const STOP: Reason = { code: 'test.stop', message: 'the test is over' };

class FakePublication {
  readonly request: PublishRequest;
  readonly frames: MediaMessage[] = [];
  ended: Reason | undefined;

  constructor(request: PublishRequest) {
    this.request = request;
  }
  append(kind: FrameKind, timestamp: number, payload: Buffer): void {
    if (!this.ended) this.frames.push({ kind, timestamp, payload });
  }
  end(why: Reason): void {
    this.ended ??= why;
  }
}

class FakePlayer {
  readonly sink: Sink;
  left: Reason | undefined;

  constructor(sink: Sink) {
    this.sink = sink;
  }
  drained(): void {}
  leave(why: Reason): void {
    this.left ??= why;
  }
}

class Door {
  readonly publications: FakePublication[] = [];
  readonly plays: PlayRequest[] = [];
  readonly players: FakePlayer[] = [];
  readonly arrivals: Arrival[] = [];
  /** Where players are sent. */
  elsewhere: string | undefined;
  readonly refused: string[] = [];
  readonly wireErrors: string[] = [];
  readonly logged: string[] = [];
  /** What opening waits for, or fails with. */
  opening: () => Promise<void> = async () => {};
  readonly server: RtmpServer;
  port = 0;

  constructor(options: Partial<RtmpServerOptions> = {}) {
    const line = (fields: object, event: string) => this.logged.push(`${event} ${JSON.stringify(fields)}`);
    const log = { debug: line, info: line, warn: line, error: line };
    const defaults = { host: '127.0.0.1', port: 0, maxConnections: 100, maxConnectionsPerAddress: 10_000 };
    const times = { handshakeMs: 5_000, connectMs: 10_000, publishIdleMs: 30_000 };
    this.server = new RtmpServer(
      { ...defaults, ...times, ...options },
      {
        clock: systemClock,
        log,
        budget: new MemoryBudget(2 ** 30),
        counters: {
          refused: (code) => this.refused.push(code),
          wireError: (code) => this.wireErrors.push(code),
        },
        openPublication: async (request) => {
          await this.opening();
          const publication = new FakePublication(request);
          this.publications.push(publication);
          return publication as unknown as Publication;
        },
        sessionOf: () => SESSION,
        elsewhere: () => 'b.example:1935',
        admit: authorizerOf().admitPlayer,
        sendOn: (arrival) => {
          this.arrivals.push(arrival);
          return this.elsewhere;
        },
        openStream: async (request) => {
          this.plays.push(request);
          await this.opening();
          const play = (_encoder: unknown, sink: Sink) => {
            const player = new FakePlayer(sink);
            this.players.push(player);
            return player as unknown as Player;
          };
          return { play } as unknown as Stream;
        },
      },
    );
  }

  get publication(): FakePublication {
    const publication = this.publications.at(-1);
    if (!publication) throw new Error('nothing is published');
    return publication;
  }

  get player(): FakePlayer {
    const player = this.players.at(-1);
    if (!player) throw new Error('nobody plays');
    return player;
  }
}

const SESSION = 'session12345';

let running: Door[] = [];

async function open(options: Partial<RtmpServerOptions> = {}): Promise<Door> {
  const door = new Door(options);
  await door.server.start();
  door.port = door.server.port;
  running.push(door);
  return door;
}

afterEach(async () => {
  const doors = running;
  running = [];
  await Promise.all(doors.map((door) => door.server.stop(STOP)));
});

async function eventually(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !holds(); turn += 1) await delay(10);
  expect(holds()).toBe(true);
}

/** With payloads as strings, which compare much faster. */
function comparable(frames: readonly MediaMessage[]): object[] {
  return frames.map((frame) => ({ ...frame, payload: frame.payload.toString('latin1') }));
}

function video(timestamp: number, size = 10): MediaMessage {
  return { kind: FrameKind.video, timestamp, payload: randomBytes(size) };
}

function audio(timestamp: number, size = 10): MediaMessage {
  return { kind: FrameKind.audio, timestamp, payload: randomBytes(size) };
}

describe('connect', () => {
  test.each(['simple', 'digest'] as const)('is answered with success after a %s handshake', async (form) => {
    const door = await open();
    const client = await RtmpClient.open(door.port);
    await client.shakeHands(form);
    const { args } = await client.connect('live');
    expect(field(args[1], 'code')).toBe('NetConnection.Connect.Success');
    expect(field(args[1], 'objectEncoding')).toBe(0);
    expect(field(args[0], 'capsEx')).toBeUndefined();
  });

  test('tells an Enhanced RTMP client that every codec is passed on', async () => {
    const door = await open();
    const client = await RtmpClient.open(door.port);
    await client.shakeHands();
    const { args } = await client.connect('live', { fourCcList: ['av01', 'hvc1'], capsEx: 15 });
    expect(field(args[0], 'fourCcList')).toEqual(['*']);
    expect(field(args[0], 'videoFourCcInfoMap')).toEqual(new Map([['*', 4]]));
  });

  test('courtesies are answered, and unknown commands are not minded', async () => {
    const door = await open();
    const client = await RtmpClient.connected(door.port);
    client.call('releaseStream', 0, null, 'cam');
    await client.command('_result');
    client.call('FCPublish', 0, null, 'cam');
    expect(field((await client.command('onFCPublish')).args[1], 'description')).toBe('cam');
    client.call('_checkbw', 0, null);
    client.call('getStreamLength', 0, null, 'cam');
    client.call('pause', 1, null, true, 0);
    client.call('whatever', 7);
    client.send(acknowledgement(1));
    client.send(userControl(6, 4711));
    await client.until(() => client.messages.at(-1)?.type === MessageType.userControl, 'a pong');
    const pong = client.messages.at(-1);
    expect(pong && parseUserControl(pong)).toEqual({ event: 7, value: 4711 });
    expect(client.isClosed).toBe(false);
  });
});

describe('a publisher', () => {
  test('that is sent elsewhere goes on with its query and its session there', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam', 'live?key=s3cret', { capsEx: 1 });
    door.server.sendElsewhere({ code: 'node.draining', message: 'the node is being emptied' });
    const { args } = await client.command('onStatus');
    expect(field(args[1], 'code')).toBe('NetConnection.Connect.ReconnectRequest');
    expect(field(args[1], 'tcUrl')).toBe(`rtmp://b.example:1935/live?key=s3cret&tw_session=${SESSION}`);
  });

  test('gets its messages appended as they were sent, @setDataFrame cut off', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    const sent = [video(0, 50_000), audio(3), video(0x1234567, 5000), audio(0xffffffff)];
    client.metadata({ width: 640 });
    for (const each of sent) client.frame(each);
    await eventually(() => door.publication.frames.length === 5);
    const metadata = { kind: FrameKind.data, timestamp: 0, payload: encode('onMetaData', { width: 640 }) };
    expect(comparable(door.publication.frames)).toEqual(comparable([metadata, ...sent]));
    expect(door.server.publishers).toBe(1);
    expect(door.server.bytesIn).toBeGreaterThan(55_000);
  });

  test('may send its media on message stream 0, as node-media-server does', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    const { kind: type, timestamp, payload } = video(7, 10);
    client.send({ chunkStreamId: 6, type, timestamp, streamId: 0, payload });
    await eventually(() => door.publication.frames.length === 1);
    expect(door.publication.frames).toMatchObject([{ timestamp: 7, payload }]);
  });

  test('may send AMF3 data and aggregates', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    const data = Buffer.concat([Buffer.from([0]), encode('onCuePoint', 1)]);
    const shared = { chunkStreamId: 8, timestamp: 500, streamId: 1 };
    client.send({ ...shared, type: MessageType.amf3Data, payload: data });
    const tag = (type: number, time: number) =>
      Buffer.concat([uint(type, 1), uint(1, 3), uint(time, 3), uint(0, 4), Buffer.from('x'), uint(12, 4)]);
    client.send({ ...shared, type: MessageType.aggregate, payload: Buffer.concat([tag(9, 7), tag(8, 9)]) });
    await eventually(() => door.publication.frames.length === 3);
    expect(door.publication.frames.map(({ kind, timestamp }) => [kind, timestamp])).toEqual([
      [FrameKind.data, 500],
      [FrameKind.video, 500],
      [FrameKind.audio, 502],
    ]);
  });

  test.each([
    ['of the name', 'live', 'cam?key=s3cret', {}],
    ['of the app', 'live?key=s3cret', 'cam', {}],
    ['of the app before a slash', 'live/?key=s3cret', 'cam', {}],
    ['of the tcUrl', 'live', 'cam', { tcUrl: 'rtmp://localhost/live?key=s3cret' }],
    ['of the app, all in one', 'live/cam?key=s3cret', '', {}],
  ])('is opened with the query %s, which is never logged', async (_name, app, name, more) => {
    const door = await open();
    const client = await RtmpClient.open(door.port);
    await client.shakeHands();
    await client.connect(app, more);
    expect(await client.publish(name)).toBe('NetStream.Publish.Start');
    expect(door.publication.request.key).toBe('live/cam');
    expect(door.publication.request.query.get('key')).toBe('s3cret');
    expect(door.logged.join('\n')).not.toContain('s3cret');
  });

  test('is not read while its publish is decided, and loses nothing by that', async () => {
    const door = await open();
    let decide = () => {};
    door.opening = () => new Promise((resolve) => (decide = resolve));
    const client = await RtmpClient.connected(door.port);
    const sent = [video(0), ...Array.from({ length: 20 }, (_, at) => video(at, 100_000))];
    client.call('publish', 1, null, 'cam', 'live');
    for (const each of sent) client.frame(each);
    await delay(200);
    expect(door.server.bytesIn).toBeLessThan(300_000);
    expect(door.publications).toEqual([]);
    decide();
    await eventually(() => door.publications[0]?.frames.length === sent.length);
    expect(comparable(door.publication.frames)).toEqual(comparable(sent));
  });

  test.each([
    ['publish.taken', 'NetStream.Publish.BadName'],
    ['publish.denied', 'NetStream.Publish.Denied'],
    ['node.stopping', 'NetStream.Publish.Denied'],
  ])('refused for %s is told %s, no longer read, and destroyed within a second', async (code, answer) => {
    const door = await open();
    door.opening = async () => {
      throw new TidewayError(code, 'not here, not now');
    };
    const client = await RtmpClient.connected(door.port);
    expect(await client.publish('cam')).toBe(answer);
    const readBytes = door.server.bytesIn;
    const flood = setInterval(() => client.raw(randomBytes(50_000)), 5);
    const closedMs = await client.closed();
    clearInterval(flood);
    expect(closedMs).toBeLessThan(1_000);
    expect(door.server.bytesIn - readBytes).toBeLessThan(200_000);
    expect(door.refused).toEqual([code]);
    expect(door.wireErrors).toEqual([]);
    expect(door.logged.filter((line) => line.startsWith('rtmp.refused')).length).toBe(1);
  });

  test.each([
    ['a name that is not allowed', '../etc', 'NetStream.Publish.BadName', 1],
    ['another message stream', 'cam', 'NetStream.Publish.Denied', 2],
  ])('that asks for %s is refused', async (_name, name, answer, streamId) => {
    const door = await open();
    const client = await RtmpClient.connected(door.port);
    expect(await client.publish(name, streamId)).toBe(answer);
    await client.closed();
    expect(door.publications).toEqual([]);
  });

  test.each(['deleteStream', 'closeStream', 'FCUnpublish'])(
    'that sends %s may publish again',
    async (name) => {
      const door = await open();
      const client = await RtmpClient.publishing(door.port, 'cam');
      const first = door.publication;
      client.call(name, 1, null, 1);
      await eventually(() => first.ended !== undefined);
      expect(first.ended?.code).toBe('publish.stopped');
      expect(await client.status()).toBe('NetStream.Unpublish.Success');
      expect(await client.publish('cam2')).toBe('NetStream.Publish.Start');
      client.frame(video(0));
      await eventually(() => door.publication.frames.length === 1);
      expect(door.publication.request.key).toBe('live/cam2');
    },
  );

  test('that goes ends its publication', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    client.socket.end();
    await eventually(() => door.publication.ended?.code === 'rtmp.peer-gone');
    await eventually(() => door.server.connections === 0);
  });

  test('that goes while its publish is decided leaves no publication behind', async () => {
    const door = await open();
    let decide = () => {};
    door.opening = () => new Promise((resolve) => (decide = resolve));
    const client = await RtmpClient.connected(door.port);
    client.call('publish', 1, null, 'cam', 'live');
    await delay(50);
    client.socket.resetAndDestroy();
    await eventually(() => door.server.connections === 0);
    decide();
    await eventually(() => door.publications[0]?.ended !== undefined);
  });

  test('that is taken over is told so and closed', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    door.publication.request.ended({ code: 'publish.taken-over', message: 'a newer publisher came' });
    expect(await client.status()).toBe('NetStream.Publish.BadName');
    expect(await client.closed()).toBeLessThan(1_000);
    expect(door.wireErrors).toEqual([]);
  });

  test('that falls silent is closed with the reason', async () => {
    const door = await open({ publishIdleMs: 300 });
    const client = await RtmpClient.publishing(door.port, 'cam');
    for (let at = 0; at < 4; at += 1) {
      client.frame(audio(at));
      await delay(150);
    }
    expect(client.isClosed).toBe(false);
    await client.closed();
    expect(door.publication.ended?.code).toBe('publish.idle');
  });

  test('gets acknowledgements as often as it asked for', async () => {
    const door = await open();
    const client = await RtmpClient.publishing(door.port, 'cam');
    client.send(windowAckSize(10_000));
    for (let at = 0; at < 10; at += 1) client.frame(video(at, 10_000));
    const acks = () => client.messages.filter(({ type }) => type === MessageType.acknowledgement);
    await client.until(() => acks().length > 0, 'an acknowledgement');
    await eventually(() => acks().some((ack) => parseControl(ack) > 100_000));
  });
});

describe('a player', () => {
  test('gets what its sink is given, and control messages in between', async () => {
    const door = await open();
    const client = await RtmpClient.playing(door.port, 'cam?token=x');
    await eventually(() => door.players.length === 1);
    expect(door.plays[0]?.key).toBe('live/cam');
    expect(door.plays[0]?.query.get('token')).toBe('x');
    const sent = [video(0, 150_000), audio(5), video(0x1000000, 61_000)];
    for (const { kind, timestamp, payload } of sent) {
      const frame = new Frame(kind, 'sample', 1, timestamp, payload);
      door.player.sink.write(rtmpEncoder.encode([{ frame, time: timestamp }], 0));
      client.send(userControl(6, 1));
    }
    await client.until(() => client.media.length === 3, 'three frames');
    expect(comparable(client.media)).toEqual(comparable(sent));
  });

  test('of an unknown stream is told StreamNotFound and closed', async () => {
    const door = await open();
    door.opening = async () => {
      throw new TidewayError('play.not-found', 'no such stream');
    };
    const client = await RtmpClient.connected(door.port);
    expect(await client.play('cam')).toBe('NetStream.Play.StreamNotFound');
    expect(await client.closed()).toBeLessThan(1_000);
    expect(door.refused).toEqual(['play.not-found']);
  });

  test('that had better go elsewhere is told where, as SRS tells it, and closed', async () => {
    const door = await open();
    door.elsewhere = 'rtmp://10.0.0.2:1935/live/cam?token=x&tw_hop=1';
    const client = await RtmpClient.connected(door.port, 'live?region=eu');
    const { localPort } = client.socket;
    client.call('play', 1, null, 'cam?token=x');
    const { args } = await client.command('onStatus');
    expect(field(args[1], 'code')).toBe('NetConnection.Connect.Rejected');
    const ex = field(args[1], 'ex');
    expect([field(ex, 'code'), field(ex, 'redirect2')]).toEqual([302, door.elsewhere]);
    expect(await client.closed()).toBeLessThan(1_000);
    expect(door.plays).toEqual([]);
    // It is no refusal: who sends it on counts and logs it.
    expect(door.refused).toEqual([]);
    expect(door.arrivals).toMatchObject([
      { key: 'live/cam', protocol: 'rtmp', headers: {}, session: SESSION },
    ]);
    expect(String(door.arrivals[0]?.query)).toBe('token=x&region=eu');
    expect(door.arrivals[0]?.remote).toBe(`127.0.0.1:${localPort}`);
  });

  test('is told that the stream is over, and its socket ends', async () => {
    const door = await open();
    const client = await RtmpClient.playing(door.port, 'cam');
    await eventually(() => door.players.length === 1);
    door.player.sink.end({ code: 'stream.ended', message: 'over' });
    expect(await client.status()).toBe('NetStream.Play.UnpublishNotify');
    expect(await client.status()).toBe('NetStream.Play.Stop');
    expect(await client.closed()).toBeLessThan(1_000);
    const eof = client.messages.filter(({ type }) => type === MessageType.userControl).at(-1);
    expect(eof && parseUserControl(eof)).toEqual({ event: 1, value: 1 });
  });

  test('that goes leaves the stream', async () => {
    const door = await open();
    const client = await RtmpClient.playing(door.port, 'cam');
    await eventually(() => door.players.length === 1);
    client.socket.end();
    await eventually(() => door.player.left?.code === 'rtmp.peer-gone');
  });

  test('that goes while it waits for the stream aborts the wait', async () => {
    const door = await open();
    door.opening = () => new Promise(() => {});
    const client = await RtmpClient.connected(door.port);
    client.call('play', 1, null, 'cam');
    await eventually(() => door.plays.length === 1);
    client.socket.resetAndDestroy();
    await eventually(() => door.plays[0]?.signal.aborted === true);
  });

  test('may leave the stream and play another on the same connection', async () => {
    const door = await open();
    const client = await RtmpClient.playing(door.port, 'cam');
    await eventually(() => door.players.length === 1);
    client.call('deleteStream', 0, null, 1);
    await eventually(() => door.player.left?.code === 'play.stopped');
    expect(await client.play('mp4:cam2.mp4')).toBe('NetStream.Play.Start');
    expect(door.plays[1]?.key).toBe('live/cam2.mp4');
  });
});

/** Bytes that break a rule, each after the stage it breaks it in. */
describe('a violation destroys that one connection, is counted and logged once', () => {
  const onStream = (type: number, payload: Buffer, streamId = 1, chunkBytes = 128) =>
    writeMessage({ chunkStreamId: 4, type, timestamp: 0, streamId, payload }, chunkBytes);
  const calls = (...values: Amf0Input[]) => onStream(MessageType.command, encode(...values), 0);
  const opened = (port: number) => RtmpClient.open(port);
  const greeted = async (port: number) => {
    const client = await RtmpClient.open(port);
    await client.shakeHands();
    return client;
  };
  const connected = (port: number) => RtmpClient.connected(port);
  const publishing = (port: number) => RtmpClient.publishing(port, 'cam');
  const playing = (port: number) => RtmpClient.playing(port, 'cam');

  test.each([
    ['a browser', opened, Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'rtmp.handshake-version'],
    [
      'publish before connect',
      greeted,
      writeMessage(command(1, 'publish', 1, null, 'cam'), 128),
      'rtmp.command-order',
    ],
    ['connect without an object', greeted, calls('connect', 1), 'rtmp.command'],
    ['connect with an app that is a number', greeted, calls('connect', 1, { app: 7 }), 'rtmp.command'],
    ['a command of zero length', greeted, onStream(MessageType.command, Buffer.alloc(0)), 'rtmp.command'],
    [
      'a control message of zero length',
      greeted,
      onStream(MessageType.windowAckSize, Buffer.alloc(0)),
      'rtmp.control-length',
    ],
    [
      'a short ping',
      greeted,
      onStream(MessageType.userControl, Buffer.from([0, 6, 1])),
      'rtmp.control-length',
    ],
    [
      'AMF that is too deep',
      greeted,
      onStream(MessageType.command, Buffer.from('0a00000001'.repeat(99), 'hex')),
      'amf0.depth',
    ],
    ['chunk size 0', greeted, writeMessage(setChunkSize(0), 128), 'rtmp.chunk-size'],
    [
      'a second connect',
      connected,
      writeMessage(command(0, 'connect', 2, { app: 'live' }), 128),
      'rtmp.command-order',
    ],
    ['publish without a name', connected, writeMessage(command(1, 'publish', 2, null), 128), 'rtmp.command'],
    ['play of a number', connected, writeMessage(command(1, 'play', 2, null, 5), 128), 'rtmp.command'],
    [
      'video before publish',
      connected,
      onStream(MessageType.video, Buffer.from('v')),
      'rtmp.media-unexpected',
    ],
    [
      'a big video before publish',
      connected,
      onStream(MessageType.video, Buffer.alloc(200_000), 1, 4096),
      'rtmp.unfinished',
    ],
    [
      'data before publish',
      connected,
      onStream(MessageType.data, encode('onMetaData')),
      'rtmp.media-unexpected',
    ],
    [
      'a second publish',
      publishing,
      writeMessage(command(1, 'publish', 9, null, 'b'), 4096),
      'rtmp.command-order',
    ],
    ['media on stream 2', publishing, onStream(MessageType.audio, Buffer.from('a'), 2), 'rtmp.media-stream'],
    ['a broken aggregate', publishing, onStream(MessageType.aggregate, Buffer.from('agg')), 'rtmp.aggregate'],
    [
      'an oversized message',
      publishing,
      Buffer.from([4, 0, 0, 0, 255, 255, 255, 9, 1, 0, 0, 0]),
      'rtmp.message-size',
    ],
    ['audio from a player', playing, onStream(MessageType.audio, Buffer.from('a')), 'rtmp.media-unexpected'],
  ] as const)('%s', async (_name, reach, bytes, code) => {
    const door = await open();
    const bystander = await RtmpClient.publishing(door.port, 'other');
    const client = await reach(door.port);
    client.raw(bytes);
    await client.closed();
    expect(door.wireErrors).toEqual([code]);
    expect(door.refused).toEqual([]);
    expect(door.logged.filter((line) => line.startsWith('rtmp.wire-error')).length).toBe(1);
    bystander.frame(video(1));
    await eventually(() => door.publications[0]?.frames.length === 1);
  });

  test('a peer that asks and asks and reads nothing is closed', async () => {
    const door = await open();
    const client = await RtmpClient.connected(door.port);
    client.socket.pause();
    const flood = setInterval(() => client.call('FCPublish', 0, null, 'x'.repeat(60_000)), 1);
    await eventually(() => door.wireErrors.length > 0);
    clearInterval(flood);
    expect(door.wireErrors).toEqual(['rtmp.unread']);
    client.destroy();
  });

  test('random bytes after any stage close the connection and nothing else', async () => {
    const door = await open({ handshakeMs: 300, connectMs: 300, publishIdleMs: 300 });
    for (const reach of [opened, greeted, connected, publishing, playing]) {
      const client = await reach(door.port);
      for (let at = 0; at < 20; at += 1) client.raw(randomBytes(5000));
      client.socket.end();
      await client.closed();
    }
    expect(door.logged.filter((line) => line.startsWith('rtmp.internal-error'))).toEqual([]);
    await RtmpClient.publishing(door.port, 'still-here');
  });
});

describe('the server', () => {
  test('closes who is slow to shake hands, and who is slow to publish or play', async () => {
    const door = await open({ handshakeMs: 200, connectMs: 500 });
    const silent = await RtmpClient.open(door.port);
    const idle = await RtmpClient.connected(door.port);
    const publisher = await RtmpClient.publishing(door.port, 'cam');
    await silent.closed();
    await idle.closed();
    expect(door.refused).toEqual(['rtmp.handshake-timeout', 'rtmp.connect-timeout']);
    await delay(600);
    expect(publisher.isClosed).toBe(false);
  });

  test('turns away connections beyond its limits', async () => {
    const door = await open({ maxConnections: 3, maxConnectionsPerAddress: 2 });
    const first = await RtmpClient.connected(door.port);
    await RtmpClient.connected(door.port);
    const third = await RtmpClient.open(door.port);
    await third.closed();
    expect(door.refused).toEqual(['rtmp.too-many-from-address']);
    first.destroy();
    await eventually(() => door.server.connections === 1);
    await RtmpClient.connected(door.port);
  });

  test('reaps 5,000 idle connections', { timeout: 30_000 }, async () => {
    const door = await open({ maxConnections: 10_000, handshakeMs: 500 });
    const clients: RtmpClient[] = [];
    // No more at once than the kernel's row of connections to accept has room for (base/listen.ts).
    for (let batch = 0; batch < 5; batch += 1) {
      clients.push(...(await Promise.all(Array.from({ length: 1_000 }, () => RtmpClient.open(door.port)))));
    }
    await eventually(() => door.server.accepted === 5_000 && door.server.connections === 0);
    expect(door.refused.length).toBe(5_000);
    for (const client of clients) client.destroy();
  });

  test('stops publishers and players cleanly, and the rest at once', async () => {
    const door = await open();
    const publisher = await RtmpClient.publishing(door.port, 'cam');
    const player = await RtmpClient.playing(door.port, 'cam');
    const silent = await RtmpClient.open(door.port);
    await eventually(() => door.players.length === 1 && door.server.connections === 3);
    const stopped = door.server.stop(STOP);
    expect(await publisher.status()).toBe('NetStream.Unpublish.Success');
    expect(await player.status()).toBe('NetStream.Play.UnpublishNotify');
    await Promise.all([publisher.closed(), player.closed(), silent.closed(), stopped]);
    expect(door.publication.ended).toBe(STOP);
    expect(door.player.left).toBe(STOP);
    await expect(RtmpClient.open(door.port)).rejects.toThrow();
    await door.server.stop(STOP);
  });

  test('says when its port is taken', async () => {
    const door = await open();
    await expect(open({ port: door.port })).rejects.toMatchObject({ code: 'listen.busy' });
  });
});
