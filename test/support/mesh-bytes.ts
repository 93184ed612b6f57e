// Bytes between nodes as tests need them: logged frames, messages cut apart again, bytes gone wrong in a known way.
import fc from 'fast-check';
import { WireError } from '../../src/base/errors.ts';
import { Frame, FrameKind, type FrameRole, type LoggedFrame, type Run } from '../../src/format/frame.ts';
import { MAX_DTS, MAX_SEQ } from '../../src/format/mesh/bounds.ts';
import type { ControlMessage } from '../../src/format/mesh/control.ts';
import { decodeControl } from '../../src/format/mesh/control-codec.ts';
import { isMediaMessage, type MediaMessage, readMediaMessage } from '../../src/format/mesh/media-codec.ts';
import { frameOf, type PayloadName } from './media.ts';
import { randomOf } from './random-of.ts';

export const RUN: Run = { epoch: 2 ** 52 + 1, from: 10, firstDts: 100, newestDts: 140 };

/** A frame as a log has it: in the middle of its run, behind the frame before it. */
export function logged(frame: Frame, how: Partial<LoggedFrame> = {}): LoggedFrame {
  const plain = { run: RUN, opens: false, isSetUp: false, afterSeq: frame.seq - 1 };
  return { frame, time: frame.dts + 5_000_000, ...plain, ...how };
}

export function loggedFrame(name: PayloadName, seq: number, dts: number, size = 0): LoggedFrame {
  return logged(frameOf(name, seq, dts, size));
}

/** Any frame that a log may have. */
export const anyFrame: fc.Arbitrary<Frame> = fc
  .record({
    kind: fc.constantFrom(FrameKind.audio, FrameKind.video, FrameKind.data),
    seq: fc.oneof(
      fc.nat({ max: 300 }),
      fc.maxSafeNat().map((seq) => Math.min(seq, MAX_SEQ)),
    ),
    dts: fc.oneof(fc.integer({ min: -100_000, max: 100_000 }), fc.integer({ min: -MAX_DTS, max: MAX_DTS })),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(70_000).map((size) => new Uint8Array(size)),
    ),
  })
  .map(({ kind, seq, dts, payload }) => {
    const role: FrameRole = kind === FrameKind.video ? 'delta' : 'sample';
    return new Frame(kind, role, seq, dts, Buffer.from(payload));
  });

/** The bodies of whole WebSocket messages, as RFC 6455 §5.2 tells; masked ones must have a key of zeros. */
export function bodiesOf(framed: Buffer): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0; at < framed.length; ) {
    if (framed.readUInt8(at) !== 0x82) throw new Error(`no head of a binary message at ${at}`);
    const isMasked = framed.readUInt8(at + 1) >= 0x80;
    const short = framed.readUInt8(at + 1) & 0x7f;
    at += 2;
    let size = short;
    if (short === 126) {
      size = framed.readUInt16BE(at);
      at += 2;
    } else if (short === 127) {
      size = Number(framed.readBigUInt64BE(at));
      at += 8;
    }
    if (isMasked) {
      if (framed.readUInt32BE(at) !== 0) throw new Error('the masking key is not zero');
      at += 4;
    }
    bodies.push(framed.subarray(at, at + size));
    at += size;
  }
  return bodies;
}

/** What a link reads of whole WebSocket messages. */
export function messagesOf(framed: Buffer): (ControlMessage | MediaMessage)[] {
  return bodiesOf(framed).map(readMessage);
}

export function readMessage(body: Buffer): ControlMessage | MediaMessage {
  return isMediaMessage(body) ? readMediaMessage(body) : decodeControl(body);
}

/** A value with its byte strings as text: comparing long buffers byte by byte takes seconds. */
export function spelled(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spelled(inner)]));
}

/** The code with which bytes are refused; `undefined`: they are taken. Whatever is no WireError is thrown on. */
export function refusal(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}

/** Whole numbers from 0 to 2^32 - 1, the same ones for a seed. */
export function numbersFrom(seed: number): () => number {
  const random = randomOf(seed);
  return () => random() * 2 ** 32;
}

/** A copy with a few bytes changed, put in, taken out, or with the end cut off. */
export function mutated(bytes: Buffer, next: () => number): Buffer {
  let result = Buffer.from(bytes);
  for (let count = 1 + (next() % 4); count > 0; count -= 1) {
    const at = next() % (result.length + 1);
    const byte = Buffer.from([next() % 3 === 0 ? 0xc0 + (next() % 0x40) : next() & 0xff]);
    const before = result.subarray(0, at);
    switch (next() % 4) {
      case 0:
        result = before;
        break;
      case 1:
        result = Buffer.concat([before, byte, result.subarray(at)]);
        break;
      case 2:
        result = Buffer.concat([before, result.subarray(at + 1)]);
        break;
      default:
        result = Buffer.concat([before, byte, result.subarray(at + 1)]);
    }
  }
  return result;
}
