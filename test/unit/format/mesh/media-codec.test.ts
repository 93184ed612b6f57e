import fc from 'fast-check';
import { Packr, unpackMultiple } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../../src/format/frame.ts';
import {
  isMediaMessage,
  MAX_MEDIA_BYTES,
  MAX_MEDIA_FRAMES,
  MAX_PAYLOAD_BYTES,
  type MediaHead,
  mediaFrameBytes,
  mediaHeadBytes,
  readMediaMessage,
  writeMediaFrame,
  writeMediaHead,
} from '../../../../src/format/mesh/media-codec.ts';
import { frameOf } from '../../../support/media.ts';
import { anyFrame, mutated, numbersFrom, refusal, spelled } from '../../../support/mesh-bytes.ts';

const packr = new Packr({ useRecords: false });
const PAYLOAD = Buffer.from('payload');

/** A message as another msgpack writes it. */
function packed(...values: unknown[]): Buffer {
  return Buffer.concat(values.map((value) => Buffer.from(packr.pack(value))));
}

function codeOf(...values: unknown[]): string | undefined {
  return refusal(() => readMediaMessage(packed(...values)));
}

const anyHead: fc.Arbitrary<MediaHead> = fc.record({
  kind: fc.constantFrom('media' as const, 'set-up' as const),
  streamRef: fc.integer({ min: 1, max: 2 ** 32 }),
  epochRef: fc.nat({ max: 300 }),
  baseSeq: fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat()),
  baseDts: fc.integer({ min: -100_000, max: 2 ** 40 }),
});

/** A head and frames whose distances to it are safe integers. */
const anyGroup = fc
  .record({ head: anyHead, frames: fc.array(anyFrame, { minLength: 1, maxLength: 6 }) })
  .map(({ head, frames }) => {
    const rising = [...frames].sort((one, other) => one.seq - other.seq);
    const bySeq = new Map(rising.map((frame) => [frame.seq, frame]));
    return {
      head,
      frames: [...bySeq.values()].filter(({ dts }) => Number.isSafeInteger(dts - head.baseDts)),
    };
  })
  .filter(({ frames }) => frames.length > 0);

function written({ head, frames }: typeof anyGroup extends fc.Arbitrary<infer G> ? G : never): Buffer {
  const size = frames.reduce((sum, frame) => sum + mediaFrameBytes(head, frame), mediaHeadBytes(head));
  const bytes = Buffer.alloc(size, 0xc1);
  let at = writeMediaHead(bytes, 0, head);
  for (const frame of frames) at = writeMediaFrame(bytes, at, head, frame);
  expect(at).toBe(size);
  return bytes;
}

