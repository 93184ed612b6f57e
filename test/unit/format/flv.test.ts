import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../src/base/errors.ts';
import { FlvReader, type FlvTag, flvHeader, httpFlv } from '../../../src/format/flv.ts';
import { Frame, FrameKind, type TimedFrame } from '../../../src/format/frame.ts';

const BOTH = { audio: true, video: true };

function timed(kind: FrameKind, time: number, payload: Buffer): TimedFrame {
  return { frame: new Frame(kind, 'sample', 0, time, payload), time };
}

/** A tag by hand; `size` may promise more than the payload holds. */
function tag(type: number, timestamp: number, payload: Buffer, size = payload.length): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(size, 1, 3);
  head.writeUIntBE(timestamp % 2 ** 24, 4, 3);
  head[7] = Math.floor(timestamp / 2 ** 24);
  const previous = Buffer.alloc(4);
  previous.writeUInt32BE(11 + payload.length);
  return Buffer.concat([head, payload, previous]);
}

function readAll(pieces: readonly Buffer[]): FlvTag[] {
  const reader = new FlvReader();
  return pieces.flatMap((piece) => reader.push(piece));
}

/** Cuts bytes after each of the lengths, over and over. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}

const kinds = fc.constantFrom(FrameKind.audio, FrameKind.video, FrameKind.data);
const frames = fc.array(
  fc.record({
    kind: kinds,
    time: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

describe('reading FLV', () => {
  test('what was written is read back, in any segmentation', () => {
    fc.assert(
      fc.property(frames, cuts, (list, lengths) => {
        const batch = list.map(({ kind, time, payload }) => timed(kind, time, payload));
        const bytes = Buffer.concat([httpFlv.open(BOTH), httpFlv.encode(batch, 0)]);
        const expected = list.map(({ kind, time, payload }) => ({ kind, timestamp: time, payload }));
        expect(readAll([bytes])).toEqual(expected);
        expect(readAll(cut(bytes, lengths))).toEqual(expected);
      }),
    );
  });

  test('arbitrary bytes give tags or a WireError, the same in any segmentation', () => {
    const afterHeader = fc
      .uint8Array({ maxLength: 200 })
      .map((bytes) => Buffer.concat([flvHeader(BOTH), bytes]));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
      afterHeader,
    );
    fc.assert(
      fc.property(bytes, cuts, (input, lengths) => {
        const whole = codeOf(() => readAll([input]));
        expect(codeOf(() => readAll(cut(input, lengths)))).toBe(whole);
      }),
      { numRuns: 1000 },
    );
  });

  test('a promised size allocates nothing until the bytes come', () => {
    const reader = new FlvReader();
    const before = process.memoryUsage().arrayBuffers;
    reader.push(flvHeader(BOTH));
    reader.push(tag(FrameKind.video, 0, Buffer.alloc(1), 8 * 1024 * 1024));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024);
  });

  test('a large tag that comes byte by byte is read whole, into a buffer of its size', () => {
    const payload = Buffer.alloc(300_000, 7);
    const [read] = readAll(cut(Buffer.concat([flvHeader(BOTH), tag(FrameKind.video, 5, payload)]), [1]));
    expect(read?.payload.equals(payload)).toBe(true);
    expect(read?.payload.buffer.byteLength).toBe(payload.length);
  });

  test('payloads are copies: the caller may reuse its bytes', () => {
    const bytes = Buffer.concat([flvHeader(BOTH), tag(FrameKind.audio, 5, Buffer.from('abc'))]);
    const [read] = readAll([bytes]);
    bytes.fill(0);
    expect(read?.payload.toString()).toBe('abc');
  });

  test('the extended byte makes the timestamp an unsigned 32-bit number', () => {
    const bytes = Buffer.concat([flvHeader(BOTH), tag(FrameKind.audio, 2 ** 32 - 5000, Buffer.from('x'))]);
    expect(readAll([bytes])[0]?.timestamp).toBe(2 ** 32 - 5000);
  });

  test('a wrong PreviousTagSize and wrong TypeFlags are ignored', () => {
    const first = tag(FrameKind.video, 1, Buffer.from('one'));
    first.writeUInt32BE(0xdeadbeef, first.length - 4);
    const flags = flvHeader({ audio: false, video: false });
    const tags = readAll([flags, first, tag(FrameKind.audio, 2, Buffer.from('two'))]);
    expect(tags.map(({ payload }) => payload.toString())).toEqual(['one', 'two']);
  });

  test('a longer header and tags of unknown types are skipped', () => {
    const header = flvHeader(BOTH);
    header.writeUInt32BE(12, 5);
    const tags = readAll([
      header,
      Buffer.alloc(3),
      tag(15, 0, Buffer.from('?')),
      tag(8, 2, Buffer.from('two')),
    ]);
    expect(tags.map(({ payload }) => payload.toString())).toEqual(['two']);
  });

  test.each([
    ['flv.signature', Buffer.from('<html><body>')],
    ['flv.version', Buffer.from('FLV\x02\x05\0\0\0\x09\0\0\0\0', 'latin1')],
    ['flv.header-size', Buffer.from('FLV\x01\x05\0\0\0\x08\0\0\0\0', 'latin1')],
    ['flv.header-size', Buffer.from('FLV\x01\x05\x7f\0\0\x09\0\0\0\0', 'latin1')],
    ['flv.encrypted', Buffer.concat([flvHeader(BOTH), tag(0x29, 0, Buffer.alloc(1))])],
    ['flv.tag-type', Buffer.concat([flvHeader(BOTH), tag(0x49, 0, Buffer.alloc(1))])],
    ['flv.tag-size', Buffer.concat([flvHeader(BOTH), tag(9, 0, Buffer.alloc(1), 8 * 1024 * 1024 + 1)])],
    ['flv.tag-size', Buffer.concat([flvHeader(BOTH), tag(18, 0, Buffer.alloc(1), 256 * 1024 + 1)])],
  ])('a broken rule is the error %s', (code, bytes) => {
    expect(codeOf(() => readAll([bytes]))).toBe(code);
  });
});

describe('writing FLV', () => {
  test('the header tells which tracks to expect', () => {
    expect(httpFlv.open({ audio: true, video: true }).toString('hex')).toBe('464c5601050000000900000000');
    expect(httpFlv.open({ audio: true, video: false })[4]).toBe(4);
    expect(httpFlv.open({ audio: false, video: true })[4]).toBe(1);
  });

  test('a tag is head, payload and its size, stamped relative to the base', () => {
    const frame = timed(FrameKind.video, 0x12345678 + 1000, Buffer.from([0x17, 1]));
    expect(httpFlv.encode([frame], 1000).toString('hex')).toBe('09000002345678120000001701' + '0000000d');
  });

  test('frames are joined into one buffer that is no slice of a pool', () => {
    const joined = httpFlv.encode([timed(8, 1, Buffer.from('a')), timed(9, 2, Buffer.from('b'))], 0);
    expect(joined.length).toBe(32);
    expect(joined.buffer.byteLength).toBe(32);
  });
});
