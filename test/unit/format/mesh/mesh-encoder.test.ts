import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Frame, LoggedFrame, Run } from '../../../../src/format/frame.ts';
import { MAX_MEDIA_FRAMES, type MediaFrame } from '../../../../src/format/mesh/media-codec.ts';
import { MESSAGE_BYTES, MeshEncoder } from '../../../../src/format/mesh/mesh-encoder.ts';
import { maskedMessages } from '../../../../src/format/ws-frame.ts';
import { frameOf } from '../../../support/media.ts';
import {
  anyFrame,
  bodiesOf,
  logged,
  loggedFrame,
  messagesOf,
  RUN,
  spelled,
} from '../../../support/mesh-bytes.ts';

const REF = 7;

function plain({ seq, dts, kind, payload }: Frame): MediaFrame {
  return { seq, dts, kind, payload };
}

function media(epochRef: number, ...entries: LoggedFrame[]) {
  return { kind: 'media', streamRef: REF, epochRef, frames: entries.map(({ frame }) => plain(frame)) };
}

function setUp(epochRef: number, ...entries: LoggedFrame[]) {
  return { ...media(epochRef, ...entries), kind: 'set-up' };
}

function epoch(epochRef: number, { epoch, from, firstDts, newestDts }: Run) {
  return { is: 'epoch', ref: REF, epochRef, epoch, from, firstDts, newestDts };
}

function skip(epochRef: number, from: number, to: number) {
  return { is: 'skip', ref: REF, epochRef, from, to };
}

