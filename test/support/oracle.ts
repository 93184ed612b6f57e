// A publisher of numbered frames, and players that hold each frame they get against the one before. They run in the
// harness's own process, so one clock tells all times.
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { FlvReader } from '../../src/format/flv.ts';
import { FrameKind } from '../../src/format/frame.ts';
import {
  MessageType,
  parseCommand,
  parseUserControl,
  type RtmpMessage,
  UserControl,
} from '../../src/format/rtmp/message.ts';
import { FrameCheck } from './frame-check.ts';
import { payloadOf } from './media.ts';
import { numberedPayload, type PlannedFrame, Schedule, type StreamPlan } from './numbered-media.ts';
import { field, RtmpClient, type RtmpPlace } from './rtmp-client.ts';
import { until } from './until.ts';

/** Enhanced RTMP v2, CapsExMask.Reconnect. */
const CAPS_RECONNECT = 0x01;

/** Where streams go in and out. */
export interface Doors {
  /** Without it: 127.0.0.1. */
  readonly host?: string;
  readonly rtmpPort: number;
  readonly httpPort: number;
}

export type RtmpDoor = Omit<Doors, 'httpPort'>;

const LOOPBACK = '127.0.0.1';

export interface PublisherOptions {
  readonly plan: StreamPlan;
  /** `live/show` */
  readonly key: string;
  /** Number of its first session, each reconnect is one more; publishers of one stream must not share them. */
  readonly firstSession?: number;
  /** What follows the stream's name: `?role=backup`. */
  readonly query?: string;
}

/** An encoder: it sends each frame when it is due, by one clock, and begins anew each time that it connects. */
export class NumberedPublisher implements Disposable {
  readonly key: string;
  readonly #plan: StreamPlan;
  readonly #query: string;
  #session: number;
  #client: RtmpClient | undefined;
  #schedule: Schedule;
  #next: PlannedFrame;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #sentId = 0;
  #firstKeySentMs: number | undefined;
  #timesAsked = 0;

  /** One that has no connection yet. */
  constructor({ plan, key, firstSession = 1, query = '' }: PublisherOptions) {
    this.key = key;
    this.#plan = plan;
    this.#query = query;
    this.#session = firstSession - 1;
    this.#schedule = new Schedule(plan);
    this.#next = this.#schedule.next();
  }

  /** Publishes at a node; resolves once that was granted. */
  static async start(doors: RtmpDoor, options: PublisherOptions): Promise<NumberedPublisher> {
    const publisher = new NumberedPublisher(options);
    await publisher.connect(doors);
    return publisher;
  }

