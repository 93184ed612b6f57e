// What a frame's first bytes say: its role for a decoder and its codec. Reads heads only, never the coded media,
// and never throws: a payload too short to say anything is something that nobody needs.
// Sources: FLV v10.1 §E.4.2-E.4.4 (legacy heads), Enhanced RTMP v2 (ExHeader, FourCC, ModEx, multitrack).
import { FrameKind, type FrameRole } from './frame.ts';

/** FLV v10.1 §E.4.3.1, the FrameType bits. */
const FrameType = { key: 1, disposable: 3, generatedKey: 4, command: 5 } as const;

/** Enhanced RTMP v2, VideoPacketType. */
const VideoPacket = {
  sequenceStart: 0,
  codedFrames: 1,
  sequenceEnd: 2,
  codedFramesX: 3,
  metadata: 4,
  mpeg2TsSequenceStart: 5,
  multitrack: 6,
  modEx: 7,
} as const;

/** Enhanced RTMP v2, AudioPacketType. */
const AudioPacket = {
  sequenceStart: 0,
  codedFrames: 1,
  multichannelConfig: 4,
  multitrack: 5,
  modEx: 7,
} as const;

/** AVCPacketType of codecs 7 and 12, AACPacketType: 0 opens the decoder. */
const LEGACY_HEADER = 0;
const AVC_NALU = 1;
const SOUND_AAC = 10;
const SOUND_EX_HEADER = 9;
const MULTITRACK_ONE = 0;
const MULTITRACK_MANY_CODECS = 2;

/** CodecID; 12 and 13 are not Adobe's: HEVC and AV1 as Chinese encoders and CDNs send them. */
const VIDEO_CODECS: Readonly<Record<number, string>> = {
  2: 'h263',
  3: 'screen',
  4: 'vp6',
  5: 'vp6a',
  6: 'screen2',
  7: 'avc',
  12: 'hevc',
  13: 'av1',
};

/** Those whose legacy head goes on with an AVCPacketType and a composition time. */
const WITH_PACKET_TYPE: ReadonlySet<number> = new Set([7, 12, 13]);

/** SoundFormat; 9 is the ExHeader. */
const AUDIO_CODECS: Readonly<Record<number, string>> = {
  0: 'pcm',
  1: 'adpcm',
  2: 'mp3',
  3: 'pcm',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'g711a',
  8: 'g711u',
  10: 'aac',
  11: 'speex',
  14: 'mp3',
};

/** FourCCs whose codec has another name here, so that a stream's codec has one name whichever head it comes with. */
const FOUR_CC_CODECS: Readonly<Record<string, string>> = {
  avc1: 'avc',
  hvc1: 'hevc',
  vvc1: 'vvc',
  av01: 'av1',
  vp08: 'vp8',
  vp09: 'vp9',
  mp4a: 'aac',
  Opus: 'opus',
  fLaC: 'flac',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
  '.mp3': 'mp3',
};

/** AMF0: the string marker, its length, `onMetaData`. */
const ON_META_DATA = Buffer.from('\x02\x00\x0aonMetaData', 'latin1');

/** What a frame means to a decoder. */
export function classify(kind: FrameKind, payload: Buffer): FrameRole {
  if (kind === FrameKind.video) return videoRole(payload);
  if (kind === FrameKind.audio) return audioRole(payload);
  return payload.subarray(0, ON_META_DATA.length).equals(ON_META_DATA) ? 'metadata' : 'sample';
}

/**
 * The codec of a frame's default track: `avc`, `hevc`, `av1`, `vp9`, `aac`, `opus`, `mp3` ...; an unknown FourCC is
 * its own name. `undefined`: the frame doesn't say (data, commands, other tracks of a multitrack, too short).
 */
