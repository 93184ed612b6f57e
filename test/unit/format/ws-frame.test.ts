import fc from 'fast-check';
import { expect, test } from 'vitest';
import { httpFlv } from '../../../src/format/flv.ts';
import { Frame, FrameKind, type TimedFrame } from '../../../src/format/frame.ts';
import {
  MaskedCopies,
  maskedMessages,
  writeWsHead,
  wsFlv,
  wsHeadLength,
  wsMessage,
} from '../../../src/format/ws-frame.ts';
import { bodiesOf } from '../../support/mesh-bytes.ts';

/** Reads an unmasked head as RFC 6455 §5.2 tells, apart from the writer. */
function readHead(bytes: Buffer): { first: number; headBytes: number; bodyBytes: number } {
  const first = bytes.readUInt8(0);
  const short = bytes.readUInt8(1);
  if (short === 126) return { first, headBytes: 4, bodyBytes: bytes.readUInt16BE(2) };
  if (short === 127) return { first, headBytes: 10, bodyBytes: Number(bytes.readBigUInt64BE(2)) };
  return { first, headBytes: 2, bodyBytes: short };
}

function audio(bytes: number): TimedFrame {
  return { frame: new Frame(FrameKind.audio, 'sample', 0, 7, Buffer.alloc(bytes, 0xaf)), time: 7 };
}

test.each([0, 125, 126, 65_535, 65_536, 2 ** 32 + 5])(
  'a head for a body of %i bytes reads back',
  (bodyBytes) => {
    const head = Buffer.alloc(wsHeadLength(bodyBytes));
    writeWsHead(head, bodyBytes);
    expect(readHead(head)).toEqual({ first: 0x82, headBytes: head.length, bodyBytes });
  },
);

test('each batch is one message with the bytes of HTTP-FLV', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 4 }), (sizes) => {
      const batch = sizes.map(audio);
      const message = wsFlv.encode(batch, 0);
      const { headBytes, bodyBytes } = readHead(message);
      expect(bodyBytes).toBe(message.length - headBytes);
      expect(message.subarray(headBytes).equals(httpFlv.encode(batch, 0))).toBe(true);
    }),
  );
});

test('the FLV header opens the stream as a message of its own', () => {
  const tracks = { audio: false, video: true };
  const message = wsFlv.open(tracks);
  expect(message.subarray(2).equals(httpFlv.open(tracks))).toBe(true);
  expect(readHead(message).bodyBytes).toBe(13);
});

test('masked messages have the bodies of the plain ones, and a key of zeros each', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1, 125, 126, 65_535, 65_536, 70_000), { maxLength: 5 }),
      (sizes) => {
        const bodies = sizes.map((size, index) => Buffer.alloc(size, index));
        const plain = Buffer.concat(bodies.map(wsMessage));
        const masked = maskedMessages(plain);
        expect(masked).toHaveLength(plain.length + 4 * sizes.length);
        expect(bodiesOf(masked).map((body, index) => bodies[index]?.equals(body))).toEqual(
          sizes.map(() => true),
        );
        for (let at = 0, index = 0; at < masked.length; index += 1) {
          expect(masked.readUInt8(at + 1) & 0x80).toBe(0x80);
          at += wsHeadLength(sizes[index] ?? 0) + 4 + (sizes[index] ?? 0);
        }
      },
    ),
  );
});

test('a buffer is masked once, however many send it', () => {
  const copies = new MaskedCopies();
  const one = wsMessage(Buffer.from('one'));
  const other = wsMessage(Buffer.from('other'));
  const masked = copies.of(one);
  expect(masked.equals(maskedMessages(one))).toBe(true);
  expect(copies.of(other).equals(masked)).toBe(false);
  expect(copies.of(one)).toBe(masked);
});
