import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify, codecName, headerSlot } from '../../../src/format/codec.ts';
import { FrameKind } from '../../../src/format/frame.ts';

const { audio, video, data } = FrameKind;

/** Numbers are bytes, text is itself. */
function bytes(...parts: readonly (number | string)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.of(part))),
  );
}

describe('legacy video', () => {
  test.each([
    ['an AVC record is a header', bytes(0x17, 0, 0, 0, 0, 1), 'header', 'avc'],
    ['an AVC key frame is a key', bytes(0x17, 1, 0, 0, 0, 9), 'key', 'avc'],
    ['an AVC inter frame is a delta', bytes(0x27, 1, 0, 0, 0, 9), 'delta', 'avc'],
    ['a disposable inter frame is disposable', bytes(0x37, 1, 0, 0, 0, 9), 'disposable', 'avc'],
    ['an end of sequence is no key, whatever its frame type', bytes(0x17, 2, 0, 0, 0), 'disposable', 'avc'],
    ['an AVC record without a byte of record is no header', bytes(0x17, 0, 0, 0, 0), 'disposable', 'avc'],
    ['HEVC as codec 12 has a header too', bytes(0x1c, 0, 0, 0, 0, 1), 'header', 'hevc'],
    ['HEVC as codec 12 has key frames too', bytes(0x1c, 1, 0, 0, 0, 9), 'key', 'hevc'],
    ['Sorenson key frames are keys', bytes(0x12, 0), 'key', 'h263'],
    ['VP6 inter frames are deltas', bytes(0x24, 0), 'delta', 'vp6'],
    ['a video command is disposable and names no codec', bytes(0x57, 0), 'disposable', undefined],
  ])('%s', (_, payload, role, codec) => {
    expect(classify(video, payload)).toBe(role);
    expect(codecName(video, payload)).toBe(codec);
  });
});

describe('enhanced video', () => {
  test.each([
    ['a SequenceStart is a header', bytes(0x90, 'hvc1', 1), 'header', 'hevc'],
    ['CodedFrames of a key frame are a key', bytes(0x91, 'hvc1', 0, 0, 0, 1), 'key', 'hevc'],
    ['CodedFramesX of a key frame are a key', bytes(0x93, 'av01', 1), 'key', 'av1'],
    ['CodedFrames of an inter frame are a delta', bytes(0xa1, 'vp09', 1), 'delta', 'vp9'],
    [
      'CodedFrames of a disposable frame are disposable',
      bytes(0xb1, 'avc1', 0, 0, 0, 1),
      'disposable',
      'avc',
    ],
    ['a SequenceEnd is no key', bytes(0x92, 'hvc1'), 'disposable', 'hevc'],
    ['Metadata is set-up, whatever its frame type', bytes(0x94, 'hvc1', 2), 'header', 'hevc'],
    ['an MPEG2TSSequenceStart is a header', bytes(0x95, 'av01', 1), 'header', 'av1'],
    ['a command is disposable', bytes(0xd0, 'hvc1', 1), 'disposable', undefined],
    ['a ModEx is looked through', bytes(0x97, 2, 1, 2, 3, 0x01, 'hvc1', 0, 0, 0, 1), 'key', 'hevc'],
    ['a ModEx in a ModEx is looked through', bytes(0xa7, 0, 9, 0x07, 0, 9, 0x03, 'av01', 1), 'delta', 'av1'],
    ['a ModEx over 255 bytes', bytes(0x97, 255, 1, 0, 'x'.repeat(257), 0x03, 'av01', 1), 'key', 'av1'],
    ['one track, the default: its key is a key', bytes(0x96, 0x01, 'hvc1', 0, 0, 0, 0, 1), 'key', 'hevc'],
    [
      'one track, another one: its key is none to start at',
      bytes(0x96, 0x01, 'hvc1', 1, 0),
      'delta',
      undefined,
    ],
    ['one track, another one: its set-up', bytes(0x96, 0x00, 'hvc1', 1, 0), 'header', undefined],
    ['many tracks with the default', bytes(0x96, 0x13, 'av01', 1, 0, 0, 1, 9, 0, 0, 0, 1, 9), 'key', 'av1'],
    ['many tracks without the default', bytes(0x96, 0x13, 'av01', 1, 0, 0, 1, 9), 'delta', undefined],
    [
      'many codecs: the default track names the codec',
      bytes(0x96, 0x23, 'av01', 1, 0, 0, 1, 9, 'hvc1', 0, 0, 0, 1, 9),
      'key',
      'hevc',
    ],
    ['an unknown FourCC is its own name', bytes(0x91, 'zz99', 1), 'key', 'zz99'],
    ['an unprintable FourCC is none', bytes(0x91, 0, 1, 2, 3, 4), 'key', undefined],
  ])('%s', (_, payload, role, codec) => {
    expect(classify(video, payload)).toBe(role);
    expect(codecName(video, payload)).toBe(codec);
  });
});

