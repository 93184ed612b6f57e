// The FLV container: its header and tags, read from a publisher and written for players. Knows no codec.
// Source: Adobe Flash Video File Format v10.1, annex E.
import { WireError } from '../base/errors.ts';
import { type FrameEncoder, FrameKind, stampOf, type TimedFrame, type Tracks } from './frame.ts';

/** One tag as it was received. The payload is an owned copy. */
export interface FlvTag {
  readonly kind: FrameKind;
  /** Wire time in ms, unsigned 32 bits: TimestampExtended is the high byte (§E.4.1). */
  readonly timestamp: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;
const TAG_HEAD_BYTES = 11;
const PREVIOUS_SIZE_BYTES = 4;
/** What a tag costs around its payload. */
const TAG_BYTES = TAG_HEAD_BYTES + PREVIOUS_SIZE_BYTES;
const MAX_TAG_BYTES = 8 * 1024 * 1024;
const MAX_SCRIPT_BYTES = 256 * 1024;
/** DataOffset is 9 in every FLV seen; the field allows for more header to come. */
const MAX_HEADER_BYTES = 4096;
/** A payload's buffer runs ahead of what was received by at most this much. */
const GROW_BYTES = 1024 * 1024;

const FILTER_BIT = 0x20;
const RESERVED_BITS = 0xc0;

/** What the bytes at hand belong to. `skip` counts bytes that nobody reads. */
type Part = 'header' | 'tag-head' | 'payload' | 'skip';

/**
 * Reads an FLV from bytes in any segmentation. It holds the tag in progress and nothing more, in a buffer that grows
 * with the bytes received, not with the size promised.
 *
 * As ffmpeg and mpegts.js do, it ignores PreviousTagSize, StreamID and the header's TypeFlags, all of which encoders
 * get wrong, and skips tags of unknown types. Encrypted tags and reserved bits are errors.
 */
export class FlvReader {
  #part: Part = 'header';
  #hasHeader = false;
  readonly #head = Buffer.alloc(TAG_HEAD_BYTES);
  /** Bytes that the part in progress has, and needs. */
  #have = 0;
  #need = HEADER_BYTES;
  #payload: Buffer = Buffer.alloc(0);

