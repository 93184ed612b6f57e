// How a player asks for its stream, in each format: what it says, and how it takes the answers. Pure: bytes in, bytes to
// say out; no socket. Media is not its matter, and may come mixed into the bytes of the last answer.
import { ChunkReader } from '../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { ClientHandshake } from '../../src/format/rtmp/handshake.ts';
import {
  command,
  MessageType,
  parseCommand,
  parseControl,
  type RtmpMessage,
} from '../../src/format/rtmp/message.ts';
import type { WireFormat } from './orders.ts';

/** `talking`: the server has to answer before the stream is asked for. */
export type GreetingState = 'talking' | 'asked' | 'granted' | 'refused';

/** One player's. */
export interface Greeting {
  readonly state: GreetingState;
  /** Is an FLV all that comes behind the greeting, with no frames or chunks around its tags? */
  readonly isPlain: boolean;
  /** Bytes after which the server wants to hear of them; 0 if it doesn't. */
  readonly ackWindowBytes: number;
  /** The first bytes of the connection. */
  opening(): Buffer;
  /** Takes what came, until the state is `granted` or `refused`; returns what to say. The bytes stay the caller's. */
  push(bytes: Buffer): Buffer;
}

/** @param at `127.0.0.1:8080`; @param stream `live/s0` */
export function greetingFor(format: WireFormat, at: string, stream: string): Greeting {
  return format === 'rtmp' ? new RtmpGreeting(at, stream) : new HttpGreeting(format, at, stream);
}

const EMPTY: Buffer = Buffer.alloc(0);
const MAX_HEAD_BYTES = 16 * 1024;
const END_OF_HEAD = '\r\n\r\n';
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

class HttpGreeting implements Greeting {
  state: GreetingState = 'asked';
  isPlain = false;
  readonly ackWindowBytes = 0;
  readonly #request: Buffer;
  readonly #isUpgrade: boolean;
  #head = '';

  constructor(format: WireFormat, at: string, stream: string) {
    this.#isUpgrade = format === 'ws-flv';
    const lines = [`GET /${stream}.flv HTTP/1.1`, `Host: ${at}`, 'User-Agent: tideway-bench', 'Accept: */*'];
    this.#request = Buffer.from([...lines, ...(this.#isUpgrade ? UPGRADE : []), '', ''].join('\r\n'));
  }

  opening(): Buffer {
    return this.#request;
  }

  push(bytes: Buffer): Buffer {
    this.#head += bytes.toString('latin1', 0, MAX_HEAD_BYTES);
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end < 0) {
      if (this.#head.length > MAX_HEAD_BYTES) this.state = 'refused';
      return EMPTY;
    }
    const head = this.#head.slice(0, end);
    const isGranted = head.startsWith(this.#isUpgrade ? 'HTTP/1.1 101' : 'HTTP/1.1 200');
    this.isPlain = isGranted && !this.#isUpgrade && !/^transfer-encoding:/im.test(head);
    this.state = isGranted ? 'granted' : 'refused';
    return EMPTY;
  }
}

/** Commands are far below it. */
const CHUNK_BYTES = 128;
/** Real players acknowledge after half of the window that the server sets; and soon enough to be seen alive. */
const MAX_ACK_BYTES = 1_000_000;

class RtmpGreeting implements Greeting {
  state: GreetingState = 'talking';
  readonly isPlain = false;
  ackWindowBytes = 0;
  readonly #app: string;
  readonly #name: string;
  readonly #tcUrl: string;
  readonly #handshake = new ClientHandshake((bytes) => Buffer.alloc(bytes, 0x2a), 'simple');
  readonly #reader = new ChunkReader();
  #isShaken = false;
  #results = 0;

  constructor(at: string, stream: string) {
    const [app = '', name = ''] = stream.split('/');
    this.#app = app;
    this.#name = name;
    this.#tcUrl = `rtmp://${at}/${app}`;
  }

  opening(): Buffer {
    return this.#handshake.start();
  }

  push(bytes: Buffer): Buffer {
    if (this.#isShaken) return this.#answer(this.#reader.push(bytes));
    const { reply, rest } = this.#handshake.push(bytes);
    if (!rest) return reply;
    this.#isShaken = true;
    const object = { app: this.#app, tcUrl: this.#tcUrl, fpad: false };
    const connect = say(command(0, 'connect', 1, object));
    return Buffer.concat([reply, connect, this.#answer(this.#reader.push(rest))]);
  }

  #answer(messages: readonly RtmpMessage[]): Buffer {
    let reply = EMPTY;
    for (const message of messages) {
      switch (message.type) {
        case MessageType.windowAckSize:
          this.ackWindowBytes = Math.min(MAX_ACK_BYTES, parseControl(message) / 2);
          break;
        case MessageType.audio:
        case MessageType.video:
          if (this.state === 'asked') this.state = 'granted';
          break;
        case MessageType.command:
          reply = Buffer.concat([reply, this.#answerCommand(message)]);
          break;
      }
    }
    return reply;
  }

  #answerCommand(message: RtmpMessage): Buffer {
    const { name, args } = parseCommand(message);
    if (name === '_result') {
      this.#results += 1;
      if (this.#results === 1) return say(command(0, 'createStream', 2, null));
      if (this.#results > 2) return EMPTY;
      this.state = 'asked';
      return say(command(Number(args[1]), 'play', 3, null, this.#name, -2000));
    }
    if (name === '_error') this.state = 'refused';
    if (name === 'onStatus') {
      const status = args[1] instanceof Map ? args[1] : new Map();
      if (status.get('level') === 'error') this.state = 'refused';
      else if (status.get('code') === 'NetStream.Play.Start') this.state = 'granted';
    }
    return EMPTY;
  }
}

function say(message: RtmpMessage): Buffer {
  return writeMessage(message, CHUNK_BYTES);
}