export function codecName(kind: FrameKind, payload: Buffer): string | undefined {
  const first = payload[0];
  if (first === undefined || kind === FrameKind.data) return undefined;
  if (kind === FrameKind.audio) {
    return first >> 4 === SOUND_EX_HEADER ? enhancedCodec(readAudioHead(payload)) : AUDIO_CODECS[first >> 4];
  }
  if (frameType(first) === FrameType.command) return undefined;
  return isExHeader(first) ? enhancedCodec(readVideoHead(payload)) : VIDEO_CODECS[first & 0x0f];
}

/**
 * Which decoder set-up a header is; the newest of each is kept for joiners. `video` and `audio` are the SequenceStart of
 * the default track; others are those of further tracks (`video 1`), colour (`video 0 4`), channel order (`audio 0 4`).
 */
export function headerSlot(kind: FrameKind, payload: Buffer): string {
  const track = kind === FrameKind.video ? 'video' : 'audio';
  const head = enhancedHeadOf(kind, payload);
  if (!head) return track;
  // Numbered alike for both kinds: VideoPacketType.Metadata and AudioPacketType.MultichannelConfig.
  if (head.packetType === VideoPacket.metadata) return `${track} ${head.track} ${head.packetType}`;
  return head.track === 0 ? track : `${track} ${head.track}`;
}

/**
 * The record of a decoder set-up frame, for its default track: an AVCDecoderConfigurationRecord, an AudioSpecificConfig and
 * the like, perhaps with bytes behind it; a view of the payload. Undefined: the frame is none.
 */
export function setUpRecord(
  kind: FrameKind,
  payload: Buffer,
): { readonly codec: string; readonly record: Buffer } | undefined {
  if (kind === FrameKind.data || classify(kind, payload) !== 'header') return undefined;
  const codec = codecName(kind, payload);
  if (codec === undefined) return undefined;
  const head = enhancedHeadOf(kind, payload);
  const legacyStart = kind === FrameKind.video ? 5 : 2;
  if (head && head.packetType !== VideoPacket.sequenceStart) return undefined;
  return { codec, record: payload.subarray(head?.bodyStart ?? legacyStart) };
}

function enhancedHeadOf(kind: FrameKind, payload: Buffer): EnhancedHead | undefined {
  const first = payload[0] ?? 0;
  if (kind === FrameKind.video) return isExHeader(first) ? readVideoHead(payload) : undefined;
  return first >> 4 === SOUND_EX_HEADER ? readAudioHead(payload) : undefined;
}

function videoRole(payload: Buffer): FrameRole {
  const first = payload[0];
  if (first === undefined || frameType(first) === FrameType.command) return 'disposable';
  if (isExHeader(first)) return enhancedVideoRole(frameType(first), readVideoHead(payload), payload.length);
  if (!WITH_PACKET_TYPE.has(first & 0x0f)) return codedRole(frameType(first));
  if (payload[1] === AVC_NALU) return codedRole(frameType(first));
  // The rest says "end of sequence"; ffmpeg marks that one as a key frame, yet it holds no picture.
  return payload[1] === LEGACY_HEADER && payload.length > 5 ? 'header' : 'disposable';
}

function enhancedVideoRole(type: number, head: EnhancedHead | undefined, length: number): FrameRole {
  if (!head) return 'disposable';
  switch (head.packetType) {
    case VideoPacket.sequenceStart:
    case VideoPacket.mpeg2TsSequenceStart:
    case VideoPacket.metadata: // colorInfo: its frame type says nothing
      return length > head.bodyStart ? 'header' : 'disposable';
    case VideoPacket.codedFrames:
    case VideoPacket.codedFramesX: {
      const role = codedRole(type);
      return role === 'key' && head.track !== 0 ? 'delta' : role;
    }
    default:
      return 'disposable';
  }
}

function audioRole(payload: Buffer): FrameRole {
  const first = payload[0];
  if (first === undefined) return 'sample';
  if (first >> 4 === SOUND_AAC) {
    return payload[1] === LEGACY_HEADER && payload.length > 2 ? 'header' : 'sample';
  }
  if (first >> 4 !== SOUND_EX_HEADER) return 'sample';
  const head = readAudioHead(payload);
  const opens =
    head?.packetType === AudioPacket.sequenceStart || head?.packetType === AudioPacket.multichannelConfig;
  return opens && payload.length > head.bodyStart ? 'header' : 'sample';
}

