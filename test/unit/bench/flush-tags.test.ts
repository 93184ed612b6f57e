import { expect, test } from 'vitest';
import { FlushTags, MIN_FLUSH_BYTES } from '../../../bench/fan-out/flush-tags.ts';
import { MarkFinder } from '../../../bench/fan-out/mark.ts';
import { FlvReader, flvHeader } from '../../../src/format/flv.ts';

test('a flush is one tag of exactly its bytes, and a marked key frame', () => {
  const tags = new FlushTags();
  const reader = new FlvReader();
  const finder = new MarkFinder(0);
  reader.push(flvHeader({ audio: false, video: true }));
  let beforeBytes = 0;
  for (const [index, bytes] of [MIN_FLUSH_BYTES, 40_000, 5000].entries()) {
    const tag = tags.next(bytes, 5e11 + index);
    expect(tag.length).toBe(bytes);
    const [read] = reader.push(tag);
    expect(read?.payload.length).toBe(bytes - 15);
    finder.push(tag);
    expect(finder.next()).toBe(true);
    const { number, isKey, sentUs } = finder;
    expect({ number, isKey, sentUs, beforeBytes: finder.beforeBytes, bytes: finder.bytes }).toEqual({
      ...{ number: index + 1, isKey: true, sentUs: 5e11 + index, beforeBytes, bytes: bytes - 15 },
    });
    expect(finder.next()).toBe(false);
    beforeBytes += bytes - 15;
  }
});
