import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode } from '../../../src/format/amf0.ts';
import { audioFacts, metadataFacts, videoFacts } from '../../../src/format/track-facts.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const LEGACY = { avc: hex('1700000000'), hevc: hex('1c00000000'), av1: hex('1d00000000'), aac: hex('af00') };
const fourCc = (first: number, name: string) => Buffer.from([first, ...Buffer.from(name)]);

/** Written by x264, x265, libaom (ffmpeg 5.1), as ffprobe prints it. */
const RECORDS = {
  '1918x1078': hex(`0142 c028 ffe1 001a 6742 c028 da01 e008 9ea6 c044 0000 0300 0400 0003 00f0 3c60
    ca80 0100 0468 ce0f c8`),
  '1278x718, 4:4:4': hex(`01f4 001f ffe1 001b 67f4 001f 919b 280a 00b7 dde0 2200 0003 0002 0000 0300 781e
    3063 2c01 0008 68eb e3c4 4c00 0440 fff8 f800`),
  '640x480, interlaced': hex(`0164 001e ffe1 0019 6764 001e acd9 40a0 7b60 2200 0003 0002 0000 0300 783e 2853
    2c01 0007 68fb a3cb 3002 c0fd f8f8 00`),
  '638x358, HEVC': hex(`0101 6000 0000 9000 0000 0000 3ff0 00fc fdf8 f800 000f 0420 0001 0018 4001 0c01
    ffff 0160 0000 0300 9000 0003 0000 0300 3f95 9809 2100 0100 2b42 0101 0160 0000 0300 9000 0003 0000 0300
    3fa0 0502 0169 d565 959a 4932 bc05 a020 0000 0300 2000 0003 03c1 2200 0100 0744 01c1 72b4 6240`),
  '322x242, AV1': hex('8100 0c00 0a0b 0000 0004 3d07 c4da f900 40'),
};

describe('the size of pictures', () => {
  test('is read from AVC, with what is cut off, chroma and fields', () => {
    const sizeOf = (record: Buffer) => videoFacts(Buffer.concat([LEGACY.avc, record]));
    expect(sizeOf(RECORDS['1918x1078'])).toEqual({ width: 1918, height: 1078 });
    expect(sizeOf(RECORDS['1278x718, 4:4:4'])).toEqual({ width: 1278, height: 718 });
    expect(sizeOf(RECORDS['640x480, interlaced'])).toEqual({ width: 640, height: 480 });
    expect(videoFacts(Buffer.concat([fourCc(0x90, 'avc1'), RECORDS['1918x1078']]))).toEqual({
      width: 1918,
      height: 1078,
    });
  });

  test('is read from HEVC and AV1, with legacy and enhanced heads', () => {
    const hevc = RECORDS['638x358, HEVC'];
    for (const head of [LEGACY.hevc, fourCc(0x90, 'hvc1')]) {
      expect(videoFacts(Buffer.concat([head, hevc]))).toEqual({ width: 638, height: 358 });
    }
    for (const head of [LEGACY.av1, fourCc(0x90, 'av01')]) {
      expect(videoFacts(Buffer.concat([head, RECORDS['322x242, AV1']]))).toEqual({ width: 322, height: 242 });
    }
  });

  test('is read behind scaling lists, and a picture order with a cycle', () => {
    const bits = new BitWriter();
    bits.put(100, 8).put(0, 16).ue(0).ue(1).ue(0).ue(0).put(0, 1);
    // Lists 0 and 6 are there: one that ends at once (8 - 8 = 0), one of 64 entries.
    bits.put(1, 1).put(1, 1).se(-8).put(0, 5).put(1, 1);
    for (let entry = 0; entry < 64; entry += 1) bits.se(entry % 2 === 0 ? 3 : -3);
    bits.put(0, 1);
    bits.ue(0).ue(1).put(0, 1).se(-4).se(2).ue(3).se(1).se(-1).se(5);
    bits.ue(1).put(0, 1).ue(19).ue(14).put(1, 1).put(0, 1).put(0, 1);
    const sps = Buffer.concat([hex('67'), bits.bytes]);
    const record = Buffer.concat([hex('01640000ffe100'), Buffer.from([sps.length]), sps]);
    expect(videoFacts(Buffer.concat([LEGACY.avc, record]))).toEqual({ width: 320, height: 240 });
  });

  test('is not known of a record that is cut off, of sizes that none has, and of other frames', () => {
    const whole = Buffer.concat([LEGACY.avc, RECORDS['1918x1078']]);
    // Behind the size there is only what nobody needs here.
    for (let bytes = 0; bytes < 5 + 16; bytes += 1) {
      expect(videoFacts(whole.subarray(0, bytes)), `${bytes} bytes`).toBeUndefined();
    }
    const cropped = new BitWriter().put(66, 8).put(0, 16).ue(0).ue(0).ue(0).ue(0).ue(1).put(0, 1);
    cropped.ue(0).ue(0).put(1, 1).put(0, 1).put(1, 1).ue(8).ue(0).ue(0).ue(0);
    const sps = Buffer.concat([hex('67'), cropped.bytes, hex('ff')]);
    const record = Buffer.concat([hex('01420000ffe100'), Buffer.from([sps.length]), sps]);
    expect(videoFacts(Buffer.concat([LEGACY.avc, record]))).toBeUndefined();
    expect(videoFacts(hex('1701000000'))).toBeUndefined();
    expect(videoFacts(Buffer.concat([fourCc(0x91, 'avc1'), RECORDS['1918x1078']]))).toBeUndefined();
  });
});