describe('audio', () => {
  test.each([
    ['an AudioSpecificConfig is a header', bytes(0xaf, 0, 0x12, 0x10), 'header', 'aac'],
    ['raw AAC is a sample', bytes(0xaf, 1, 0x21), 'sample', 'aac'],
    ['an empty AudioSpecificConfig is no header', bytes(0xaf, 0), 'sample', 'aac'],
    ['MP3 is a sample', bytes(0x2f, 0xff), 'sample', 'mp3'],
    ['G.711 is a sample', bytes(0x7f, 0), 'sample', 'g711a'],
    ['an Opus SequenceStart is a header', bytes(0x90, 'Opus', 1), 'header', 'opus'],
    ['Opus CodedFrames are samples', bytes(0x91, 'Opus', 1), 'sample', 'opus'],
    ['a FLAC SequenceStart is a header', bytes(0x90, 'fLaC', 1), 'header', 'flac'],
    ['an AC-3 frame is a sample', bytes(0x91, 'ac-3', 1), 'sample', 'ac3'],
    ['an mp4a SequenceStart is a header', bytes(0x90, 'mp4a', 1), 'header', 'aac'],
    ['a MultichannelConfig is set-up', bytes(0x94, 'Opus', 1), 'header', 'opus'],
    ['a multitrack SequenceStart of the default track', bytes(0x95, 0x00, 'Opus', 0, 1), 'header', 'opus'],
    ['a multitrack SequenceStart of another track', bytes(0x95, 0x00, 'Opus', 1, 1), 'header', undefined],
    ['a ModEx is looked through', bytes(0x97, 0, 0, 0x00, 'Opus', 1), 'header', 'opus'],
  ])('%s', (_, payload, role, codec) => {
    expect(classify(audio, payload)).toBe(role);
    expect(codecName(audio, payload)).toBe(codec);
  });
});

describe('the slot of a header', () => {
  test.each([
    ['AVC', video, bytes(0x17, 0, 0, 0, 0, 1), 'video'],
    ['AAC', audio, bytes(0xaf, 0, 0x12, 0x10), 'audio'],
    ['HEVC', video, bytes(0x90, 'hvc1', 1), 'video'],
    ['HEVC in an MPEG2TSSequenceStart', video, bytes(0x95, 'hvc1', 1), 'video'],
    ['track 0 of a multitrack', video, bytes(0x96, 0x00, 'hvc1', 0, 1), 'video'],
    ['track 2 of a multitrack', video, bytes(0x96, 0x00, 'hvc1', 2, 1), 'video 2'],
    ['many tracks without the default', video, bytes(0x96, 0x10, 'av01', 1, 0, 0, 1, 9), 'video 1'],
    ['colour', video, bytes(0x94, 'hvc1', 2), 'video 0 4'],
    ['Opus', audio, bytes(0x90, 'Opus', 1), 'audio'],
    ['an audio track 3', audio, bytes(0x95, 0x00, 'Opus', 3, 1), 'audio 3'],
    ['channel order', audio, bytes(0x94, 'Opus', 1), 'audio 0 4'],
  ])('%s', (_, kind, payload, slot) => {
    expect(classify(kind, payload)).toBe('header');
    expect(headerSlot(kind, payload)).toBe(slot);
  });
});

describe('script data', () => {
  test('an onMetaData is metadata, anything else a sample', () => {
    expect(classify(data, bytes(2, 0, 10, 'onMetaData', 8))).toBe('metadata');
    expect(classify(data, bytes(2, 0, 10, 'onTextData', 8))).toBe('sample');
    expect(classify(data, bytes(2, 0, 10, 'onMeta'))).toBe('sample');
    expect(codecName(data, bytes(2, 0, 10, 'onMetaData', 8))).toBeUndefined();
  });
});

test('no payload throws, however short or wild', () => {
  const head = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 24 }));
  fc.assert(
    fc.property(head, ([first, rest]) => {
      for (const kind of [audio, video, data]) {
        classify(kind, bytes(first, Buffer.from(rest).toString('latin1')));
        codecName(kind, bytes(first, Buffer.from(rest).toString('latin1')));
      }
    }),
    { numRuns: 5000 },
  );
  expect(classify(video, bytes())).toBe('disposable');
  expect(classify(video, bytes(0x17))).toBe('disposable');
  expect(classify(audio, bytes())).toBe('sample');
  expect(classify(data, bytes())).toBe('sample');
});
