// The mark in every frame of the benchmark: which frame it is, when it was sent, and how much its stream sent before it.
// A mark is found in raw bytes of any wire format, so a player need not parse what it only counts. Pure.
import { FrameKind } from '../../src/format/frame.ts';

/** What a mark says. */
export interface Mark {
  readonly kind: FrameKind;
  readonly isKey: boolean;
  /** 1, 2, 3 ... within the stream, decoder set-up not counted. */
  readonly number: number;
  /** Payload of this frame, the bytes before the mark included. */
  readonly bytes: number;
  /** Microseconds of the machine's monotonic clock (see now.ts) at which the frame was handed to its socket. */
  readonly sentUs: number;
  /** Payload bytes of all frames before this one. */
  readonly beforeBytes: number;
}

/** Rarely anything else; its first byte is in no filler, so that a search is one memchr. */
const MAGIC = Buffer.from([0xf5, 0x54, 0x77, 0x4d, 0x72, 0x6b]);
export const MARK_BYTES = MAGIC.length + 2 + 4 + 4 + 8 + 8;
const KEY_BIT = 0x80;
const EMPTY: Buffer = Buffer.alloc(0);

/** Bytes of a payload before its mark: the codec header, and for video the head of a NAL unit. */
export function markAt(kind: FrameKind): number {
  return kind === FrameKind.video ? 10 : 2;
}

/** Writes a mark at `at`, MARK_BYTES long; all numbers big-endian. */
export function writeMark(target: Buffer, at: number, mark: Mark): void {
  target.set(MAGIC, at);
  target[at + 6] = mark.kind | (mark.isKey ? KEY_BIT : 0);
  target[at + 7] = 0;
  target.writeUInt32BE(mark.number, at + 8);
  target.writeUInt32BE(mark.bytes, at + 12);
  writeUInt64(target, at + 16, mark.sentUs);
  writeUInt64(target, at + 24, mark.beforeBytes);
}

function writeUInt64(target: Buffer, at: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  target.writeUInt32BE(value % 2 ** 32, at + 4);
}

function readUInt64(source: Buffer, at: number): number {
  return source.readUInt32BE(at) * 2 ** 32 + source.readUInt32BE(at + 4);
}

/** Bytes that make payloads big: the same ones in every process, never the first byte of a mark. */
export function filler(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let state = 0x9e3779b9;
  for (let at = 0; at < bytes; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const byte = state & 0xff;
    buffer[at] = byte === MAGIC[0] ? 0 : byte;
  }
  return buffer;
}

/**
 * Finds the marks in the bytes of one connection, in any segmentation: `push`, then `next` until it is false. It goes
 * over known payloads without a look. The fields are those of the mark that `next` found last.
 */
export class MarkFinder implements Mark {
  kind: FrameKind = FrameKind.video;
  isKey = false;
  number = 0;
  bytes = 0;
  sentUs = 0;
  beforeBytes = 0;
  /** Where its payload starts, counted in bytes of the connection. */
  payloadAt = 0;
  /** The bytes at hand: the caller's, valid until it takes them back. */
  #here = EMPTY;
  /** Where they start, and where the search goes on, counted as payloadAt. */
  #hereAt: number;
  #searchAt: number;
  /** The start of what may be a mark, whose rest has not come; our own copy. */
  #partial = EMPTY;

  /** @param at bytes of the connection that went before */
  constructor(at: number) {
    this.#hereAt = at;
    this.#searchAt = at;
  }

  /** Takes the next bytes; they are read by `next` only. All before them must have been searched. */
  push(bytes: Buffer): void {
    if (this.#partial.length > 0) {
      this.#here = Buffer.concat([this.#partial, bytes]);
      this.#hereAt -= this.#partial.length;
      this.#partial = EMPTY;
    } else {
      this.#here = bytes;
    }
  }

  next(): boolean {
    const here = this.#here;
    const from = this.#searchAt - this.#hereAt;
    if (from < here.length) {
      const found = here.indexOf(MAGIC, from);
      if (found >= 0 && found + MARK_BYTES <= here.length) {
        this.#read(here, found);
        return true;
      }
      this.#keepPartial(here, found >= 0 ? found : Math.max(from, here.length - MAGIC.length + 1));
    }
    this.#hereAt += here.length;
    this.#here = EMPTY;
    return false;
  }

  #read(here: Buffer, at: number): void {
    const kind = here.readUInt8(at + 6);
    this.isKey = (kind & KEY_BIT) !== 0;
    this.kind = (kind & ~KEY_BIT) === FrameKind.audio ? FrameKind.audio : FrameKind.video;
    this.number = here.readUInt32BE(at + 8);
    this.bytes = here.readUInt32BE(at + 12);
    this.sentUs = readUInt64(here, at + 16);
    this.beforeBytes = readUInt64(here, at + 24);
    this.payloadAt = this.#hereAt + at - markAt(this.kind);
    this.#searchAt = Math.max(this.#hereAt + at + MARK_BYTES, this.payloadAt + this.bytes);
  }

  #keepPartial(here: Buffer, from: number): void {
    const start = here.indexOf(MAGIC.readUInt8(0), from);
    this.#partial = start < 0 ? EMPTY : Buffer.from(here.subarray(start));
    this.#searchAt = this.#hereAt + (start < 0 ? here.length : start);
  }
}