describe('rate and channels', () => {
  const aac = (config: string) => audioFacts(Buffer.concat([LEGACY.aac, hex(config)]));

  test('are read from AAC', () => {
    expect(aac('1210 56e5 00')).toEqual({ sampleRate: 44_100, channels: 2 });
    expect(aac('11b0 56e5 00')).toEqual({ sampleRate: 48_000, channels: 6 });
    expect(audioFacts(Buffer.concat([fourCc(0x90, 'mp4a'), hex('1210')]))).toEqual({
      sampleRate: 44_100,
      channels: 2,
    });
  });

  test('are those that a decoder with SBR and PS makes of it', () => {
    // 22,050 Hz and mono; SBR to 44,100 Hz: told ahead, told behind, with PS.
    const ahead = new BitWriter().put(5, 5).put(7, 4).put(1, 4).put(4, 4).put(2, 5).put(0, 3);
    const behind = new BitWriter().put(2, 5).put(7, 4).put(1, 4).put(0, 3);
    behind.put(0x2b7, 11).put(5, 5).put(1, 1).put(4, 4);
    const withPs = new BitWriter().put(29, 5).put(7, 4).put(1, 4).put(4, 4).put(2, 5).put(0, 3);
    expect(aac(ahead.bytes.toString('hex'))).toEqual({ sampleRate: 44_100, channels: 1 });
    expect(aac(behind.bytes.toString('hex'))).toEqual({ sampleRate: 44_100, channels: 1 });
    expect(aac(withPs.bytes.toString('hex'))).toEqual({ sampleRate: 44_100, channels: 2 });
  });

  test('are read from Opus and FLAC', () => {
    const opus = hex('4f70 7573 4865 6164 0102 3801 80bb 0000 0000 00');
    expect(audioFacts(Buffer.concat([fourCc(0x90, 'Opus'), opus]))).toEqual({
      sampleRate: 48_000,
      channels: 2,
    });
    const flac = hex('664c6143 80000022 1000 1000 00000e 0010a3 0ac442f0 00000000');
    expect(audioFacts(Buffer.concat([fourCc(0x90, 'fLaC'), flac]))).toEqual({
      sampleRate: 44_100,
      channels: 2,
    });
  });

  test('are not known of a config that is cut off, and of channels that are told elsewhere', () => {
    expect(aac('12')).toEqual({ sampleRate: undefined, channels: undefined });
    expect(aac('1200')).toEqual({ sampleRate: 44_100, channels: undefined });
    expect(audioFacts(hex('af01 1210'))).toEqual({ sampleRate: undefined, channels: undefined });
  });
});

