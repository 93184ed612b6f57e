// Media as publishers send it: FLV, AMF0 of metadata, and the heads that tell what a frame is.
import { type Amf0Input, type Amf0Value, decodeAll, encode } from '../../../src/format/amf0.ts';
import { classify, codecName, headerSlot, setUpRecord } from '../../../src/format/codec.ts';
import { FlvReader, type FlvTag, flvHeader, flvTagsLength, writeFlvTags } from '../../../src/format/flv.ts';
import { Frame, FrameKind } from '../../../src/format/frame.ts';
import { audioFacts, metadataFacts, videoFacts } from '../../../src/format/track-facts.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { alike, outcomeOf, readPieces } from './outcome.ts';

const MIB = 1024 * 1024;
const MAX_VALUES = 1024;
const MAX_DEPTH = 16;
const MAX_STAMP = 2 ** 31;

export const flv: Target = {
  name: 'flv',
  covers: ['src/format/flv.ts'],
  maxBytes: 16 * 1024,
  words: hexWords(
    '464c56 01 05 00000009 00000000',
    '08 000002 000000 00 000000 af01 0000000d',
    '09 000005 ffffff 7f 000000 1700000000 00000010',
    '12 00000d 000000 00 000000 02000a6f6e4d65746144617461 00000018',
    '0a 000001 000000 00 000000 00 0000000c',
    '28',
    '48',
    '00001000',
  ),
  run(input, chance) {
    const tags: FlvTag[] = [];
    const read = (pieces: readonly Buffer[], take?: FlvTag[]) => {
      const reader = new FlvReader();
      let receivedBytes = 0;
      const found = readPieces(pieces, (bytes) => {
        receivedBytes += bytes.length;
        const got = reader.push(bytes);
        take?.push(...got);
        const held = reader.heldBytes;
        rule(held <= receivedBytes + MIB, `${receivedBytes} bytes received, ${held} held`);
        return got.map(spelled);
      });
      return { ...found, isWhole: reader.isWhole };
    };
    const whole = read([input]);
    const cut = read(chance.pieces(input), tags);
    alike(whole, cut);
    rule(
      whole.code !== undefined || whole.isWhole === cut.isWhole,
      'its end is another one in several pieces',
    );
    rewritten(tags.filter(({ kind, timestamp }) => kind !== FrameKind.data && timestamp < MAX_STAMP));
  },
};

export const amf0: Target = {
  name: 'amf0',
  covers: ['src/format/amf0.ts'],
  maxBytes: 8 * 1024,
  words: [
    ...hexWords(
      '00 3ff0000000000000',
      '00 7ff8000000000000',
      '0101',
      '020001 61',
      '03',
      '000009',
      '05',
      '06',
    ),
    ...hexWords(
      '07 0001',
      '08 00000001',
      '0a 00000002',
      '0a ffffffff',
      '0b 0000000000000000 0000',
      '0c 00000001 61',
    ),
    ...hexWords('0d', '0f 00000001 61', '10 0001 61', '0000', '0009', '0002 c328'),
    ...wordsOf('onMetaData', '__proto__', 'width'),
  ],
  run(input) {
    const decoded = outcomeOf(() => decodeAll(Buffer.from(input)));
    if (decoded.code !== undefined) return;
    const values = decoded.value;
    const { count, depth, chars } = measured(values);
    rule(count <= MAX_VALUES, `${count} values`);
    rule(depth <= MAX_DEPTH, `${depth} deep`);
    rule(chars <= input.length, `${input.length} bytes made ${chars} characters`);
    const again = decodeAll(encode(...(values as readonly Amf0Input[])));
    rule(text(again) === text(values), 'what we write of the values reads otherwise');
  },
};

const KINDS = [FrameKind.video, FrameKind.audio, FrameKind.data] as const;