  /**
   * Feeds bytes; returns the tags that they complete, none of them if a broken one follows in the same bytes.
   * The bytes may be reused after the call.
   * @throws WireError `flv.*`; the reader is dead afterwards
   */
  push(bytes: Buffer): readonly FlvTag[] {
    const tags: FlvTag[] = [];
    for (let at = 0; at < bytes.length; ) {
      const step = Math.min(this.#need - this.#have, bytes.length - at);
      this.#store(bytes, at, step);
      at += step;
      this.#have += step;
      if (this.#have === this.#need) this.#finishPart(tags);
    }
    return tags;
  }

  /** Has the FLV header come, and is it one? */
  get hasHeader(): boolean {
    return this.#hasHeader;
  }

  /** Memory that the tag in progress holds, bytes: what was received of it, and at most 1 MiB. */
  get heldBytes(): number {
    return this.#payload.length;
  }

  /** May the bytes end here: behind the header or a tag? The last PreviousTagSize is not missed. */
  get isWhole(): boolean {
    return this.#hasHeader && (this.#part === 'skip' || (this.#part === 'tag-head' && this.#have === 0));
  }

  #store(bytes: Buffer, at: number, step: number): void {
    if (this.#part === 'skip') return;
    if (this.#part === 'payload') this.#reserve(this.#have + step);
    bytes.copy(this.#part === 'payload' ? this.#payload : this.#head, this.#have, at, at + step);
  }

  /** Room for `size` payload bytes: exactly so many if that is all, else some in advance. */
  #reserve(size: number): void {
    if (size <= this.#payload.length) return;
    const capacity = Math.min(this.#need, size + Math.min(size, GROW_BYTES));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#payload.copy(grown, 0, 0, this.#have);
    this.#payload = grown;
  }

  #finishPart(tags: FlvTag[]): void {
    switch (this.#part) {
      case 'header':
        this.#begin('skip', headerLength(this.#head) - HEADER_BYTES + PREVIOUS_SIZE_BYTES);
        this.#hasHeader = true;
        break;
      case 'skip':
        this.#begin('tag-head', TAG_HEAD_BYTES);
        break;
      case 'tag-head':
        this.#beginPayload(tags);
        break;
      case 'payload':
        this.#finishTag(tags);
        break;
    }
  }

  #begin(part: Part, need: number): void {
    this.#part = part;
    this.#have = 0;
    this.#need = need;
  }

  #beginPayload(tags: FlvTag[]): void {
    const type = this.#head.readUInt8(0);
    const size = this.#head.readUIntBE(1, 3);
    const kind = tagKind(type);
    const limit = kind === FrameKind.data ? MAX_SCRIPT_BYTES : MAX_TAG_BYTES;
    if (size > limit) {
      throw new WireError('flv.tag-size', `an FLV tag of ${size} bytes is over the limit of ${limit}`, {
        size,
        type,
      });
    }
    if (kind === undefined) {
      this.#begin('skip', size + PREVIOUS_SIZE_BYTES);
    } else {
      this.#begin('payload', size);
      if (size === 0) this.#finishTag(tags);
    }
  }

  #finishTag(tags: FlvTag[]): void {
    const head = this.#head;
    const timestamp = ((head.readUInt8(7) << 24) | head.readUIntBE(4, 3)) >>> 0;
    const kind = tagKind(head.readUInt8(0));
    if (kind !== undefined) tags.push({ kind, timestamp, payload: this.#payload });
    this.#payload = Buffer.alloc(0);
    this.#begin('skip', PREVIOUS_SIZE_BYTES);
  }
}

function headerLength(head: Buffer): number {
  if (head.toString('latin1', 0, 3) !== 'FLV') {
    throw new WireError('flv.signature', 'the body is no FLV: it does not begin with "FLV"');
  }
  const version = head.readUInt8(3);
  if (version !== 1) throw new WireError('flv.version', `FLV version ${version} is not 1`, { version });
  const length = head.readUInt32BE(5);
  if (length < HEADER_BYTES || length > MAX_HEADER_BYTES) {
    throw new WireError(
      'flv.header-size',
      `an FLV header of ${length} bytes is not 9 to ${MAX_HEADER_BYTES}`,
      { length },
    );
  }
  return length;
}

/** `undefined`: a type that is to be skipped. */
function tagKind(type: number): FrameKind | undefined {
  if (type & FILTER_BIT) throw new WireError('flv.encrypted', 'encrypted FLV tags are not taken');
  if (type & RESERVED_BITS)
    throw new WireError('flv.tag-type', `FLV tag type ${type} has reserved bits set`, { type });
  if (type === FrameKind.audio || type === FrameKind.video || type === FrameKind.data) return type;
  return undefined;
}

/** The file header and PreviousTagSize0 (§E.2, §E.3), 13 bytes. */
export function flvHeader(tracks: Tracks): Buffer {
  const header = Buffer.alloc(HEADER_BYTES + PREVIOUS_SIZE_BYTES);
  header.write('FLV\x01', 'latin1');
  header[4] = (tracks.audio ? 0x04 : 0) | (tracks.video ? 0x01 : 0);
  header[8] = HEADER_BYTES;
  return header;
}

/** Bytes that `writeFlvTags` will write. */
export function flvTagsLength(batch: readonly TimedFrame[]): number {
  let length = 0;
  for (const { frame } of batch) length += TAG_BYTES + frame.payload.length;
  return length;
}

/** Writes the frames as tags into `target` from `start` on, each with the stamp of stampOf (ms, below 2^31). */
export function writeFlvTags(
  target: Buffer,
  start: number,
  batch: readonly TimedFrame[],
  base: number,
): void {
  let at = start;
  for (const timed of batch) {
    const { frame } = timed;
    const size = frame.payload.length;
    const stamp = stampOf(timed, base);
    target[at] = frame.kind;
    target.writeUIntBE(size, at + 1, 3);
    target.writeUIntBE(stamp & 0xffffff, at + 4, 3);
    target[at + 7] = stamp >>> 24;
    target.fill(0, at + 8, at + TAG_HEAD_BYTES); // StreamID
    frame.payload.copy(target, at + TAG_HEAD_BYTES);
    at += TAG_HEAD_BYTES + size;
    target.writeUInt32BE(TAG_HEAD_BYTES + size, at);
    at += PREVIOUS_SIZE_BYTES;
  }
}

/** HTTP-FLV: an FLV without an end. */
export const httpFlv: FrameEncoder = {
  format: 'http-flv',
  open: flvHeader,
  encode(batch, base) {
    const joined = Buffer.allocUnsafeSlow(flvTagsLength(batch));
    writeFlvTags(joined, 0, batch, base);
    return joined;
  },
};
