// What comes in at the RTMP door: the handshake, chunks, and what commands say.
import type { Amf0Object, Amf0Value } from '../../../src/format/amf0.ts';
import { ChunkReader, DEFAULT_CHUNK_BYTES } from '../../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../../src/format/rtmp/chunk-writer.ts';
import {
  ClientHandshake,
  type HandshakeProgress,
  ServerHandshake,
} from '../../../src/format/rtmp/handshake.ts';
import {
  MessageType,
  parseCommand,
  parseUserControl,
  type RtmpMessage,
  splitAggregate,
} from '../../../src/format/rtmp/message.ts';
import { reconnectsOf, tcUrlAt } from '../../../src/rtmp/reconnect.ts';
import { connected, courtesies } from '../../../src/rtmp/replies.ts';
import { connectTarget, streamTarget } from '../../../src/rtmp/stream-name.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { isStreamKey } from './keys.ts';
import { alike, outcomeOf, readPieces } from './outcome.ts';

const MIB = 1024 * 1024;
/** What a client sends of it: C0, C1 and C2. */
export const HANDSHAKE_BYTES = 1 + 2 * 1536;
/** Unfinished bytes that a reader is allowed; the small one is reached by inputs of this size. */
const UNFINISHED_BYTES = [16 * MIB, 3_000];

export const rtmpChunks: Target = {
  name: 'rtmp-chunks',
  covers: [
    'src/format/rtmp/chunk-reader.ts',
    'src/format/rtmp/chunk-stream.ts',
    'src/format/rtmp/message.ts',
    'src/format/payload-slab.ts',
  ],
  maxBytes: 16 * 1024,
  words: hexWords(
    '02 000000 000004 01 00000000 00000001', // set chunk size: 1
    '02 000000 000004 01 00000000 00010000',
    '02 000000 000004 01 00000000 7fffffff',
    '02 000000 000004 02 00000000 00000004', // abort
    '02 000000 000006 04 00000000 0006 00000001', // ping
    '04 ffffff 000001 08 01000000 01000000 af', // an extended timestamp
    '06 ffffff 000100 09 01000000 ffffffff',
    'c4',
    'c6',
    'c6 ffffffff',
    '44 000010 000002 08 af01',
    '84 000010 af',
    '00 00 000000 000001 08 01000000 af',
    '01 0001 000000 000001 08 01000000 af',
    '05 000000 00001a 16 01000000 08 000001 000000 00 000000 af 0000000c',
  ),
  run(input, chance) {
    const unfinishedBytes = chance.pick(UNFINISHED_BYTES);
    const messages: RtmpMessage[] = [];
    const read = (pieces: readonly Buffer[], take?: RtmpMessage[]) => {
      const reader = new ChunkReader(unfinishedBytes);
      const found = readPieces(pieces, (bytes, receivedBytes) => {
        const got = reader.push(bytes);
        take?.push(...got);
        const held = reader.heldBytes;
        rule(held <= receivedBytes + MIB, `${receivedBytes} bytes received, ${held} held`);
        return got.map(spelled);
      });
      const again = outcomeOf(() => reader.push(Buffer.of(0)));
      rule(found.code === undefined || again.code === found.code, 'a reader that threw goes on');
      return found;
    };
    alike(read([input]), read(chance.pieces(input), messages));
    for (const message of messages) readFurther(message);
    rewritten(messages);
  },
};

export const rtmpHandshake: Target = {
  name: 'rtmp-handshake',
  covers: ['src/format/rtmp/handshake.ts'],
  maxBytes: 4 * 1024,
  words: hexWords('03', '06', '00000000', '04050001', '80000702', '09007c02'),
  run(input, chance) {
    const sides = [
      () => new ServerHandshake(noRandom),
      () => new ClientHandshake(noRandom, 'simple'),
      () => new ClientHandshake(noRandom, 'digest'),
    ];
    for (const side of sides) {
      const whole = shakeHands(side(), [input]);
      const cut = shakeHands(side(), chance.pieces(input));
      rule(whole.code === cut.code, `in one piece it is ${whole.code}, in several ${cut.code}`);
      if (whole.code !== undefined) continue;
      rule(whole.reply.equals(cut.reply), 'the answer is another one in several pieces');
      const rest = input.subarray(HANDSHAKE_BYTES);
      for (const { isDone, after } of [whole, cut]) {
        rule(isDone === input.length >= HANDSHAKE_BYTES, `done after ${input.length} bytes: ${isDone}`);
        rule(after.equals(isDone ? rest : Buffer.alloc(0)), 'what came behind it is not what was sent');
      }
    }
  },
};