function codedRole(type: number): FrameRole {
  if (type === FrameType.key || type === FrameType.generatedKey) return 'key';
  return type === FrameType.disposable ? 'disposable' : 'delta';
}

function isExHeader(first: number): boolean {
  return first >= 0x80;
}

function frameType(first: number): number {
  return (first >> 4) & 0x07;
}

function enhancedCodec(head: EnhancedHead | undefined): string | undefined {
  if (head?.track !== 0) return undefined;
  return FOUR_CC_CODECS[head.fourCc] ?? (/^[\x21-\x7e]{4}$/.test(head.fourCc) ? head.fourCc : undefined);
}

/** An Enhanced RTMP head, with its ModEx and multitrack wrapping taken off. */
interface EnhancedHead {
  readonly packetType: number;
  readonly fourCc: string;
  /** 0, the one that players without multitrack show, if it is in it; else the first. */
  readonly track: number;
  /** Where a SequenceStart's record begins. */
  readonly bodyStart: number;
}

function readVideoHead(payload: Buffer): EnhancedHead | undefined {
  return readEnhancedHead(payload, VideoPacket.multitrack, VideoPacket.modEx);
}

function readAudioHead(payload: Buffer): EnhancedHead | undefined {
  return readEnhancedHead(payload, AudioPacket.multitrack, AudioPacket.modEx);
}

function readEnhancedHead(payload: Buffer, multitrack: number, modEx: number): EnhancedHead | undefined {
  let packetType = (payload[0] ?? 0) & 0x0f;
  let at = 1;
  while (packetType === modEx) {
    // ModEx: UI8 size - 1, or 255 and a UI16 size - 1; so many bytes; then UB4 its type, UB4 the next packet type.
    let size = (payload[at++] ?? 0) + 1;
    if (size === 256) {
      size = (((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0)) + 1;
      at += 2;
    }
    const next = payload[at + size];
    if (next === undefined) return undefined;
    packetType = next & 0x0f;
    at += size + 1;
  }
  if (packetType !== multitrack) {
    if (payload.length < at + 4) return undefined;
    return { packetType, fourCc: fourCcAt(payload, at), track: 0, bodyStart: at + 4 };
  }
  const wrapped = payload[at];
  if (wrapped === undefined) return undefined;
  return readMultitrack(payload, at + 1, wrapped >> 4, wrapped & 0x0f);
}

function readMultitrack(
  payload: Buffer,
  start: number,
  type: number,
  packetType: number,
): EnhancedHead | undefined {
  if (payload.length < start + 5) return undefined;
  const first = { packetType, fourCc: fourCcAt(payload, start), bodyStart: start + 5 };
  if (type === MULTITRACK_ONE) return { ...first, track: payload.readUInt8(start + 4) };
  // Many tracks: each has its id (UI8) and size (UI24), and before them its own FourCC if there are many codecs.
  const codecBytes = type === MULTITRACK_MANY_CODECS ? 4 : 0;
  let at = type === MULTITRACK_MANY_CODECS ? start : start + 4;
  for (let track = 0; track < 256 && at + codecBytes + 4 <= payload.length; track += 1) {
    const idAt = at + codecBytes;
    const fourCc = codecBytes > 0 ? fourCcAt(payload, at) : first.fourCc;
    if (payload[idAt] === 0) return { packetType, fourCc, track: 0, bodyStart: idAt + 4 };
    at = idAt + 4 + payload.readUIntBE(idAt + 1, 3);
  }
  return { ...first, track: payload[start + 4] || 1 };
}

function fourCcAt(payload: Buffer, at: number): string {
  return payload.toString('latin1', at, at + 4);
}
