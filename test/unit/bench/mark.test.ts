import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filler, MARK_BYTES, MarkFinder, markAt, writeMark } from '../../../bench/fan-out/mark.ts';
import { blankPayload, MediaPlan, PlanWalk } from '../../../bench/fan-out/media-plan.ts';
import { FrameKind } from '../../../src/format/frame.ts';

/** As many frames as given in FLV-like framing, the places of their payloads, and what their marks say. */
function framed(count: number) {
  const walk = new PlanWalk(new MediaPlan(0.2));
  const parts: Buffer[] = [Buffer.from('HTTP/1.1 200 OK\r\n\r\n')];
  const frames: { number: number; payloadAt: number; sentUs: number; isKey: boolean; bytes: number }[] = [];
  let at = parts[0]?.length ?? 0;
  for (let index = 0; index < count; index += 1) {
    const { kind, isKey, number, bytes, beforeBytes } = walk;
    const payload = blankPayload(kind, isKey, bytes);
    const sentUs = 2 ** 40 + index * 1001;
    writeMark(payload, markAt(kind), { kind, isKey, number, bytes, beforeBytes, sentUs });
    // The first byte of a mark, alone, is a trap.
    parts.push(Buffer.alloc(11, 0xf5), payload, Buffer.alloc(4));
    frames.push({ number, payloadAt: at + 11, sentUs, isKey, bytes });
    at += 15 + bytes;
    walk.next();
  }
  return { wire: Buffer.concat(parts), frames };
}

function findAll(wire: Buffer, cuts: readonly number[], finder = new MarkFinder(0)) {
  const found = [];
  let start = 0;
  for (const end of [...cuts, wire.length]) {
    // A copy, spoilt afterwards: the finder may keep nothing of it.
    const piece = Buffer.from(wire.subarray(start, end));
    finder.push(piece);
    while (finder.next()) {
      const { number, payloadAt, sentUs, isKey, bytes } = finder;
      found.push({ number, payloadAt, sentUs, isKey, bytes });
    }
    piece.fill(0xf5);
    start = end;
  }
  return found;
}

test('marks are found wherever the bytes are cut', () => {
  const { wire, frames } = framed(12);
  const cutsOf = fc.array(fc.nat(wire.length), { maxLength: 40 });
  fc.assert(
    fc.property(cutsOf, (cuts) => {
      expect(
        findAll(
          wire,
          cuts.sort((one, other) => one - other),
        ),
      ).toEqual(frames);
    }),
  );
  const everyByte = Array.from({ length: wire.length }, (_, index) => index);
  expect(findAll(wire, everyByte)).toEqual(frames);
});

test('a finder that starts in mid-stream finds the frames that begin there', () => {
  const { wire, frames } = framed(6);
  const start = (frames[2]?.payloadAt ?? 0) + 50;
  const found = findAll(wire.subarray(start), [], new MarkFinder(start));
  expect(found).toEqual(frames.slice(3));
});

test('filler holds no mark', () => {
  expect(filler(100_000).includes(0xf5)).toBe(false);
  expect(filler(1000).equals(filler(2000).subarray(0, 1000))).toBe(true);
});

test('a mark fits the smallest frame', () => {
  const { audioBytes, deltaBytes } = new MediaPlan(0.1);
  expect(audioBytes).toBeGreaterThanOrEqual(markAt(FrameKind.audio) + MARK_BYTES);
  expect(deltaBytes).toBeGreaterThanOrEqual(markAt(FrameKind.video) + MARK_BYTES);
});