  /** Leaves, if it is there yet, and publishes at this node as a new session that begins with its first frame. */
  async connect({ host = LOOPBACK, rtmpPort }: RtmpDoor): Promise<void> {
    this.drop();
    const [app = '', name = ''] = this.key.split('/');
    const client = await RtmpClient.publishing({ host, port: rtmpPort }, name + this.#query, app, {
      capsEx: CAPS_RECONNECT,
    });
    client.socket.on('data', () => {
      // It keeps all that came: acknowledgements and pings, too.
      for (const message of client.messages.splice(0)) if (asksToReconnect(message)) this.#timesAsked += 1;
    });
    this.#client = client;
    this.#session += 1;
    this.#schedule = new Schedule(this.#plan);
    this.#next = this.#schedule.next();
    this.#sentId = 0;
    this.#firstKeySentMs = undefined;
    const { video, audio } = this.#plan;
    if (video) client.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 1) });
    if (audio) client.frame({ kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac header', 1) });
    this.#startedMs = performance.now();
    this.#sendDue();
  }

  /** Of the connection that it has or had last. */
  get session(): number {
    return this.#session;
  }

  /** The newest frame of this session that was sent. */
  get sentId(): number {
    return this.#sentId;
  }

  /** When this session's first key frame was sent, by `performance.now()`. */
  get firstKeySentMs(): number | undefined {
    return this.#firstKeySentMs;
  }

  /** Times that a node asked it to connect again. */
  get timesAskedToReconnect(): number {
    return this.#timesAsked;
  }

  /** It has no connection (any more). */
  get isClosed(): boolean {
    return this.#client?.isClosed ?? true;
  }

  /** Breaks off, as when the cable is pulled. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#client?.destroy();
    this.#client = undefined;
  }

  /** Says that it stops, and leaves. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#client?.call('deleteStream', 0, null, 1);
    this.#client?.socket.end();
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  #sendDue(): void {
    const client = this.#client;
    if (!client || client.isClosed) return;
    const nowMs = performance.now();
    while (this.#startedMs + this.#next.dts <= nowMs) {
      const frame = this.#next;
      const payload = numberedPayload(frame, this.#session, nowMs);
      client.frame({ kind: frame.kind, timestamp: frame.dts, payload });
      if (frame.name === 'avc key') this.#firstKeySentMs ??= nowMs;
      this.#sentId = frame.id;
      this.#next = this.#schedule.next();
    }
    this.#timer = setTimeout(
      () => this.#sendDue(),
      Math.max(1, this.#startedMs + this.#next.dts - performance.now()),
    );
  }
}

function asksToReconnect(message: RtmpMessage): boolean {
  if (message.type !== MessageType.command) return false;
  const { name, args } = parseCommand(message);
  return name === 'onStatus' && field(args[1], 'code') === 'NetConnection.Connect.ReconnectRequest';
}

export const PLAYER_FORMATS = ['http-flv', 'ws-flv', 'rtmp'] as const;
export type PlayerFormat = (typeof PLAYER_FORMATS)[number];

/** A player; `check` has what it saw. */
export class CheckedPlayer implements Disposable {
  readonly format: PlayerFormat;
  readonly key: string;
  readonly check = new FrameCheck();
  readonly askedMs = performance.now();
  #ended: string | undefined;
  #hasLeft = false;
  #leave: () => void = () => {};

  private constructor(format: PlayerFormat, key: string) {
    this.format = format;
    this.key = key;
  }

  /** Asks a node for a stream; it may have to wait for frames. RTMP resolves once the play was granted. */
  static async play(doors: Doors, key: string, format: PlayerFormat): Promise<CheckedPlayer> {
    const player = new CheckedPlayer(format, key);
    const { host = LOOPBACK, rtmpPort, httpPort } = doors;
    switch (format) {
      case 'http-flv':
        player.#playHttpFlv(`http://${host}:${httpPort}/${key}.flv`);
        break;
      case 'ws-flv':
        player.#playWsFlv(`ws://${host}:${httpPort}/${key}.flv`);
        break;
      case 'rtmp':
        await player.#playRtmp({ host, port: rtmpPort }, key);
        break;
    }
    return player;
  }

  /** How it was ended by the node; undefined while it plays, and when it left by itself. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** From the question to the first key frame, ms. */
  get firstKeyMs(): number | undefined {
    const atMs = this.check.firstKeyAtMs;
    return atMs === undefined ? undefined : atMs - this.askedMs;
  }

  leave(): void {
    this.#hasLeft = true;
    this.#leave();
  }

  [Symbol.dispose](): void {
    this.leave();
  }

  #end(how: string): void {
    if (!this.#hasLeft) this.#ended ??= how;
  }

  #playHttpFlv(url: string): void {
    const reader = new FlvReader();
    const asked = request(url, { agent: false }, (response) => {
      if (response.statusCode !== 200) this.#end(`status ${response.statusCode}`);
      else response.on('data', (bytes: Buffer) => this.#readFlv(reader, bytes));
      response.on('close', () => this.#end('closed'));
      response.on('error', () => {}); // 'close' follows
    });
    asked.on('error', ({ message }) => this.#end(message));
    asked.end();
    this.#leave = () => asked.destroy();
  }

  #playWsFlv(url: string): void {
    const reader = new FlvReader();
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('message', (bytes: Buffer) => this.#readFlv(reader, bytes));
    socket.on('error', ({ message }) => this.#end(message));
    socket.on('close', (code) => this.#end(`closed with ${code}`));
    this.#leave = () => socket.terminate();
  }

  async #playRtmp(place: RtmpPlace, key: string): Promise<void> {
    const [app = '', name = ''] = key.split('/');
    const client = await RtmpClient.playing(place, name, app);
    this.#leave = () => client.destroy();
    const take = () => {
      const atMs = performance.now();
      for (const message of client.messages.splice(0)) {
        const { type, timestamp, payload } = message;
        if (type === FrameKind.audio || type === FrameKind.video) {
          this.check.saw(type, timestamp, payload, atMs);
        } else if (type === MessageType.userControl) {
          if (parseUserControl(message).event === UserControl.streamEof) this.#end('StreamEOF');
        }
      }
    };
    take(); // what came together with the grant
    client.socket.on('data', take);
    client.socket.on('close', () => this.#end('closed'));
  }

  #readFlv(reader: FlvReader, bytes: Buffer): void {
    const atMs = performance.now();
    for (const { kind, timestamp, payload } of reader.push(bytes)) {
      this.check.saw(kind, timestamp, payload, atMs);
    }
  }
}

/** One player of each format. */
export function playAll(doors: Doors, key: string): Promise<CheckedPlayer[]> {
  return Promise.all(PLAYER_FORMATS.map((format) => CheckedPlayer.play(doors, key, format)));
}

/**
 * Resolves once all players have the newest frame that was sent before this was asked, or have ended.
 * @returns for each player, how many of them it did not get in time
 */
export async function caughtUp(
  publisher: NumberedPublisher,
  players: readonly CheckedPlayer[],
  withinMs = 5_000,
): Promise<number[]> {
  const { session, sentId } = publisher;
  const missing = ({ check }: CheckedPlayer) =>
    check.session === session ? Math.max(0, sentId - check.lastId) : sentId;
  await until(
    'all caught up',
    () => players.every((player) => player.ended !== undefined || missing(player) === 0),
    withinMs,
  ).catch(() => {});
  return players.map(missing);
}
