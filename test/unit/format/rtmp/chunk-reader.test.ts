import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../../src/base/errors.ts';
import { ChunkReader } from '../../../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../../../src/format/rtmp/chunk-writer.ts';
import { abort, type RtmpMessage, setChunkSize } from '../../../../src/format/rtmp/message.ts';
import { type ChunkStyle, cut, NaiveChunker, plain, uint } from '../../../support/chunks.ts';

const MIB = 1024 * 1024;

const spec: ChunkStyle = { chunkBytes: 128, compress: true, repeatExtended: true };

function bodyOf(size: number, seed: number): Buffer {
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) body[at] = (seed + at * 7) & 0x7f;
  return body;
}

function message(fields: Partial<RtmpMessage> & { size?: number } = {}): RtmpMessage {
  const { size = 300, ...rest } = fields;
  return { chunkStreamId: 4, type: 9, timestamp: 0, streamId: 1, payload: bodyOf(size, 3), ...rest };
}

function chunked(messages: readonly RtmpMessage[], style: ChunkStyle = spec): Buffer {
  const chunker = new NaiveChunker(style);
  return Buffer.concat(messages.flatMap((each) => chunker.chunks(each)));
}

function announced(chunkBytes: number): Buffer {
  return chunked([setChunkSize(chunkBytes)]);
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

const anyTimestamp = fc.oneof(
  fc.nat({ max: 5000 }),
  fc.integer({ min: 0xfffff0, max: 0x100000f }),
  fc.integer({ min: 0xfffffff0, max: 0xffffffff }),
  fc.integer({ min: 0, max: 0xffffffff }),
);

const anyMessage: fc.Arbitrary<RtmpMessage> = fc
  .record({
    chunkStreamId: fc.constantFrom(3, 4, 6, 63, 64, 319, 320, 65599),
    type: fc.constantFrom(8, 9, 18, 20),
    timestamp: anyTimestamp,
    streamId: fc.constantFrom(0, 1, 0x01020304),
    size: fc.oneof(fc.nat({ max: 600 }), fc.constantFrom(0, 1, 128, 129, 4096)),
    seed: fc.nat({ max: 255 }),
  })
  .map(({ size, seed, ...rest }) => ({ ...rest, payload: bodyOf(size, seed) }));

const anyStyle: fc.Arbitrary<ChunkStyle> = fc.record({
  chunkBytes: fc.constantFrom(1, 3, 128, 129, 4096, 65536),
  compress: fc.boolean(),
  repeatExtended: fc.boolean(),
});

const anyCuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 40 });

/** Mixes the chunks of messages on different chunk streams; `order` draws which goes on next. */
function interleave(
  messages: readonly RtmpMessage[],
  style: ChunkStyle,
  order: readonly number[],
): { bytes: Buffer; inOrder: RtmpMessage[]; ambiguous: boolean } {
  const chunker = new NaiveChunker(style);
  const lanes = new Map<number, { message: RtmpMessage; chunk: Buffer; last: boolean }[]>();
  for (const each of messages) {
    const lane = lanes.get(each.chunkStreamId) ?? [];
    lanes.set(each.chunkStreamId, lane);
    const chunks = chunker.chunks(each);
    for (const [index, chunk] of chunks.entries()) {
      lane.push({ message: each, chunk, last: index === chunks.length - 1 });
    }
  }
  const parts: Buffer[] = [];
  const inOrder: RtmpMessage[] = [];
  for (let turn = 0; lanes.size > 0; turn += 1) {
    const ids = [...lanes.keys()];
    const id = ids[(order[turn % Math.max(1, order.length)] ?? 0) % ids.length] ?? 0;
    const step = lanes.get(id)?.shift();
    if (!step) {
      lanes.delete(id);
      continue;
    }
    parts.push(step.chunk);
    if (step.last) inOrder.push(step.message);
  }
  return { bytes: Buffer.concat(parts), inOrder, ambiguous: chunker.ambiguous };
}

