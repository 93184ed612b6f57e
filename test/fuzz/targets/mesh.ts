// What nodes send each other, and what players send over WebSocket.
import { Frame } from '../../../src/format/frame.ts';
import type { ControlMessage } from '../../../src/format/mesh/control.ts';
import { decodeControl, encodeControl } from '../../../src/format/mesh/control-codec.ts';
import {
  type MediaHead,
  type MediaMessage,
  mediaFrameBytes,
  mediaHeadBytes,
  readMediaMessage,
  writeMediaFrame,
  writeMediaHead,
} from '../../../src/format/mesh/media-codec.ts';
import { maskedMessages, wsMessage } from '../../../src/format/ws-frame.ts';
import { AcceptorHandshake } from '../../../src/mesh/handshake.ts';
import { bodiesOf } from '../../support/mesh-bytes.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { outcomeOf } from './outcome.ts';

const SELF = { node: 'n1', boot: '0123456789abcdef', version: '1' };
const HANDSHAKE = { self: SELF, secret: 'a secret of the mesh', nonce: 'f'.repeat(64) };

export const meshControl: Target = {
  name: 'mesh-control',
  covers: [
    'src/format/mesh/control-codec.ts',
    'src/format/mesh/scan.ts',
    'src/format/mesh/control.ts',
    'src/mesh/handshake.ts',
  ],
  maxBytes: 4 * 1024,
  words: [
    ...hexWords(
      '80',
      '81',
      '8f',
      'de ffff',
      'df ffffffff',
      '90',
      '9f',
      'dc ffff',
      'dd 7fffffff',
      'a0',
      'bf',
      'd9 ff',
      'da ffff',
    ),
    ...hexWords(
      'db ffffffff',
      'c0',
      'c1',
      'c2',
      'c3',
      'c4 00',
      'c6 ffffffff',
      'c7 00 00',
      'd4 72 40',
      'd6 ff 00000000',
    ),
    ...hexWords(
      'ca 7fc00000',
      'cb 7ff0000000000000',
      'cb 8000000000000000',
      'cf ffffffffffffffff',
      'd3 8000000000000000',
    ),
    ...wordsOf(
      '\xa2is',
      '\xa5hello',
      '\xa4beat',
      '\xa5heads',
      '\xa3sub',
      '\xa3key',
      '\xa9__proto__',
      '\xa6cameAt',
    ),
    ...wordsOf('\xa5query', '\xa5reply', '\xa6goaway', '\xa4path', '\xa3why', '\xa5epoch', '\xa4echo'),
  ],
  run(input) {
    const bytes = Buffer.from(input);
    const decoded = outcomeOf(() => decodeControl(bytes));
    if (decoded.code !== undefined) return;
    const message = decoded.value;
    const before = JSON.stringify(message);
    bytes.fill(0xa5);
    rule(JSON.stringify(message) === before, 'a message changes with the bytes that it was read from');
    rule(Object.getPrototypeOf(message) === Object.prototype, 'a message has a prototype of its own');
    const again = decodeControl(encodeControl(message));
    rule(JSON.stringify(again) === before, 'a message that we wrote reads otherwise');
    shakeHands(message);
  },
};

export const meshMedia: Target = {
  name: 'mesh-media',
  covers: ['src/format/mesh/media-codec.ts', 'src/format/mesh/msgpack.ts'],
  maxBytes: 8 * 1024,
  words: hexWords(
    ...[
      '95 01 01 00 00 00',
      '95 02 01 00 00 00',
      '94 00 09 00 c4 01 17',
      '94 01 08 28 c4 02 af01',
      '94 00 12 00 c4 00',
    ],
    ...[
      'dc 0004',
      'dd 00000004',
      'cc ff',
      'cd ffff',
      'ce ffffffff',
      'cf 001fffffffffffff',
      'cf ffffffffffffffff',
    ],
    ...[
      'd0 80',
      'd1 8000',
      'd2 80000000',
      'd3 ffe0000000000001',
      'ca 4b000000',
      'cb 433fffffffffffff',
      'c5 0001 00',
    ],
    ...['c6 00000001 00', 'c6 00ffffff', 'cb 8000000000000000'],
  ),
  run(input) {
    const bytes = Buffer.from(input);
    const decoded = outcomeOf(() => readMediaMessage(bytes));
    if (decoded.code !== undefined) return;
    const message = decoded.value;
    const before = spelled(message);
    bytes.fill(0xa5);
    rule(spelled(message) === before, 'a payload changes with the bytes that it was read from');
    rule(message.frames.length > 0, 'a media message without a frame');
    const payloadBytes = message.frames.reduce((sum, { payload }) => sum + payload.length, 0);
    rule(payloadBytes <= input.length, `${input.length} bytes made ${payloadBytes} of payload`);
    rule(spelled(readMediaMessage(rewritten(message))) === before, 'a message that we wrote reads otherwise');
  },
};

/** The input is bodies of messages, cut by chance. */
export const wsFrames: Target = {
  name: 'ws-frames',
  covers: ['src/format/ws-frame.ts'],
  maxBytes: 66 * 1024,
  words: [Buffer.alloc(125), Buffer.alloc(126), Buffer.alloc(65_535)],
  run(input, chance) {
    const bodies = chance.oneIn(2) ? [input] : chance.pieces(input);
    const framed = Buffer.concat(bodies.map(wsMessage));
    const masked = maskedMessages(framed);
    for (const written of [framed, masked]) {
      const read = bodiesOf(written);
      rule(read.length === bodies.length, `${bodies.length} messages read as ${read.length}`);
      read.forEach((body, at) => {
        rule(body.equals(bodies[at] ?? Buffer.alloc(0)), `message ${at} reads otherwise`);
      });
    }
    rule(masked.length === framed.length + 4 * bodies.length, 'masking adds other bytes than its keys');
  },
};

/** Nobody is let in who does not know the secret, whatever is said. */
function shakeHands(message: ControlMessage): void {
  const handshake = new AcceptorHandshake(HANDSHAKE);
  const hello: ControlMessage = { is: 'hello', ...SELF, node: 'n2', nonce: '0'.repeat(64) };
  for (const said of message.is === 'hello' ? [message, message] : [hello, message]) {
    const step = outcomeOf(() => handshake.take(said));
    rule(step.code !== undefined || step.value.peer === undefined, 'a node was let in that knows no secret');
  }
}

function spelled({ kind, streamRef, epochRef, frames }: MediaMessage): string {
  const texts = frames.map(
    ({ seq, dts, kind, payload }) => `${seq} ${dts} ${kind} ${payload.toString('latin1')}`,
  );
  return [kind, streamRef, epochRef, ...texts].join('\n');
}

function rewritten({ kind, streamRef, epochRef, frames }: MediaMessage): Buffer {
  const [first] = frames;
  const head: MediaHead = { kind, streamRef, epochRef, baseSeq: first?.seq ?? 0, baseDts: first?.dts ?? 0 };
  const whole = frames.map(({ kind, seq, dts, payload }) => new Frame(kind, 'sample', seq, dts, payload));
  const size = whole.reduce((sum, frame) => sum + mediaFrameBytes(head, frame), mediaHeadBytes(head));
  const target = Buffer.alloc(size);
  let at = writeMediaHead(target, 0, head);
  for (const frame of whole) at = writeMediaFrame(target, at, head, frame);
  rule(at === size, `${size} bytes were foreseen and ${at} written`);
  return target;
}
