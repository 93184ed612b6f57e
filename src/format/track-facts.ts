// What decoder set-up and metadata say of a stream's tracks: picture size, sample rate, channels, and the frame rate that
// the publisher means to send. Pure; never throws: what is not known, or nonsense, is undefined.
// Sources: ISO/IEC 14496-3 §1.6.2.1 (AudioSpecificConfig), RFC 7845 §5.1 (OpusHead), RFC 9639 §8.2 (FLAC), Enhanced RTMP v2.
import { type Amf0Object, decodeAll } from './amf0.ts';
import { BitReader } from './bit-reader.ts';
import { setUpRecord } from './codec.ts';
import { FrameKind } from './frame.ts';
import { type PictureSize, pictureSize } from './picture-size.ts';

export interface SoundFacts {
  readonly sampleRate: number | undefined;
  readonly channels: number | undefined;
}

/** What an onMetaData says. */
export interface MetadataFacts extends SoundFacts {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly frameRate: number | undefined;
}

const NO_SOUND: SoundFacts = { sampleRate: undefined, channels: undefined };
const NO_METADATA: MetadataFacts = {
  ...NO_SOUND,
  width: undefined,
  height: undefined,
  frameRate: undefined,
};

const MAX_SIDE = 65_536;
const MAX_FRAME_RATE = 1_000;
const MAX_SAMPLE_RATE = 768_000;

const AAC_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
] as const;
const AAC_ESCAPED_RATE = 15;
/** Channels by channelConfiguration; 0: a program config element says, which is not read. */
const AAC_CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8, 0] as const;
const AAC_LC = 2;
const AAC_SBR = 5;
const AAC_PS = 29;
const AAC_ESCAPED_TYPE = 31;
const AAC_SYNC_EXTENSION = 0x2b7;

/** Opus is always decoded at this rate (RFC 7845 §5.1). */
const OPUS_RATE = 48_000;
const OPUS_MAGIC_BYTES = 8;
const FLAC_MARK_BYTES = 4;
const FLAC_BLOCK_HEAD_BYTES = 4;
/** Block and frame sizes, before the rate. */
const FLAC_SIZES_BYTES = 10;

/** @param payload of a video frame that is decoder set-up */
export function videoFacts(payload: Buffer): PictureSize | undefined {
  const setUp = setUpRecord(FrameKind.video, payload);
  return setUp && pictureSize(setUp.codec, setUp.record);
}

/** @param payload of an audio frame that is decoder set-up */
export function audioFacts(payload: Buffer): SoundFacts {
  const setUp = setUpRecord(FrameKind.audio, payload);
  if (setUp?.codec === 'aac') return aacFacts(new BitReader(setUp.record));
  if (setUp?.codec === 'opus') return opusFacts(setUp.record);
  return setUp?.codec === 'flac' ? flacFacts(setUp.record) : NO_SOUND;
}

/** @param payload of an onMetaData */
export function metadataFacts(payload: Buffer): MetadataFacts {
  const values = decoded(payload)?.find((value) => value instanceof Map) as Amf0Object | undefined;
  if (!values) return NO_METADATA;
  const stereo = values.get('stereo');
  return {
    width: numberIn(values, 'width', MAX_SIDE),
    height: numberIn(values, 'height', MAX_SIDE),
    frameRate: numberIn(values, 'framerate', MAX_FRAME_RATE),
    sampleRate: numberIn(values, 'audiosamplerate', MAX_SAMPLE_RATE),
    channels:
      numberIn(values, 'audiochannels', 255) ??
      (typeof stereo === 'boolean' ? Number(stereo) + 1 : undefined),
  };
}

function decoded(payload: Buffer): readonly unknown[] | undefined {
  try {
    return decodeAll(payload);
  } catch {
    return undefined;
  }
}

function numberIn(values: Amf0Object, name: string, max: number): number | undefined {
  const given = values.get(name);
  if (typeof given !== 'number') return undefined;
  const value = name === 'framerate' ? given : Math.round(given);
  return value > 0 && value <= max ? value : undefined;
}

function aacFacts(bits: BitReader): SoundFacts {
  let type = aacType(bits);
  let sampleRate = aacRate(bits);
  const config = bits.bits(4);
  let channels: number | undefined = AAC_CHANNELS[config] || undefined;
  if (type === AAC_SBR || type === AAC_PS) {
    // Parametric stereo makes two channels of one.
    if (type === AAC_PS && channels === 1) channels = 2;
    sampleRate = aacRate(bits);
    type = aacType(bits);
  } else if (type === AAC_LC && config !== 0) sampleRate = sbrRate(bits) ?? sampleRate;
  return bits.isOver ? NO_SOUND : { sampleRate, channels };
}

/** The rate with the SBR that an AAC-LC config may tell behind its end, for decoders that know of it. */
function sbrRate(config: BitReader): number | undefined {
  config.skip(1);
  if (config.flag()) config.skip(14);
  config.skip(1);
  if (config.left < 11 + 5 + 1 + 4) return undefined;
  const isSbr = config.bits(11) === AAC_SYNC_EXTENSION && aacType(config) === AAC_SBR && config.flag();
  return isSbr ? aacRate(config) : undefined;
}

function aacType(bits: BitReader): number {
  const type = bits.bits(5);
  return type === AAC_ESCAPED_TYPE ? 32 + bits.bits(6) : type;
}

function aacRate(bits: BitReader): number | undefined {
  const index = bits.bits(4);
  const rate = index === AAC_ESCAPED_RATE ? bits.bits(24) : AAC_RATES[index];
  return rate !== undefined && rate >= 1 && rate <= MAX_SAMPLE_RATE ? rate : undefined;
}

/** OpusHead, with its magic or as `dOps` has it. */
function opusFacts(record: Buffer): SoundFacts {
  const hasMagic = record.toString('latin1', 0, OPUS_MAGIC_BYTES) === 'OpusHead';
  const channels = record[hasMagic ? OPUS_MAGIC_BYTES + 1 : 1];
  return { sampleRate: OPUS_RATE, channels: channels || undefined };
}

/** `fLaC`, then STREAMINFO with its head. */
function flacFacts(record: Buffer): SoundFacts {
  const hasMark = record.toString('latin1', 0, FLAC_MARK_BYTES) === 'fLaC';
  const bits = new BitReader(record);
  bits.skip(8 * ((hasMark ? FLAC_MARK_BYTES : 0) + FLAC_BLOCK_HEAD_BYTES + FLAC_SIZES_BYTES));
  const sampleRate = bits.bits(20);
  const channels = bits.bits(3) + 1;
  return bits.isOver || sampleRate === 0 ? NO_SOUND : { sampleRate, channels };
}
