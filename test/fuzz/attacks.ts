// Attacks over sockets at the doors of a node: what real programs say, broken in many ways, and how it is said.
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ChunkReader, DEFAULT_CHUNK_BYTES } from '../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { MessageType, type RtmpMessage } from '../../src/format/rtmp/message.ts';
import type { Chance } from '../support/chance.ts';
import { corpusOf } from './engine/corpus.ts';
import { mutate } from './engine/mutate.ts';
import { hexWords, wordsOf } from './engine/target.ts';
import { HANDSHAKE_BYTES } from './targets/rtmp.ts';

/** A node that waits for more is left after so long. */
const LEAVE_MS = 30;
const MAX_BYTES = 16 * 1024;

/** An RTMP message: Set Chunk Size, 64 KiB. */
const SET_CHUNK_SIZE = '02 000000 000004 01 00000000 00010000';
/** Heads of WebSocket frames of a client: opcodes, lengths that are none, bits that mean nothing. */
const FRAME_HEADS = [
  ...['8180 00000000', '8280 00000000', '8980 00000000', '8ae8 00000000', '8880 00000000'],
  ...['0180 00000000', '82ff ffffffffffffffff 00000000', 'c180 00000000', '82fe 1001 00000000'],
];
const HTTP_WORDS = [
  ...['\r\n', '\r\n\r\n', '0\r\n\r\n', 'ffffffff\r\n', '%00', '\0', ' HTTP/1.0\r\n', 'GET /x HTTP/1.1\r\n'],
  ...['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Expect: 100-continue\r\n'],
  'Upgrade: websocket\r\n',
];
const WORDS = [...hexWords(SET_CHUNK_SIZE, ...FRAME_HEADS), ...wordsOf(...HTTP_WORDS)];

/** Messages of one attack, and pieces that it is sent in, at most. */
const MAX_MESSAGES = 60;
const MAX_PIECES = 300;
/** Timestamps at which counters and formats end. */
const STAMPS = [0, 1, 0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff];
/** The node's reader would go by another chunk size, and our chunks would not be what they should. */
const TYPES = [...Object.values(MessageType), 0, 7, 16, 19, 255].filter(
  (type) => type !== MessageType.setChunkSize,
);
/** Opcodes of WebSocket frames (RFC 6455 §5.2): continuation, text, binary, close, ping, pong. */
const OPCODES = [0, 1, 2, 8, 9, 10];
const BINARY = 2;

/** One attack: which door, and what is said there. */
export interface Attack {
  readonly door: 'rtmp' | 'http' | 'mesh';
  readonly bytes: Buffer;
}

/** Where the doors of a node are. */
export interface AttackedDoors {
  readonly host: string;
  readonly rtmpPort: number;
  readonly httpPort: number;
  readonly meshPort: number;
}

/** Attacks made of what the other targets have recorded. */
export class Attacks {
  readonly #handshakes = read('rtmp-handshake').map((bytes) => bytes.subarray(0, HANDSHAKE_BYTES));
  readonly #chunks = read('rtmp-chunks');
  readonly #bodies = read('flv');
  readonly #targets = read('http-targets');
  readonly #queries = read('http-queries');
  readonly #control = read('mesh-control');
  readonly #sessions = this.#chunks.map((chunks) => new ChunkReader().push(chunks));
  readonly #all = [...this.#chunks, ...this.#bodies, ...this.#control];

  draw(chance: Chance): Attack {
    const make = chance.pick([
      () => this.#rtmp(chance),
      () => this.#rtmpMessages(chance),
      () => this.#rtmpMessages(chance),
      () => this.#publishFlv(chance),
      () => this.#ask(chance),
      () => this.#webSocket(chance),
      () => this.#mesh(chance),
    ]);
    return make();
  }