/** The first byte says what kind of frame the rest is. */
export const codec: Target = {
  name: 'codec',
  covers: [
    'src/format/codec.ts',
    'src/format/track-facts.ts',
    'src/format/picture-size.ts',
    'src/format/bit-reader.ts',
  ],
  maxBytes: 2 * 1024,
  words: [
    ...hexWords(
      '17 00 000000 01',
      '27 01 000000',
      '1c 00 000000',
      '1d 00 000000',
      'af 00 1210',
      '90',
      '95',
      '97',
    ),
    ...hexWords(
      '0167 6400',
      '00000003',
      '000003',
      '6764001f',
      '21',
      '2b7',
      '0a0b000000',
      'ff',
      '80',
      '86',
      '87',
    ),
    ...wordsOf(
      'avc1',
      'hvc1',
      'av01',
      'vp09',
      'Opus',
      'OpusHead',
      'fLaC',
      'mp4a',
      'onMetaData',
      'framerate',
      'width',
    ),
  ],
  run(input) {
    const kind = KINDS[(input[0] ?? 0) % KINDS.length] ?? FrameKind.video;
    const payload = input.subarray(1);
    const role = classify(kind, payload);
    const name = codecName(kind, payload);
    rule(name === undefined || /^[\x21-\x7e]{2,12}$/.test(name), `a codec called ${JSON.stringify(name)}`);
    rule(headerSlot(kind, payload).length <= 12, 'a header slot with a long name');
    const record = setUpRecord(kind, payload);
    rule(record === undefined || role === 'header', `set-up in a frame that is ${role}`);
    if (kind === FrameKind.video) isSize(videoFacts(payload) ?? { width: undefined, height: undefined });
    if (kind === FrameKind.audio) isSound(audioFacts(payload));
    if (kind === FrameKind.data) {
      const facts = metadataFacts(payload);
      isSize(facts);
      isSound(facts);
      isWithin(facts.frameRate, 1_000, 'frame rate');
    }
  },
};

function spelled({ kind, timestamp, payload }: FlvTag): string {
  return `${kind} ${timestamp} ${payload.toString('latin1')}`;
}

/** Written by our own writer, the tags read as they were. */
function rewritten(tags: readonly FlvTag[]): void {
  const frames = tags.map(({ kind, timestamp, payload }, seq) => ({
    frame: new Frame(kind, 'sample', seq, timestamp, payload),
    time: timestamp,
  }));
  const written = Buffer.alloc(flvTagsLength(frames));
  writeFlvTags(written, 0, frames, 0);
  const reader = new FlvReader();
  reader.push(flvHeader({ audio: true, video: true }));
  const again = reader.push(written).map(spelled).join('\n');
  rule(again === tags.map(spelled).join('\n'), 'tags that we wrote read otherwise');
}

interface Measure {
  readonly count: number;
  readonly depth: number;
  /** Of all texts. */
  readonly chars: number;
}

function measured(values: Iterable<Amf0Value>): Measure {
  let [count, depth, chars] = [0, 0, 0];
  for (const value of values) {
    count += 1;
    chars += typeof value === 'string' ? value.length : 0;
    const inner = insideOf(value);
    const of = inner ? measured(inner) : { count: 0, depth: 0, chars: 0 };
    if (value instanceof Map) for (const name of value.keys()) chars += String(name).length;
    count += of.count;
    chars += of.chars;
    depth = Math.max(depth, 1 + of.depth);
  }
  return { count, depth, chars };
}

function insideOf(value: Amf0Value): Iterable<Amf0Value> | undefined {
  if (value instanceof Map) return value.values();
  return Array.isArray(value) ? value : undefined;
}

/** Values as text: two are the same if their texts are. */
function text(values: readonly Amf0Value[]): string {
  return JSON.stringify(values, (_, value: unknown) => {
    if (value instanceof Map) return { map: [...value] };
    if (typeof value === 'number' && !Number.isFinite(value)) return `number ${value}`;
    return value === undefined ? 'undefined' : value;
  });
}

function isSize({
  width,
  height,
}: {
  readonly width: number | undefined;
  readonly height: number | undefined;
}) {
  isWithin(width, 65_536, 'width');
  isWithin(height, 65_536, 'height');
}

function isSound(facts: { readonly sampleRate: number | undefined; readonly channels: number | undefined }) {
  isWithin(facts.sampleRate, 1_048_575, 'sample rate');
  isWithin(facts.channels, 255, 'channels');
}

function isWithin(value: number | undefined, most: number, what: string): void {
  rule(value === undefined || (value > 0 && value <= most), `a ${what} of ${value}`);
}