describe('a chunk reader', () => {
  test('reads the same messages from any segmentation, any interleaving and any header compression', () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 12 }),
        anyStyle,
        fc.array(fc.nat({ max: 7 })),
        anyCuts,
        (messages, style, order, cuts) => {
          const { bytes, inOrder, ambiguous } = interleave(messages, style, order);
          fc.pre(!ambiguous);
          const reader = new ChunkReader();
          const stream = Buffer.concat([announced(style.chunkBytes), bytes]);
          const read = cut(stream, cuts).flatMap((segment) => reader.push(segment));
          expect(read.map(plain)).toEqual(inOrder.map(plain));
          expect(reader.heldBytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('reads the same messages byte by byte', () => {
    const { bytes, inOrder } = interleave(
      [message({ timestamp: 0x1000000 }), message({ chunkStreamId: 70, size: 1 }), message({ timestamp: 5 })],
      { ...spec, repeatExtended: false },
      [0, 1],
    );
    const reader = new ChunkReader();
    const read = [...bytes].flatMap((byte) => reader.push(Buffer.from([byte])));
    expect(read).toEqual(inOrder);
  });

  test('reads back what the writer wrote, whatever the chunk size, chunk stream and timestamp', () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.integer({ min: 1, max: 70_000 }),
        fc.integer({ min: 2, max: 65_599 }),
        (drawn, chunkBytes, chunkStreamId) => {
          const sent = { ...drawn, chunkStreamId };
          const reader = new ChunkReader();
          reader.push(announced(chunkBytes));
          expect(reader.push(writeMessage(sent, chunkBytes))).toEqual([sent]);
        },
      ),
    );
  });

  test('throws nothing but WireError on arbitrary bytes, and stays within its memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), (segments) => {
        const reader = new ChunkReader();
        let received = 0;
        for (const segment of segments) {
          received += segment.length;
          codeOf(() => reader.push(Buffer.from(segment)));
          expect(reader.heldBytes).toBeLessThanOrEqual(received + MIB);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('throws nothing but WireError on valid chunks with damaged bytes', () => {
    const damage = fc.array(fc.tuple(fc.nat({ max: 10_000 }), fc.nat({ max: 255 })), { maxLength: 10 });
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 8 }),
        anyStyle,
        damage,
        anyCuts,
        (messages, style, hits, cuts) => {
          const bytes = Buffer.concat([announced(style.chunkBytes), chunked(messages, style)]);
          for (const [place, value] of hits) bytes[place % bytes.length] = value;
          const reader = new ChunkReader();
          for (const segment of cut(bytes, cuts)) codeOf(() => reader.push(segment));
          expect(reader.heldBytes).toBeLessThanOrEqual(bytes.length + MIB);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('grows with bytes received, never with bytes promised', () => {
    const reader = new ChunkReader();
    reader.push(announced(1)); // a chunk has to end before the next begins
    let received = 0;
    for (let id = 3; id < 34; id += 1) {
      const head = Buffer.concat([Buffer.from([id]), uint(0, 3), uint(8 * MIB, 3), uint(9, 1), uint(1, 4)]);
      received += head.length + 1;
      reader.push(Buffer.concat([head, Buffer.from([7])]));
    }
    expect(reader.heldBytes).toBeLessThanOrEqual(received);
    reader.push(chunked([setChunkSize(16 * MIB)], { ...spec, chunkBytes: 1 }));
    reader.push(Buffer.from([0xc0 + 3]));
    for (let sent = 0; sent < 4 * MIB; sent += 1000) {
      reader.push(Buffer.alloc(1000));
      received += 1000;
      expect(reader.heldBytes).toBeLessThanOrEqual(received + MIB);
    }
  });

  test('gives payloads that are copies of what was pushed', () => {
    const bytes = chunked([message({ size: 100 })]);
    const [read] = new ChunkReader().push(bytes);
    bytes.fill(0);
    expect(read?.payload).toEqual(bodyOf(100, 3));
  });

  test('takes a message of 8 MiB and refuses one byte more', () => {
    const style = { ...spec, chunkBytes: 65536 };
    const reader = new ChunkReader();
    reader.push(announced(65536));
    const biggest = message({ size: 8 * MIB });
    const read = cut(chunked([biggest], style), [1, 50_000, MIB, 3 * MIB]).flatMap((part) =>
      reader.push(part),
    );
    expect(read.length).toBe(1);
    expect(read[0]?.payload.equals(biggest.payload)).toBe(true);
    expect(codeOf(() => reader.push(chunked([message({ size: 8 * MIB + 1 })], style)))).toBe(
      'rtmp.message-size',
    );
  });

  test.each([
    ['command', 20, 64 * 1024],
    ['AMF3 command', 17, 64 * 1024],
    ['data', 18, 256 * 1024],
    ['AMF3 data', 15, 256 * 1024],
    ['unknown', 77, 64 * 1024],
  ])('refuses a %s message beyond its bound at its header', (_name, type, limit) => {
    expect(codeOf(() => new ChunkReader().push(chunked([message({ type, size: limit })])))).toBeUndefined();
    const header = chunked([message({ type, size: limit + 1 })]).subarray(0, 12);
    expect(codeOf(() => new ChunkReader().push(header))).toBe('rtmp.message-size');
  });

  test.each([0, 1, 2])('refuses fmt %i in mid-message', (fmt) => {
    const reader = new ChunkReader();
    const bytes = chunked([message()]);
    reader.push(bytes.subarray(0, 12 + 128));
    expect(
      codeOf(() => reader.push(Buffer.concat([Buffer.from([fmt * 64 + 4]), bytes.subarray(1, 12)]))),
    ).toBe('rtmp.chunk-format');
  });

  test.each([2, 3])('refuses a chunk stream that starts with fmt %i', (fmt) => {
    expect(codeOf(() => new ChunkReader().push(Buffer.from([fmt * 64 + 4, 0, 0, 0])))).toBe(
      'rtmp.chunk-format',
    );
  });

  test('tolerates a chunk stream that starts with fmt 1', () => {
    const bytes = Buffer.concat([
      Buffer.from([0x44]),
      uint(40, 3),
      uint(2, 3),
      uint(8, 1),
      Buffer.from('ab'),
    ]);
    expect(new ChunkReader().push(bytes)).toEqual([
      { chunkStreamId: 4, type: 8, timestamp: 40, streamId: 0, payload: Buffer.from('ab') },
    ]);
  });

  test('takes the time of fmt 0 for the delta of a fmt 3 that starts the next message', () => {
    const bytes = Buffer.concat([chunked([message({ timestamp: 1000, size: 1 })]), Buffer.from([0xc4, 9])]);
    expect(new ChunkReader().push(bytes).map((each) => each.timestamp)).toEqual([1000, 2000]);
  });

  test('wraps time at 2^32', () => {
    const messages = [message({ timestamp: 0xfffffff0 }), message({ timestamp: 10 })];
    expect(new ChunkReader().push(chunked(messages)).map((each) => each.timestamp)).toEqual([0xfffffff0, 10]);
  });

  test('does not wait for the next message when an encoder leaves the extended timestamp out', () => {
    const style = { ...spec, repeatExtended: false };
    const sent = message({ timestamp: 0x1020304, size: 129 });
    expect(new ChunkReader().push(chunked([sent], style))).toEqual([sent]);
  });

  test.each([0, 16 * MIB + 1, 0xffffffff])('refuses a chunk size of %i', (size) => {
    expect(codeOf(() => new ChunkReader().push(announced(size)))).toBe('rtmp.chunk-size');
  });

  test('refuses a chunk size message that is too short', () => {
    const short = message({ chunkStreamId: 2, type: 1, streamId: 0, size: 3 });
    expect(codeOf(() => new ChunkReader().push(chunked([short])))).toBe('rtmp.control-length');
  });

  test('refuses the 33rd chunk stream', () => {
    const reader = new ChunkReader();
    const onStream = (chunkStreamId: number) => chunked([message({ chunkStreamId, size: 0 })]);
    for (let id = 3; id < 35; id += 1) expect(reader.push(onStream(id)).length).toBe(1);
    expect(codeOf(() => reader.push(onStream(35)))).toBe('rtmp.chunk-streams');
  });

  test('forgets the message that Abort names, and nothing else', () => {
    const reader = new ChunkReader();
    const kept = message({ chunkStreamId: 6 });
    const started = (each: RtmpMessage) => chunked([each]).subarray(0, 12 + 128);
    const rest = chunked([kept]).subarray(12 + 128);
    reader.push(started(message()));
    reader.push(started(kept));
    expect(reader.push(chunked([abort(4), abort(99)]))).toEqual([]);
    expect(reader.push(rest)).toEqual([kept]);
    expect(reader.push(chunked([message()]))).toEqual([message()]);
  });

  test('lets unfinished messages hold no more than it was allowed, wherever the bytes are cut', () => {
    const unfinished = (chunkStreamId: number) => chunked([message({ chunkStreamId })]).subarray(0, 12 + 128);
    const bytes = Buffer.concat([unfinished(4), unfinished(5)]);
    expect(codeOf(() => new ChunkReader(256).push(bytes))).toBeUndefined();
    const reader = new ChunkReader(255);
    expect(codeOf(() => reader.push(bytes.subarray(0, bytes.length - 1)))).toBeUndefined();
    expect(codeOf(() => reader.push(bytes.subarray(bytes.length - 1)))).toBe('rtmp.unfinished');
    expect(codeOf(() => new ChunkReader(255).push(bytes))).toBe('rtmp.unfinished');
  });

  test('gives back what finished and aborted messages held', () => {
    const reader = new ChunkReader(400);
    for (let round = 0; round < 10; round += 1) {
      reader.push(chunked([message()]));
      reader.push(chunked([message({ chunkStreamId: 5 })]).subarray(0, 12 + 128));
      reader.push(chunked([abort(5)]));
    }
    expect(reader.heldBytes).toBe(0);
  });

  test('is dead after a violation', () => {
    const reader = new ChunkReader();
    expect(codeOf(() => reader.push(announced(0)))).toBe('rtmp.chunk-size');
    expect(codeOf(() => reader.push(chunked([message()])))).toBe('rtmp.chunk-size');
  });
});