describe('metadata', () => {
  const facts = (values: Record<string, number | boolean | string>) =>
    metadataFacts(encode('onMetaData', values));

  test('says size, rates and channels', () => {
    const values = { width: 1280, height: 720, framerate: 29.97, audiosamplerate: 44_100, stereo: true };
    expect(facts(values)).toEqual({
      ...{ width: 1280, height: 720, frameRate: 29.97 },
      ...{ sampleRate: 44_100, channels: 2 },
    });
    expect(facts({ stereo: false }).channels).toBe(1);
    expect(facts({ stereo: true, audiochannels: 6 }).channels).toBe(6);
  });

  test('says nothing where it is nonsense', () => {
    const unknown = {
      ...{ width: undefined, height: undefined, frameRate: undefined },
      ...{ sampleRate: undefined, channels: undefined },
    };
    expect(
      facts({ width: -1, height: 1e9, framerate: Number.NaN, audiosamplerate: '44100', stereo: 2 }),
    ).toEqual(unknown);
    expect(facts({ width: 0.4, height: 1e-300, framerate: 0, audiosamplerate: 0.49 })).toEqual(unknown);
    expect(metadataFacts(encode('onMetaData', 'nothing'))).toEqual(unknown);
    expect(metadataFacts(hex('02000a6f6e4d657461446174610300'))).toEqual(unknown);
  });
});

test('whatever the bytes are, nothing is thrown and what is told could be', () => {
  const heads = [
    ...Object.values(LEGACY),
    ...['avc1', 'hvc1', 'av01', 'mp4a', 'Opus', 'fLaC'].map((name) => fourCc(0x90, name)),
    Buffer.concat([LEGACY.avc, hex('0142c028ffe100ff67')]),
    Buffer.concat([LEGACY.hevc, Buffer.alloc(22), hex('01a1000100ff4201')]),
    Buffer.concat([LEGACY.av1, hex('81000c000a7f')]),
    hex('02000a6f6e4d65746144617461'),
  ];
  const payload = fc
    .tuple(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }))
    .map(([head, rest]) => Buffer.concat([head, rest]));
  fc.assert(
    fc.property(payload, (bytes) => {
      const size = videoFacts(bytes);
      if (size) {
        expect(size.width).toBeGreaterThan(0);
        expect(size.height).toBeLessThanOrEqual(65_536);
      }
      const { sampleRate = 1, channels = 1 } = audioFacts(bytes);
      expect(sampleRate).toBeGreaterThan(0);
      expect(channels).toBeGreaterThan(0);
      const { width = 1, frameRate = 1 } = metadataFacts(bytes);
      expect(width).toBeGreaterThan(0);
      expect(frameRate).toBeGreaterThan(0);
    }),
    { numRuns: 2_000 },
  );
});

/** Bits, first to last; the last byte is filled up with zeros. */
class BitWriter {
  readonly #bits: number[] = [];

  put(value: number, count: number): this {
    for (let left = count - 1; left >= 0; left -= 1) this.#bits.push(Math.floor(value / 2 ** left) % 2);
    return this;
  }

  ue(value: number): this {
    const bits = (value + 1).toString(2).length;
    return this.put(0, bits - 1).put(value + 1, bits);
  }

  se(value: number): this {
    return this.ue(value > 0 ? 2 * value - 1 : -2 * value);
  }

  get bytes(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.#bits.length / 8));
    for (const [at, bit] of this.#bits.entries())
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (bit << (7 - (at & 7)));
    return bytes;
  }
}
