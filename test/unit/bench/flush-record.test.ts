import { expect, test } from 'vitest';
import {
  FlushTags,
  formatRecord,
  MIN_FLUSH_BYTES,
  parseRecord,
  recordMs,
} from '../../../bench/fan-out/flush-record.ts';
import { MarkFinder } from '../../../bench/fan-out/mark.ts';
import type { Flush } from '../../../bench/fan-out/orders.ts';
import { FlvReader, flvHeader } from '../../../src/format/flv.ts';

test('a record is read as it was written', () => {
  const flushes: Flush[] = [
    [0, 30_615],
    [33.25, 4000],
    [66.5, 386],
  ];
  expect(parseRecord(formatRecord(flushes))).toEqual(flushes);
  expect(recordMs(flushes)).toBeCloseTo(99.75, 6);
});

test.each(['', '0 100\n', '0 100\n5 x\n', '9 100\n5 100\n', '0 0\n5 100\n', '0 100\n5 99999999\n'])(
  'a record of %j is refused',
  (text) => {
    expect(() => parseRecord(text)).toThrow(/record|flush/);
  },
);

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
