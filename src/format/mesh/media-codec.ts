// Media messages and their bytes (design §6): a msgpack sequence of a head `[type, streamRef, epochRef, baseSeq,
// baseDts]` and frames `[seq - baseSeq, kind, dts - baseDts, payload]`, all of one epoch. Which frames go together is
// mesh-encoder.ts's; what a frame means to a decoder is not sent (format/codec.ts tells).
import { WireError } from '../../base/errors.ts';
import { type Frame, FrameKind } from '../frame.ts';
import { MAX_DTS, MAX_SEQ } from './bounds.ts';
import { binBytes, integerBytes, MsgpackReader, writeArrayHead, writeBin, writeInteger } from './msgpack.ts';

/** The most bytes of one frame's payload. */
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
/** The most bytes of a media message: one frame, and what is around it. */
export const MAX_MEDIA_BYTES = MAX_PAYLOAD_BYTES + 64 * 1024;
/** The most frames of a media message. */
export const MAX_MEDIA_FRAMES = 8192;

const HEAD_ITEMS = 5;
const FRAME_ITEMS = 4;
/** An array of five: no control message begins with it. */
const MEDIA_BYTE = 0x90 | HEAD_ITEMS;
const MAX_REF = 2 ** 32;

/** The numbers of the kinds of message. */
const TYPE = { media: 1, 'set-up': 2 } as const;

/** Frames of the row, or decoder set-up from before it that is sent ahead (LoggedFrame.isSetUp). */
export type MediaKind = keyof typeof TYPE;

/** One frame as it came; the payload is an owned copy, at most 8 MiB. */
export interface MediaFrame {
  readonly seq: number;
  /** Publication time, ms. */
  readonly dts: number;
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

/** One media message: at least one frame. Seqs of `media` rise; those of `set-up` are no row. */
export interface MediaMessage {
  readonly kind: MediaKind;
  readonly streamRef: number;
  readonly epochRef: number;
  readonly frames: readonly MediaFrame[];
}

/** What a media message says before its frames. */
export interface MediaHead {
  readonly kind: MediaKind;
  readonly streamRef: number;
  readonly epochRef: number;
  readonly baseSeq: number;
  readonly baseDts: number;
}

/** Is the body of a WebSocket message media? What is not, is a control message or nothing. */
export function isMediaMessage(bytes: Buffer): boolean {
  return bytes[0] === MEDIA_BYTE;
}

/**
 * Reads the body of a WebSocket message. The bytes may be reused after the call.
 * @throws WireError `mesh.too-large`, `mesh.truncated`, `mesh.type`, `mesh.number`, `mesh.frame-kind`, `mesh.order` or
 * `mesh.count`
 */
export function readMediaMessage(bytes: Buffer): MediaMessage {
  if (bytes.length > MAX_MEDIA_BYTES) throw tooLarge('media message', bytes.length, MAX_MEDIA_BYTES);
  const reader = new MsgpackReader(bytes);
  const head = readHead(reader);
  const frames: MediaFrame[] = [];
  let lastSeq = -1;
  do {
    if (frames.length === MAX_MEDIA_FRAMES) {
      throw new WireError('mesh.count', `a media message holds more than ${MAX_MEDIA_FRAMES} frames`);
    }
    const frame = readFrame(reader, head);
    if (head.kind === 'media' && frame.seq <= lastSeq) {
      throw new WireError('mesh.order', `frame ${frame.seq} comes after ${lastSeq} in one media message`);
    }
    lastSeq = frame.seq;
    frames.push(frame);
  } while (!reader.atEnd);
  return { kind: head.kind, streamRef: head.streamRef, epochRef: head.epochRef, frames };
}

function readHead(reader: MsgpackReader): MediaHead {
  expectCount(reader, HEAD_ITEMS, 'head');
  const type = reader.integer();
  if (type !== TYPE.media && type !== TYPE['set-up']) {
    throw new WireError('mesh.type', `there is no media message of type ${type}`, { type });
  }
  return {
    kind: type === TYPE.media ? 'media' : 'set-up',
    streamRef: within(reader.integer(), 1, MAX_REF, 'stream number'),
    epochRef: within(reader.integer(), 0, MAX_REF, 'epoch number'),
    baseSeq: reader.integer(),
    baseDts: reader.integer(),
  };
}

function readFrame(reader: MsgpackReader, head: MediaHead): MediaFrame {
  expectCount(reader, FRAME_ITEMS, 'frame');
  const seq = within(head.baseSeq + reader.integer(), 0, MAX_SEQ, 'seq');
  const kind = reader.integer();
  if (kind !== FrameKind.audio && kind !== FrameKind.video && kind !== FrameKind.data) {
    throw new WireError('mesh.frame-kind', `there is no frame of kind ${kind}`, { kind });
  }
  const dts = within(head.baseDts + reader.integer(), -MAX_DTS, MAX_DTS, 'time');
  const payload = reader.bin();
  if (payload.length > MAX_PAYLOAD_BYTES) throw tooLarge('frame', payload.length, MAX_PAYLOAD_BYTES);
  return { seq, dts, kind, payload: owned(payload) };
}

/** Apart from the pool: a frame that is kept long must not keep others' bytes. */
function owned(view: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(view.length);
  copy.set(view);
  return copy;
}

function expectCount(reader: MsgpackReader, count: number, what: string): void {
  const found = reader.arrayCount();
  if (found !== count) {
    throw new WireError('mesh.type', `the ${what} of a media message has ${found} values, not ${count}`);
  }
}

function within(value: number, min: number, max: number, what: string): number {
  if (value >= min && value <= max) return value;
  throw new WireError('mesh.number', `the ${what} of a media message, ${value}, is out of bounds`);
}

function tooLarge(what: string, size: number, limit: number): WireError {
  return new WireError('mesh.too-large', `a ${what} of ${size} bytes is over the limit of ${limit}`, {
    size,
  });
}

/** Bytes that `writeMediaHead` takes. */
export function mediaHeadBytes(head: MediaHead): number {
  return (
    2 +
    integerBytes(head.streamRef) +
    integerBytes(head.epochRef) +
    integerBytes(head.baseSeq) +
    integerBytes(head.baseDts)
  );
}

/** Writes what comes before the frames; returns where they go. */
export function writeMediaHead(target: Buffer, start: number, head: MediaHead): number {
  let at = writeArrayHead(target, start, HEAD_ITEMS);
  at = writeInteger(target, at, TYPE[head.kind]);
  at = writeInteger(target, at, head.streamRef);
  at = writeInteger(target, at, head.epochRef);
  at = writeInteger(target, at, head.baseSeq);
  return writeInteger(target, at, head.baseDts);
}

/** Bytes that `writeMediaFrame` takes. */
export function mediaFrameBytes(head: MediaHead, frame: Frame): number {
  return (
    2 +
    integerBytes(frame.seq - head.baseSeq) +
    integerBytes(frame.dts - head.baseDts) +
    binBytes(frame.payload.length)
  );
}

/** Writes one frame; returns where the next one goes. */
export function writeMediaFrame(target: Buffer, start: number, head: MediaHead, frame: Frame): number {
  let at = writeArrayHead(target, start, FRAME_ITEMS);
  at = writeInteger(target, at, frame.seq - head.baseSeq);
  at = writeInteger(target, at, frame.kind);
  at = writeInteger(target, at, frame.dts - head.baseDts);
  return writeBin(target, at, frame.payload);
}
