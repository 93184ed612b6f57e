// Players that hold each frame they get against the one before.
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { FlvReader } from '../../src/format/flv.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { MessageType, parseUserControl, UserControl } from '../../src/format/rtmp/message.ts';
import { FrameCheck } from './frame-check.ts';
import type { NumberedPublisher, RtmpDoor } from './numbered-publisher.ts';
import { RtmpClient, type RtmpPlace } from './rtmp-client.ts';
import { until } from './until.ts';

/** Where streams go in and out. */
export interface Doors extends RtmpDoor {
  readonly httpPort: number;
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
    const { host = '127.0.0.1', rtmpPort, httpPort } = doors;
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