export const rtmpCommands: Target = {
  name: 'rtmp-commands',
  covers: [
    'src/format/rtmp/message.ts',
    'src/rtmp/stream-name.ts',
    'src/rtmp/reconnect.ts',
    'src/rtmp/replies.ts',
    'src/base/stream-key.ts',
  ],
  maxBytes: 4 * 1024,
  words: [
    ...hexWords(
      '02000461',
      '03',
      '000009',
      '05',
      '06',
      '0000000000000000',
      '0100',
      '08000000ff',
      '0a00000001',
      '11',
    ),
    ...wordsOf(
      'connect',
      'publish',
      'play',
      'app',
      'tcUrl',
      'capsEx',
      'fourCcList',
      'objectEncoding',
      'createStream',
    ),
    ...wordsOf(
      'rtmp://',
      '?',
      '/',
      'live',
      'flv:',
      'mp4:',
      '..',
      '&a=1',
      '%00',
      '__proto__',
      'releaseStream',
    ),
  ],
  run(input) {
    for (const type of [MessageType.command, MessageType.amf3Command]) {
      const parsed = outcomeOf(() => parseCommand(messageOf(type, input)));
      if (parsed.code !== undefined) continue;
      const { transactionId, args } = parsed.value;
      for (const reply of courtesies(parsed.value)) isReadable(reply);
      const [object] = args;
      if (!(object instanceof Map)) continue;
      const commandObject: Amf0Object = object;
      for (const reply of connected(transactionId, commandObject)) isReadable(reply);
      reconnectsOf(commandObject);
      const target = outcomeOf(() => connectTarget(commandObject));
      if (target.code !== undefined) continue;
      tcUrlAt('127.0.0.1:1935', target.value, 'abcdefghijkl');
      for (const name of namesIn(args)) {
        const stream = outcomeOf(() => streamTarget(target.value, name));
        if (stream.code === undefined) rule(isStreamKey(stream.value.key), `${stream.value.key} is no key`);
      }
    }
  },
};

function spelled({ chunkStreamId, type, timestamp, streamId, payload }: RtmpMessage): string {
  return `${chunkStreamId} ${type} ${timestamp} ${streamId} ${payload.toString('latin1')}`;
}

/** What a session does with a message. */
function readFurther(message: RtmpMessage): void {
  switch (message.type) {
    case MessageType.command:
    case MessageType.amf3Command:
      outcomeOf(() => parseCommand(message));
      return;
    case MessageType.userControl:
      outcomeOf(() => parseUserControl(message));
      return;
    case MessageType.aggregate: {
      const parts = outcomeOf(() => splitAggregate(message));
      if (parts.code !== undefined) return;
      const bytes = parts.value.reduce((sum, { payload }) => sum + payload.length, 0);
      rule(bytes <= message.payload.length, `an aggregate of ${message.payload.length} bytes holds ${bytes}`);
    }
  }
}

/** Written by our own writer, the messages read as they were. */
function rewritten(messages: readonly RtmpMessage[]): void {
  const reader = new ChunkReader();
  for (const message of messages.slice(0, 50)) {
    const got = reader.push(writeMessage(message, DEFAULT_CHUNK_BYTES)).map(spelled);
    rule(got.length === 1 && got[0] === spelled(message), 'a message that we wrote reads otherwise');
  }
}

interface Shaken {
  readonly code: string | undefined;
  readonly reply: Buffer;
  readonly isDone: boolean;
  /** What came behind the handshake. */
  readonly after: Buffer;
}

function shakeHands(side: { push(bytes: Buffer): HandshakeProgress }, pieces: readonly Buffer[]): Shaken {
  const replies: Buffer[] = [];
  const after: Buffer[] = [];
  let isDone = false;
  const { code } = readPieces(pieces, (bytes) => {
    if (isDone) {
      after.push(Buffer.from(bytes));
      return [];
    }
    const { reply, rest } = side.push(bytes);
    replies.push(Buffer.from(reply));
    if (rest) after.push(Buffer.from(rest));
    isDone = rest !== undefined;
    return [];
  });
  return { code, reply: Buffer.concat(replies), isDone, after: Buffer.concat(after) };
}

function noRandom(bytes: number): Buffer {
  return Buffer.alloc(bytes, 7);
}

function messageOf(type: number, payload: Buffer): RtmpMessage {
  return { chunkStreamId: 3, type, timestamp: 0, streamId: 0, payload };
}

/** What we answer is a message that a peer can read. */
function isReadable(reply: RtmpMessage): void {
  if (reply.type === MessageType.command) parseCommand(reply);
}

function namesIn(args: readonly Amf0Value[]): Amf0Value[] {
  return [...args.slice(1, 3), 'name', 'name?a=1'];
}