describe('a stream for other nodes', () => {
  test('is the row of its log: where runs begin, set-up, frames, what was dropped', () => {
    const next: Run = { epoch: RUN.epoch + 4096, from: 0, firstDts: 5000, newestDts: 5040 };
    const header = logged(frameOf('avc header', 3, 90), { opens: true, isSetUp: true });
    const aac = logged(frameOf('aac header', 2, 90), { isSetUp: true });
    const key = loggedFrame('avc key', 10, 100);
    const audio = loggedFrame('aac sample', 11, 98);
    const behindHole = logged(frameOf('avc delta', 15, 140), { afterSeq: 11 });
    const last = loggedFrame('avc delta', 16, 180);
    const first = logged(frameOf('avc header', 0, 5000), { run: next, opens: true, afterSeq: -1 });
    const second = logged(frameOf('avc key', 1, 5000), { run: next });

    const encoder = new MeshEncoder(REF);
    const framed = encoder.encode([header, aac, key, audio, behindHole, last, first, second]);

    const row = [
      epoch(0, RUN),
      setUp(0, header, aac),
      media(0, key, audio),
      skip(0, 12, 14),
      media(0, behindHole, last),
      epoch(1, next),
      media(1, first, second),
    ];
    expect(messagesOf(framed)).toEqual(row);
    expect(messagesOf(maskedMessages(framed))).toEqual(row);
    expect([encoder.epochRefOf(RUN.epoch), encoder.epochRefOf(next.epoch)]).toEqual([0, 1]);
    expect(encoder.epochRefOf(1)).toBeUndefined();
  });

  test('is the same bytes for the same frames, whoever reads them when', () => {
    const older = [logged(frameOf('avc key', 10, 100), { opens: true }), loggedFrame('aac sample', 11, 98)];
    const newer = [
      logged(frameOf('avc key', 0, 0), { run: { ...RUN, epoch: RUN.epoch + 1, from: 0 }, opens: true }),
    ];
    const encoder = new MeshEncoder(REF);
    const first = encoder.encode(older);
    encoder.encode(newer);
    expect(encoder.encode(older).equals(first)).toBe(true);
  });

  test('begins with nothing', () => {
    expect(new MeshEncoder(REF).open()).toHaveLength(0);
    expect(new MeshEncoder(REF).encode([])).toHaveLength(0);
    expect(new MeshEncoder(REF).format).toBe('mesh');
  });

  test('announces no drop before the frame that opens a run, nor one from before the run', () => {
    const joined: Run = { ...RUN, from: 40 };
    const opens = logged(frameOf('avc key', 40, 100), { run: joined, opens: true, afterSeq: 9 });
    expect(messagesOf(new MeshEncoder(REF).encode([opens]))).toEqual([epoch(0, joined), media(0, opens)]);

    const header = logged(frameOf('avc header', 12, 90), { run: joined, opens: true, isSetUp: true });
    const behindSetUp = logged(frameOf('avc key', 40, 100), { run: joined, afterSeq: 9 });
    const late = logged(frameOf('avc key', 43, 100), { run: joined, afterSeq: 9 });
    expect(messagesOf(new MeshEncoder(REF).encode([header, behindSetUp]))).toEqual([
      epoch(0, joined),
      setUp(0, header),
      media(0, behindSetUp),
    ]);
    expect(messagesOf(new MeshEncoder(REF).encode([header, late]))).toEqual([
      epoch(0, joined),
      setUp(0, header),
      skip(0, 40, 42),
      media(0, late),
    ]);
  });

  test('introduces an epoch again, under the same number, where a gap begins another run of it', () => {
    const behindGap: Run = { ...RUN, from: 50, firstDts: 900, newestDts: 900 };
    const before = logged(frameOf('avc key', 10, 100), { opens: true });
    const after = logged(frameOf('avc key', 50, 900), { run: behindGap, opens: true, afterSeq: 10 });
    expect(messagesOf(new MeshEncoder(REF).encode([before, after]))).toEqual([
      epoch(0, RUN),
      media(0, before),
      epoch(0, behindGap),
      media(0, after),
    ]);
  });

  test('numbers epochs without end, and remembers the newest', () => {
    const encoder = new MeshEncoder(REF);
    for (let count = 0; count < 1000; count += 1) {
      const run = { ...RUN, epoch: RUN.epoch + count };
      const entry = logged(frameOf('avc key', 10, 100), { run, opens: true });
      expect(messagesOf(encoder.encode([entry]))).toEqual([epoch(count, run), media(count, entry)]);
    }
    expect(encoder.epochRefOf(RUN.epoch + 999)).toBe(999);
    expect(encoder.epochRefOf(RUN.epoch)).toBeUndefined();
  });

  test('comes in messages of at most 256 KiB, or of one frame', () => {
    const sizes = [100_000, 100_000, 100_000, 300, 8 << 20, 300, 262_000, 200];
    const entries = sizes.map((size, index) => loggedFrame('avc delta', 10 + index, index, size));
    const framed = new MeshEncoder(REF).encode(entries);
    const counts = messagesOf(framed).map((message) => ('frames' in message ? message.frames.length : 0));
    expect(counts).toEqual([2, 2, 1, 1, 1, 1]);
    for (const [index, body] of bodiesOf(framed).entries()) {
      if (counts[index] !== 1) expect(body.length).toBeLessThanOrEqual(MESSAGE_BYTES);
    }
  });

  test('has no more frames in a message than are read', () => {
    const entries = Array.from({ length: MAX_MEDIA_FRAMES + 1 }, (_, seq) =>
      loggedFrame('mp3 sample', 10 + seq, 0),
    );
    const counts = messagesOf(new MeshEncoder(REF).encode(entries)).map((message) =>
      'frames' in message ? message.frames.length : 0,
    );
    expect(counts).toEqual([MAX_MEDIA_FRAMES, 1]);
  });

  test('gives back all frames of any batch, in its order', () => {
    const anyEntry = fc
      .tuple(anyFrame, fc.boolean(), fc.boolean(), fc.nat(2))
      .map(([frame, opens, isSetUp, at]) =>
        logged(frame, { opens, isSetUp, run: { ...RUN, from: 0, epoch: RUN.epoch + at } }),
      );
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 12 }), (entries) => {
        const batch = [...entries];
        batch.sort((one, other) => one.frame.seq - other.frame.seq);
        const rising = batch.filter(({ frame }, index) => frame.seq !== batch[index - 1]?.frame.seq);
        const frames = messagesOf(new MeshEncoder(REF).encode(rising)).flatMap((message) =>
          'frames' in message ? message.frames : [],
        );
        expect(spelled(frames)).toEqual(spelled(rising.map(({ frame }) => plain(frame))));
      }),
    );
  });
});
