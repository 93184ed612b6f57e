import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Frame, FrameKind, type TimedFrame } from '../../../../src/format/frame.ts';
import { ChunkReader } from '../../../../src/format/rtmp/chunk-reader.ts';
import { OUT_CHUNK_BYTES, rtmpEncoder, writeMessage } from '../../../../src/format/rtmp/chunk-writer.ts';
import { setChunkSize } from '../../../../src/format/rtmp/message.ts';
import { NaiveChunker, plain } from '../../../support/chunks.ts';

const anyTimed: fc.Arbitrary<TimedFrame> = fc
  .record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    time: fc.oneof(fc.nat({ max: 100_000 }), fc.integer({ min: 0xfffff0, max: 0x7fffffff })),
    size: fc.oneof(fc.nat({ max: 500 }), fc.constantFrom(0, OUT_CHUNK_BYTES, OUT_CHUNK_BYTES + 1, 150_000)),
  })
  .map(({ kind, time, size }) => ({
    time,
    frame: new Frame(kind, 'sample', 1, 0, Buffer.alloc(size, kind)),
  }));

function playerReader(): ChunkReader {
  const reader = new ChunkReader();
  reader.push(writeMessage(setChunkSize(OUT_CHUNK_BYTES), 128));
  return reader;
}

test('frames come out of the encoder as the messages they were, on fixed chunk streams', () => {
  const chunkStreams = { [FrameKind.audio]: 4, [FrameKind.video]: 6, [FrameKind.data]: 5 };
  fc.assert(
    fc.property(fc.array(anyTimed, { maxLength: 6 }), (batch) => {
      expect(playerReader().push(rtmpEncoder.encode(batch, 0)).map(plain)).toEqual(
        batch.map(({ frame, time }) => ({
          chunkStreamId: chunkStreams[frame.kind],
          type: frame.kind,
          timestamp: time,
          streamId: 1,
          payload: frame.payload.toString('latin1'),
        })),
      );
    }),
  );
});

test('encoded batches can be joined, cut and repeated at will: each message stands alone', () => {
  fc.assert(
    fc.property(fc.array(anyTimed, { maxLength: 6 }), fc.nat({ max: 6 }), (batch, at) => {
      const apart = [rtmpEncoder.encode(batch.slice(0, at), 0), rtmpEncoder.encode(batch.slice(at), 0)];
      expect(Buffer.concat(apart).equals(rtmpEncoder.encode(batch, 0))).toBe(true);
    }),
  );
});

test('times are stamped relative to the base', () => {
  const frame = new Frame(FrameKind.audio, 'sample', 1, 0, Buffer.from('a'));
  const [read] = playerReader().push(rtmpEncoder.encode([{ frame, time: 2 ** 30 + 25 }], 2 ** 30));
  expect(read?.timestamp).toBe(25);
});

test('nothing opens an RTMP player', () => {
  expect(rtmpEncoder.open({ audio: true, video: true }).length).toBe(0);
});

test('the writer repeats extended timestamps on fmt 3, as a naive second writer does', () => {
  const message = {
    chunkStreamId: 400,
    type: 9,
    timestamp: 0x12345678,
    streamId: 1,
    payload: Buffer.alloc(300, 5),
  };
  const naive = new NaiveChunker({ chunkBytes: 128, compress: false, repeatExtended: true });
  expect(writeMessage(message, 128).equals(Buffer.concat(naive.chunks(message)))).toBe(true);
});
