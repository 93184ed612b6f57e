// A recorded row of flushes, as text, and the bytes of a flush that is played again: one FLV tag that is a key frame with
// a mark, so that players measure a floor like any server. Pure.
import { FrameKind } from '../../src/format/frame.ts';
import { MARK_BYTES, markAt, writeMark } from './mark.ts';
import { blankPayload } from './media-plan.ts';
import type { Flush } from './orders.ts';

/** FLV tag head, and the size of the tag behind it. */
const TAG_HEAD_BYTES = 11;
const TAG_BYTES = TAG_HEAD_BYTES + 4;
/** The smallest flush that can carry a mark; smaller ones are played as this. */
export const MIN_FLUSH_BYTES = TAG_BYTES + markAt(FrameKind.video) + MARK_BYTES;
const MAX_FLUSH_BYTES = 8 * 1024 * 1024;

/** One line a flush: `atMs bytes`. */
export function formatRecord(flushes: readonly Flush[]): string {
  return flushes.map(([atMs, bytes]) => `${atMs.toFixed(3)} ${bytes}\n`).join('');
}

/** @throws Error for an empty record, times that fall, and sizes that no flush has */
export function parseRecord(text: string): Flush[] {
  const flushes = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Flush => {
      const [atMs = Number.NaN, bytes = Number.NaN] = line.split(' ').map(Number);
      return [atMs, bytes];
    });
  let lastMs = 0;
  for (const [atMs, bytes] of flushes) {
    if (!(atMs >= lastMs)) throw new Error(`a record has times that rise: ${atMs} came after ${lastMs}`);
    if (!(bytes > 0 && bytes <= MAX_FLUSH_BYTES)) throw new Error(`a flush of ${bytes} bytes`);
    lastMs = atMs;
  }
  if (lastMs === 0) throw new Error('a record has at least two flushes');
  return flushes;
}

/** How long a record is: its last flush is followed by the first one after the mean pause. */
export function recordMs(flushes: readonly Flush[]): number {
  const firstMs = flushes[0]?.[0] ?? 0;
  const lastMs = flushes.at(-1)?.[0] ?? 0;
  return (lastMs - firstMs) * (1 + 1 / (flushes.length - 1));
}

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
