// An RTMP client for tests: publishes and plays message by message, and can break any rule on the way.
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Amf0Input, Amf0Value } from '../../src/format/amf0.ts';
import { encode } from '../../src/format/amf0.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { ChunkReader, DEFAULT_CHUNK_BYTES } from '../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { ClientHandshake } from '../../src/format/rtmp/handshake.ts';
import {
  type Command,
  command,
  MessageType,
  parseCommand,
  type RtmpMessage,
  setChunkSize,
} from '../../src/format/rtmp/message.ts';

/** Where a node listens: a port of 127.0.0.1, or of another address. */
export type RtmpPlace = number | { readonly port: number; readonly host: string };

/** One media message, as a test gives and gets it. */
export interface MediaMessage {
  readonly kind: FrameKind;
  readonly timestamp: number;
  readonly payload: Buffer;
}

const CHUNK_BYTES = 4096;
const PATIENCE_MS = 5_000;

export class RtmpClient {
  readonly socket: Socket;
  /** All that was received, protocol control but Set Chunk Size included. */
  readonly messages: RtmpMessage[] = [];
  /** The socket is closed, by either side. */
  isClosed = false;
  readonly #reader = new ChunkReader();
  #handshake: ClientHandshake | undefined;
  #outChunkBytes = DEFAULT_CHUNK_BYTES;
  #transactionId = 0;
  #commandsSeen = 0;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      this.isClosed = true;
      this.#wakeAll();
    });
  }

  /** A connection that has said nothing yet. */
  static async open(place: RtmpPlace): Promise<RtmpClient> {
    const socket = connectTcp(typeof place === 'number' ? { port: place, host: '127.0.0.1' } : place);
    const client = new RtmpClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return client;
  }

  /** The same by RTMPS, once TLS's handshake is done. */
  static async openSecure(port: number, ca: string): Promise<RtmpClient> {
    const socket = connectTls({ port, host: '127.0.0.1', ca });
    const client = new RtmpClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return client;
  }

  /** Opens, shakes hands and connects to an app; `more` is of the command object. */
  static async connected(
    place: RtmpPlace,
    app = 'live',
    more: Record<string, Amf0Input> = {},
  ): Promise<RtmpClient> {
    const client = await RtmpClient.open(place);
    return client.#after(async () => {
      await client.shakeHands();
      await client.connect(app, more);
    });
  }

  /** A publisher whose publish has begun. */
  static async publishing(
    place: RtmpPlace,
    name: string,
    app = 'live',
    more: Record<string, Amf0Input> = {},
  ): Promise<RtmpClient> {
    const client = await RtmpClient.connected(place, app, more);
    return client.#after(async () => {
      const code = await client.publish(name);
      if (code !== 'NetStream.Publish.Start') throw new Error(`publish was answered by ${code}`);
    });
  }

  /** A player whose play has begun. */
  static async playing(place: RtmpPlace, name: string, app = 'live'): Promise<RtmpClient> {
    const client = await RtmpClient.connected(place, app);
    return client.#after(async () => {
      const code = await client.play(name);
      if (code !== 'NetStream.Play.Start') throw new Error(`play was answered by ${code}`);
    });
  }

  async shakeHands(form: 'simple' | 'digest' = 'simple'): Promise<void> {
    const handshake = new ClientHandshake(randomBytes, form);
    this.#handshake = handshake;
    this.raw(handshake.start());
    await this.until(() => this.#handshake !== handshake, 'a handshake');
  }

  /** Sends `connect` and waits for its result. */
  async connect(app: string, more: Record<string, Amf0Input> = {}): Promise<Command> {
    const object = { app, type: 'nonprivate', tcUrl: `rtmp://127.0.0.1/${app}`, ...more };
    this.call('connect', 0, object);
    const answer = await this.command('_result');
    this.send(setChunkSize(CHUNK_BYTES));
    this.#outChunkBytes = CHUNK_BYTES;
    return answer;
  }

  /** createStream, then publish; returns the status code that answers. */
  async publish(name: string, streamId = 1): Promise<string> {
    this.call('createStream', 0, null);
    await this.command('_result');
    this.call('publish', streamId, null, name, 'live');
    return this.status();
  }

  /** createStream, then play; returns the status code that answers, Play.Reset left out. */
  async play(name: string, streamId = 1): Promise<string> {
    this.call('createStream', 0, null);
    await this.command('_result');
    this.call('play', streamId, null, name, -2);
    const code = await this.status();
    return code === 'NetStream.Play.Reset' ? this.status() : code;
  }

  /** Sends a command with the next transaction id. */
  call(name: string, streamId: number, ...args: Amf0Input[]): void {
    this.#transactionId += 1;
    this.send(command(streamId, name, this.#transactionId, ...args));
  }

  frame({ kind, timestamp, payload }: MediaMessage): void {
    const chunkStreamId = kind === FrameKind.video ? 6 : 4;
    this.send({ chunkStreamId, type: kind, timestamp, streamId: 1, payload });
  }

  /** `@setDataFrame onMetaData`, as encoders send it. */
  metadata(properties: Record<string, Amf0Input>): void {
    const payload = encode('@setDataFrame', 'onMetaData', properties);
    this.frame({ kind: FrameKind.data, timestamp: 0, payload });
  }

  send(message: RtmpMessage): void {
    this.raw(writeMessage(message, this.#outChunkBytes));
  }

  raw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** The audio, video and data messages received. */
  get media(): MediaMessage[] {
    return this.messages.flatMap(({ type, timestamp, payload }) => {
      const kind = Object.values(FrameKind).find((each) => each === type);
      return kind === undefined ? [] : [{ kind, timestamp, payload }];
    });
  }

  /** The next command of this name that nobody waited for yet; those before it are passed over. */
  async command(name: string): Promise<Command> {
    let found: Command | undefined;
    await this.until(() => {
      while (!found && this.#commandsSeen < this.messages.length) {
        const message = this.messages[this.#commandsSeen];
        this.#commandsSeen += 1;
        if (message?.type !== MessageType.command) continue;
        const parsed = parseCommand(message);
        if (parsed.name === name) found = parsed;
      }
      return found !== undefined;
    }, `the command ${name}`);
    if (!found) throw new Error(`no command ${name} came`);
    return found;
  }

  /** The code of the next onStatus. */
  async status(): Promise<string> {
    const { args } = await this.command('onStatus');
    return String(field(args[1], 'code'));
  }

  /** Waits until something holds that depends on what was received. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (this.isClosed) throw new Error(`the connection closed before ${what} came`);
      await this.#next(deadline - performance.now(), what);
    }
  }

  /** Waits until the connection is closed; returns after how many ms. */
  async closed(): Promise<number> {
    const startedMs = performance.now();
    const deadline = startedMs + PATIENCE_MS;
    while (!this.isClosed) await this.#next(deadline - performance.now(), 'the end');
    return performance.now() - startedMs;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Itself, once a step of its opening is done; its connection is given up if that fails. */
  async #after(step: () => Promise<void>): Promise<this> {
    try {
      await step();
      return this;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  #next(ms: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} did not come in time`)), Math.max(0, ms));
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #received(bytes: Buffer): void {
    const chunks = this.#handshake ? this.#greeted(this.#handshake, bytes) : bytes;
    if (chunks) this.messages.push(...this.#reader.push(chunks));
    this.#wakeAll();
  }

  #greeted(handshake: ClientHandshake, bytes: Buffer): Buffer | undefined {
    const { reply, rest } = handshake.push(bytes);
    if (reply.length > 0) this.raw(reply);
    if (rest) this.#handshake = undefined;
    return rest;
  }
}

/** A field of an AMF0 object, or undefined. */
export function field(value: Amf0Value, name: string): Amf0Value {
  return value instanceof Map ? value.get(name) : undefined;
}