  #rtmp(chance: Chance): Attack {
    const handshake = chance.pick(this.#handshakes);
    const chunks = chance.pick(this.#chunks);
    const bytes = chance.oneIn(10)
      ? this.#mutated(Buffer.concat([handshake, chunks]), chance)
      : Buffer.concat([handshake, this.#mutated(chunks, chance)]);
    return { door: 'rtmp', bytes };
  }

  /** Chunks as they should be, of messages that are not: a session gets further with them than with broken chunks. */
  #rtmpMessages(chance: Chance): Attack {
    const messages = [...chance.pick(this.#sessions)].slice(0, MAX_MESSAGES);
    for (let changes = 1 + chance.below(4); changes > 0; changes -= 1) {
      const at = chance.below(messages.length);
      const message = messages[at];
      if (message) messages.splice(at, chance.below(3), ...this.#changed(message, chance));
    }
    const chunks = messages.map((message) => writeMessage(message, DEFAULT_CHUNK_BYTES));
    return { door: 'rtmp', bytes: Buffer.concat([chance.pick(this.#handshakes), ...chunks]) };
  }

  /** Other messages in place of one. */
  #changed(message: RtmpMessage, chance: Chance): RtmpMessage[] {
    switch (chance.below(6)) {
      case 0:
        return [message, message];
      case 1:
        return [{ ...message, timestamp: chance.pick(STAMPS) }];
      case 2:
        return [{ ...message, type: chance.pick(TYPES) }];
      case 3:
        return [{ ...message, streamId: chance.below(3) }];
      case 4:
        return [message, chance.pick(chance.pick(this.#sessions))];
      default:
        return [{ ...message, payload: this.#mutated(message.payload, chance) }];
    }
  }

  #publishFlv(chance: Chance): Attack {
    const body = this.#mutated(chance.pick(this.#bodies), chance);
    const length = chance.oneIn(2) ? body.length : 2 ** 40;
    const head = `POST /live/fuzz-${chance.below(4)}.flv HTTP/1.1\r\nHost: n\r\nContent-Length: ${length}\r\n\r\n`;
    return { door: 'http', bytes: Buffer.concat([this.#head(head, chance), body]) };
  }

  #ask(chance: Chance): Attack {
    const path = chance.pick([
      '/api/v1/streams',
      '/api/v1/events',
      '/api/v1/route/play',
      '/metrics',
      '/healthz',
    ]);
    const query = this.#mutated(chance.pick(this.#queries), chance).toString('latin1');
    const target = chance.oneIn(2)
      ? `${path}?${query}`
      : this.#mutated(chance.pick(this.#targets), chance).toString('latin1');
    const method = chance.pick(['GET', 'HEAD', 'OPTIONS', 'POST']);
    // Whoever asks from this machine may drain the node, and that would end the witness.
    const asked = target.includes('drain') ? '/' : target.replace(/\s/g, '');
    const head = `${method} ${asked} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\r\n`;
    return { door: 'http', bytes: this.#head(head, chance) };
  }

  /** A player of the witness's stream who says what no player says. */
  #webSocket(chance: Chance): Attack {
    const head = upgradeHead('/witness/stream.flv', '');
    const frames = Array.from({ length: 1 + chance.below(6) }, () => clientFrame(chance));
    return {
      door: 'http',
      bytes: Buffer.concat([this.#head(head, chance), this.#mutated(Buffer.concat(frames), chance)]),
    };
  }

  #mesh(chance: Chance): Attack {
    const head = upgradeHead('/mesh', 'Sec-WebSocket-Protocol: tideway.1\r\n');
    const bodies = Array.from({ length: 1 + chance.below(3) }, () =>
      framed(BINARY, this.#mutated(chance.pick(this.#control), chance)),
    );
    return { door: 'mesh', bytes: Buffer.concat([Buffer.from(head, 'latin1'), ...bodies]) };
  }

  #head(text: string, chance: Chance): Buffer {
    const head = Buffer.from(text, 'latin1');
    if (!chance.oneIn(6)) return head;
    const mutated = this.#mutated(head, chance);
    // A publish on the witness's own key would rightly end it.
    return /witness/.test(text) && !mutated.toString('latin1').startsWith('GET') ? head : mutated;
  }

  #mutated(bytes: Buffer, chance: Chance): Buffer {
    return mutate(bytes, chance, { inputs: this.#all, words: WORDS, maxBytes: MAX_BYTES });
  }
}

function read(target: string): Buffer[] {
  return corpusOf(target).map(({ bytes }) => bytes);
}

function upgradeHead(path: string, more: string): string {
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
  return `GET ${path} HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}${more}\r\n`;
}

/** A frame of a WebSocket client, masked with zeros (RFC 6455 §5.2). */
function framed(opcode: number, body: Buffer): Buffer {
  const isShort = body.length < 126;
  const head = Buffer.alloc(isShort ? 6 : 8);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (isShort ? body.length : 126);
  if (!isShort) head.writeUInt16BE(body.length & 0xffff, 2);
  return Buffer.concat([head, body]);
}

function clientFrame(chance: Chance): Buffer {
  return framed(chance.pick(OPCODES), chance.bytes(chance.pick([0, 2, 5, 125, 200])));
}

/** Says it all in pieces, waits for a moment or for the end, and goes without a word. */
export async function attack(doors: AttackedDoors, { door, bytes }: Attack, chance: Chance): Promise<void> {
  const port = { rtmp: doors.rtmpPort, http: doors.httpPort, mesh: doors.meshPort }[door];
  const socket = connect({ port, host: doors.host });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {}); // 'close' follows
  socket.resume();
  socket.setNoDelay(true);
  for (const piece of chance.oneIn(4) ? chance.pieces(bytes).slice(0, MAX_PIECES) : [bytes])
    socket.write(piece);
  if (chance.oneIn(8)) socket.end();
  await Promise.race([closed, delay(LEAVE_MS)]);
  socket.destroy();
}
