// A frame may be kept for long: whatever way it comes in, it owns its bytes, and keeps none of those it came among, but
// for small ones of the same publisher, which lie together (format/payload-slab.ts).
import { describe, expect, test } from 'vitest';
import { encode } from '../../../src/format/amf0.ts';
import { FlvReader, httpFlv } from '../../../src/format/flv.ts';
import { Frame } from '../../../src/format/frame.ts';
import {
  type MediaHead,
  mediaFrameBytes,
  mediaHeadBytes,
  readMediaMessage,
  writeMediaFrame,
  writeMediaHead,
} from '../../../src/format/mesh/media-codec.ts';
import { ChunkReader } from '../../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../../src/format/rtmp/chunk-writer.ts';
import { MessageType, type RtmpMessage, setChunkSize } from '../../../src/format/rtmp/message.ts';
import { RtmpPublisher } from '../../../src/rtmp/publisher.ts';
import { uint } from '../../support/chunks.ts';
import { noise } from '../../support/hostile.ts';
import { kindOf, payloadOf } from '../../support/media.ts';

/** What a payload's memory may have beyond it: the name of an AMF0 call before it. */
const SLACK_BYTES = 32;
const CHUNK_BYTES = 4096;
const SMALL_BYTES = 8 * 1024;
const SLAB_BYTES = 64 * 1024;

/** Audio and video of all sizes, one after the other. */
const SENT = [0, 100, 1000, 5000, 70_000].flatMap((size) =>
  (['avc key', 'aac sample', 'avc delta', 'aac sample'] as const).map((name) => ({
    kind: kindOf(name),
    payload: payloadOf(name, size, size),
  })),
);

/** How bytes come out of a socket: all in one slab, in slabs of 64 KiB, in pieces. */
const READS = { 'one slab': Number.MAX_SAFE_INTEGER, 'slabs of 64 KiB': 65_536, 'pieces of 1,000': 1000 };
const reads = Object.entries(READS);

/** Reads the bytes from a slab that is written over afterwards, as a socket's may be. */
function read(bytes: Buffer, size: number, push: (slab: Buffer) => void): void {
  for (let at = 0; at < bytes.length; at += size) {
    const slab = Buffer.from(bytes.subarray(at, at + size));
    push(slab);
    slab.fill(0xee);
  }
}

function expectOwned(got: readonly Buffer[], sent: readonly Buffer[]): void {
  expect(got.map((payload) => payload.toString('latin1'))).toEqual(
    sent.map((payload) => payload.toString('latin1')),
  );
  for (const { buffer, length } of got) expect(buffer.byteLength - length).toBeLessThanOrEqual(SLACK_BYTES);
  expect(new Set(got.map(({ buffer }) => buffer)).size, 'each its own').toBe(got.length);
}

/** As `expectOwned`; small ones may lie together in a slab. */
function expectApartOrTogether(got: readonly Buffer[], sent: readonly Buffer[]): void {
  const isBig = ({ length }: Buffer): boolean => length > SMALL_BYTES;
  const isSmall = ({ length }: Buffer): boolean => length <= SMALL_BYTES;
  expectOwned(got.filter(isBig), sent.filter(isBig));
  expect(got.filter(isSmall)).toEqual(sent.filter(isSmall));
  for (const { buffer } of got.filter(isSmall)) expect(buffer.byteLength).toBeLessThanOrEqual(SLAB_BYTES);
}

/** What a publication gets of RTMP messages. */
function throughRtmp(messages: readonly RtmpMessage[], size: number): Buffer[] {
  const got: Buffer[] = [];
  const publisher = new RtmpPublisher({
    append: (_kind, _time, payload) => void got.push(payload),
    end: () => {},
  });
  const reader = new ChunkReader();
  const bytes = Buffer.concat([
    writeMessage(setChunkSize(CHUNK_BYTES), 128),
    ...messages.map((message) => writeMessage(message, CHUNK_BYTES)),
  ]);
  read(bytes, size, (slab) => {
    for (const message of reader.push(slab)) publisher.message(message);
  });
  return got;
}

function rtmp(type: number, payload: Buffer): RtmpMessage {
  return { chunkStreamId: 4, type, timestamp: 0, streamId: 1, payload };
}

describe.each(reads)('a payload that came in %s', (_how, size) => {
  const payloads = SENT.map(({ payload }) => payload);

  test('by RTMP', () => {
    expectApartOrTogether(
      throughRtmp(
        SENT.map(({ kind, payload }) => rtmp(kind, payload)),
        size,
      ),
      payloads,
    );
  });

  test('as a part of an RTMP aggregate', () => {
    const tags = SENT.flatMap(({ kind, payload }) => [
      Buffer.concat([
        uint(kind, 1),
        uint(payload.length, 3),
        Buffer.alloc(7),
        payload,
        uint(payload.length + 11, 4),
      ]),
    ]);
    expectOwned(throughRtmp([rtmp(MessageType.aggregate, Buffer.concat(tags))], size), payloads);
  });

  test('as RTMP data, plain, to be kept, and as AMF3', () => {
    const body = encode('onMetaData', { note: noise(1, 9000).toString('hex') });
    const toBeKept = Buffer.concat([encode('@setDataFrame'), body]);
    const messages = [
      rtmp(MessageType.data, body),
      rtmp(MessageType.data, toBeKept),
      rtmp(MessageType.amf3Data, Buffer.concat([Buffer.of(0), toBeKept])),
    ];
    expectOwned(throughRtmp(messages, size), [body, body, body]);
  });

  test('by HTTP-FLV', () => {
    const reader = new FlvReader();
    const got: Buffer[] = [];
    const timed = SENT.map(({ kind, payload }) => ({
      frame: new Frame(kind, 'sample', 0, 0, payload),
      time: 0,
    }));
    const flv = Buffer.concat([httpFlv.open({ audio: true, video: true }), httpFlv.encode(timed, 0)]);
    read(flv, size, (slab) => got.push(...reader.push(slab).map(({ payload }) => payload)));
    expectOwned(got, payloads);
    expect(reader.heldBytes).toBe(0);
  });
});

test.each(['media', 'set-up'] as const)('a payload that came from another node, as %s', (kind) => {
  const head: MediaHead = { kind, streamRef: 1, epochRef: 0, baseSeq: 1, baseDts: 0 };
  const frames = SENT.map((sent, at) => new Frame(sent.kind, 'sample', at + 1, at, sent.payload));
  const size = frames.reduce((sum, frame) => sum + mediaFrameBytes(head, frame), mediaHeadBytes(head));
  const message = Buffer.alloc(size);
  let at = writeMediaHead(message, 0, head);
  for (const frame of frames) at = writeMediaFrame(message, at, head, frame);
  const got = readMediaMessage(message).frames.map(({ payload }) => payload);
  message.fill(0xee);
  expectOwned(
    got,
    SENT.map(({ payload }) => payload),
  );
});