describe('a media message', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        const bytes = written(group);
        const { kind, streamRef, epochRef } = group.head;
        const frames = group.frames.map((frame) => ({
          seq: frame.seq,
          dts: frame.dts,
          kind: frame.kind,
          payload: frame.payload,
        }));
        expect(isMediaMessage(bytes)).toBe(true);
        expect(spelled(readMediaMessage(bytes))).toEqual(spelled({ kind, streamRef, epochRef, frames }));
      }),
    );
  });

  test('is the sequence of values that msgpackr reads, and the bytes that it writes', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        const { head, frames } = group;
        const bytes = written(group);
        const type = head.kind === 'media' ? 1 : 2;
        const values = [
          [type, head.streamRef, head.epochRef, head.baseSeq, head.baseDts],
          ...frames.map(({ seq, kind, dts, payload }) => [
            seq - head.baseSeq,
            kind,
            dts - head.baseDts,
            payload,
          ]),
        ];
        expect(spelled(unpackMultiple(bytes))).toEqual(spelled(values));
        expect(bytes.equals(packed(...values))).toBe(true);
      }),
    );
  });

  test('with its numbers in other forms is read', () => {
    const message = packed(
      [1n, 7n, 3n, BigInt(2 ** 52 + 1), -40n],
      [0n, 8n, 0n, PAYLOAD],
      [5n, 9n, -7n, PAYLOAD],
    );
    expect(message.includes(0xd3)).toBe(true);
    expect(readMediaMessage(message)).toEqual({
      kind: 'media',
      streamRef: 7,
      epochRef: 3,
      frames: [
        { seq: 2 ** 52 + 1, dts: -40, kind: FrameKind.audio, payload: PAYLOAD },
        { seq: 2 ** 52 + 6, dts: -47, kind: FrameKind.video, payload: PAYLOAD },
      ],
    });
  });

  test('hands out payloads of its own', () => {
    const bytes = packed([1, 7, 3, 0, 0], [0, 8, 0, PAYLOAD], [1, 8, 0, Buffer.alloc(0)]);
    const shared = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(3)]);
    const { frames } = readMediaMessage(shared.subarray(3, -3));
    shared.fill(0);
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['payload', '']);
    expect(frames.map(({ payload }) => payload.buffer.byteLength)).toEqual([7, 0]);
  });

  test('of set-up has seqs in any order, the same one twice, too', () => {
    const message = packed([2, 7, 3, 9, 0], [0, 9, 0, PAYLOAD], [-4, 8, 0, PAYLOAD], [-4, 18, 0, PAYLOAD]);
    expect(readMediaMessage(message).frames.map(({ seq }) => seq)).toEqual([9, 5, 5]);
  });

  test.each([
    ['whose seqs stand still', 'mesh.order', [1, 7, 3, 9, 0], [0, 9, 0, PAYLOAD], [0, 9, 0, PAYLOAD]],
    ['whose seqs fall', 'mesh.order', [1, 7, 3, 9, 0], [1, 9, 0, PAYLOAD], [0, 9, 0, PAYLOAD]],
    ['of an unknown type', 'mesh.type', [3, 7, 3, 9, 0], [0, 9, 0, PAYLOAD]],
    ['with a short head', 'mesh.type', [1, 7, 3, 9], [0, 9, 0, PAYLOAD]],
    ['with a long head', 'mesh.type', [1, 7, 3, 9, 0, 0], [0, 9, 0, PAYLOAD]],
    ['with a frame that has too much', 'mesh.type', [1, 7, 3, 9, 0], [0, 9, 0, PAYLOAD, 1]],
    ['with something that is no frame', 'mesh.type', [1, 7, 3, 9, 0], [0, 9, 0, PAYLOAD], 1],
    ['with a payload that is text', 'mesh.type', [1, 7, 3, 9, 0], [0, 9, 0, 'payload']],
    ['with a frame of no kind', 'mesh.frame-kind', [1, 7, 3, 9, 0], [0, 10, 0, PAYLOAD]],
    ['with a kind and unknown flags', 'mesh.frame-kind', [1, 7, 3, 9, 0], [0, 9 + 64, 0, PAYLOAD]],
    ['without a frame', 'mesh.truncated', [1, 7, 3, 9, 0]],
    ['of stream 0', 'mesh.number', [1, 0, 3, 9, 0], [0, 9, 0, PAYLOAD]],
    ['of a stream beyond all', 'mesh.number', [1, 2 ** 32 + 1, 3, 9, 0], [0, 9, 0, PAYLOAD]],
    ['of an epoch below 0', 'mesh.number', [1, 7, -1, 9, 0], [0, 9, 0, PAYLOAD]],
    ['with a seq below 0', 'mesh.number', [1, 7, 3, 9, 0], [-10, 9, 0, PAYLOAD]],
    ['with a seq that is no safe integer', 'mesh.number', [1, 7, 3, 2 ** 53 - 1, 0], [1, 9, 0, PAYLOAD]],
    ['with a dts that is no safe integer', 'mesh.number', [1, 7, 3, 9, 2 ** 53 - 1], [0, 9, 1, PAYLOAD]],
    ['with a dts below all', 'mesh.number', [1, 7, 3, 9, -(2 ** 53) + 1], [0, 9, -1, PAYLOAD]],
    ['with a dts in between', 'mesh.number', [1, 7, 3, 9, 0], [0, 9, 0.5, PAYLOAD]],
  ])('%s is refused', (_, code, ...values) => {
    expect(codeOf(...values)).toBe(code);
  });

  test('has as many frames as the limit, and no more', () => {
    const frames = Array.from({ length: MAX_MEDIA_FRAMES }, (_, seq) => [seq, 8, 0, PAYLOAD]);
    expect(codeOf([1, 7, 3, 0, 0], ...frames)).toBeUndefined();
    expect(codeOf([1, 7, 3, 0, 0], ...frames, [MAX_MEDIA_FRAMES, 8, 0, PAYLOAD])).toBe('mesh.count');
  });

  test('has one frame of the largest size, and none above it', () => {
    expect(codeOf([1, 7, 3, 0, 0], [0, 9, 0, Buffer.alloc(MAX_PAYLOAD_BYTES)])).toBeUndefined();
    expect(codeOf([1, 7, 3, 0, 0], [0, 9, 0, Buffer.alloc(MAX_PAYLOAD_BYTES + 1)])).toBe('mesh.too-large');
    const tooLarge = Buffer.alloc(MAX_MEDIA_BYTES + 1, 0x95);
    expect(refusal(() => readMediaMessage(tooLarge))).toBe('mesh.too-large');
  });

  test('that promises a payload of 4 GiB ends at once', () => {
    const message = Buffer.concat([packed([1, 7, 3, 0, 0]), Buffer.from('94000900c6ffffffff', 'hex')]);
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 100; round += 1) {
      expect(refusal(() => readMediaMessage(message))).toBe('mesh.truncated');
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  test('cut off within a frame is refused, and between frames is shorter', () => {
    const head = { kind: 'media', streamRef: 7, epochRef: 3, baseSeq: 1, baseDts: 40 } as const;
    const frames = [frameOf('avc key', 1, 40, 300), frameOf('aac sample', 2, 41), frameOf('data', 3, 39)];
    const whole = written({ head, frames });
    const taken: number[] = [];
    for (let at = 0; at < whole.length; at += 1) {
      const code = refusal(() => taken.push(readMediaMessage(whole.subarray(0, at)).frames.length));
      expect([undefined, 'mesh.truncated']).toContain(code);
    }
    expect(taken).toEqual([1, 2]);
  });

  test('made of arbitrary bytes is a WireError or a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        refusal(() => readMediaMessage(Buffer.from(bytes)));
        refusal(() => readMediaMessage(Buffer.from([0x95, 1, 7, 3, 9, 0, 0x94, 0, 9, ...bytes])));
      }),
      { numRuns: 3000 },
    );
  });

  test('gone wrong on the way is a WireError or a message within the limits', () => {
    const next = numbersFrom(0x3ed1a);
    const seeds = fc.sample(anyGroup, { numRuns: 100, seed: 3 }).map(written);
    const codes = new Set<string | undefined>();
    for (let round = 0; round < 200; round += 1) {
      for (const seed of seeds) {
        const bytes = mutated(seed, next);
        let payloads = 0;
        const code = refusal(() => {
          for (const { payload } of readMediaMessage(bytes).frames) payloads += payload.length;
        });
        codes.add(code);
        if (payloads > bytes.length) throw new Error(`${payloads} bytes came of ${bytes.length}`);
      }
    }
    expect([...codes].sort()).toEqual([
      'mesh.frame-kind',
      'mesh.number',
      'mesh.order',
      'mesh.truncated',
      'mesh.type',
      undefined,
    ]);
  });
});
