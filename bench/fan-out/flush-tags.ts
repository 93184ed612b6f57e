// The bytes of a flush that is played again: one FLV tag that is a key frame with a mark, so that players measure a floor
// like any server. Pure.
import { FrameKind } from '../../src/format/frame.ts';
import { MARK_BYTES, markAt, writeMark } from './mark.ts';
import { blankPayload } from './media-plan.ts';

/** FLV tag head, and the size of the tag behind it. */
const TAG_HEAD_BYTES = 11;
const TAG_BYTES = TAG_HEAD_BYTES + 4;
/** The smallest flush that can carry a mark; smaller ones are played as this. */
export const MIN_FLUSH_BYTES = TAG_BYTES + markAt(FrameKind.video) + MARK_BYTES;
/** Bigger ones no record has. */
export const MAX_FLUSH_BYTES = 8 * 1024 * 1024;

/** Makes the tags of flushes, one after the other. */
export class FlushTags {
  /** All payloads are the start of it. */
  readonly #payload = blankPayload(FrameKind.video, true, MAX_FLUSH_BYTES);
  #number = 0;
  #beforeBytes = 0;

  /** One tag of `bytes` bytes in a buffer of its own, marked as sent at `sentUs`. */
  next(bytes: number, sentUs: number): Buffer {
    const size = Math.max(bytes, MIN_FLUSH_BYTES) - TAG_BYTES;
    const tag = Buffer.allocUnsafeSlow(size + TAG_BYTES);
    const stamp = Math.round(sentUs / 1000) % 2 ** 31;
    tag[0] = FrameKind.video;
    tag.writeUIntBE(size, 1, 3);
    tag.writeUIntBE(stamp & 0xffffff, 4, 3);
    tag[7] = stamp >>> 24;
    tag.fill(0, 8, TAG_HEAD_BYTES);
    this.#payload.copy(tag, TAG_HEAD_BYTES, 0, size);
    tag.writeUInt32BE(size - 9, TAG_HEAD_BYTES + 5); // of the NAL unit
    tag.writeUInt32BE(TAG_HEAD_BYTES + size, TAG_HEAD_BYTES + size);
    this.#number += 1;
    const mark = { kind: FrameKind.video, isKey: true, number: this.#number, bytes: size, sentUs };
    writeMark(tag, TAG_HEAD_BYTES + markAt(FrameKind.video), { ...mark, beforeBytes: this.#beforeBytes });
    this.#beforeBytes += size;
    return tag;
  }
}
