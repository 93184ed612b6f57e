// How large the pictures of a video track are, from its decoder set-up record. Pure; never throws: what can't be read is
// undefined. Sources: ISO/IEC 14496-15 §5.3.3, §8.3.3 (records of AVC, HEVC), ITU-T H.264 §7.3.2.1, H.265 §7.3.2.2 (SPS),
// AV1 bitstream §5.5 and AV1 in ISOBMFF §2.3.
import { BitReader } from './bit-reader.ts';

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What any codec here can have. */
const MAX_SIDE = 65_536;
/** More of a parameter set is never needed to know its size. */
const MAX_SPS_BYTES = 4_096;
const MAX_NAL_UNITS = 64;

const AVC_SPS = 7;
const HEVC_SPS = 33;
const AV1_SEQUENCE_HEADER = 1;
/** H.264 §7.3.2.1.1: profiles that tell their chroma format. */
const WITH_CHROMA: ReadonlySet<number> = new Set([
  100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135,
]);
const YUV_444 = 3;

/** @param record what a SequenceStart holds behind its head */
export function pictureSize(codec: string, record: Buffer): PictureSize | undefined {
  switch (codec) {
    case 'avc':
      return avcSize(record);
    case 'hevc':
      return hevcSize(record);
    case 'av1':
      return av1Size(record);
    default:
      return undefined;
  }
}

function avcSize(record: Buffer): PictureSize | undefined {
  const count = (record[5] ?? 0) & 0x1f;
  const sps = unitOf(record, 6, count, (head) => (head & 0x1f) === AVC_SPS);
  return sps && avcSpsSize(new BitReader(unescaped(sps.subarray(1))));
}

function avcSpsSize(bits: BitReader): PictureSize | undefined {
  const profile = bits.bits(8);
  bits.skip(16);
  bits.ue();
  let chroma = 1;
  if (WITH_CHROMA.has(profile)) {
    chroma = bits.ue();
    if (chroma === YUV_444 && bits.flag()) chroma = 0;
    bits.ue();
    bits.ue();
    bits.skip(1);
    if (bits.flag()) skipScalingLists(bits, chroma === YUV_444 ? 12 : 8);
  }
  bits.ue();
  const orderType = bits.ue();
  if (orderType === 0) bits.ue();
  else if (orderType === 1) {
    bits.skip(1);
    bits.se();
    bits.se();
    const cycle = Math.min(bits.ue(), 255);
    for (let frame = 0; frame < cycle; frame += 1) bits.se();
  }
  bits.ue();
  bits.skip(1);
  const widthMbs = bits.ue() + 1;
  const heightMaps = bits.ue() + 1;
  const fieldsPerMap = bits.flag() ? 1 : 2;
  if (fieldsPerMap === 2) bits.skip(1);
  bits.skip(1);
  const cut = bits.flag() ? cropOf(bits) : NO_CROP;
  const unit = chromaUnit(chroma);
  return sizeOf(bits, {
    width: widthMbs * 16 - unit.x * (cut.left + cut.right),
    height: fieldsPerMap * (heightMaps * 16 - unit.y * (cut.top + cut.bottom)),
  });
}

/** H.264 §7.3.2.1.1.1: each list ends early at a next scale of 0. */
function skipScalingLists(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list += 1) {
    if (!bits.flag()) continue;
    let next = 8;
    const entries = list < 6 ? 16 : 64;
    for (let entry = 0; entry < entries && next !== 0; entry += 1) next = (next + bits.se() + 256) & 0xff;
  }
}

function hevcSize(record: Buffer): PictureSize | undefined {
  const arrays = Math.min(record[22] ?? 0, MAX_NAL_UNITS);
  let at = 23;
  for (let array = 0; array < arrays && at + 3 <= record.length; array += 1) {
    const type = (record[at] ?? 0) & 0x3f;
    const count = Math.min(record.readUInt16BE(at + 1), MAX_NAL_UNITS);
    at += 3;
    if (type === HEVC_SPS) {
      const sps = unitOf(record, at, count, (head) => ((head >> 1) & 0x3f) === HEVC_SPS);
      return sps && hevcSpsSize(new BitReader(unescaped(sps.subarray(2))));
    }
    for (let unit = 0; unit < count && at + 2 <= record.length; unit += 1) at += 2 + record.readUInt16BE(at);
  }
  return undefined;
}

function hevcSpsSize(bits: BitReader): PictureSize | undefined {
  bits.skip(4);
  const subLayers = bits.bits(3);
  bits.skip(1);
  skipProfileTierLevel(bits, subLayers);
  bits.ue();
  let chroma = bits.ue();
  if (chroma === YUV_444 && bits.flag()) chroma = 0;
  const width = bits.ue();
  const height = bits.ue();
  const cut = bits.flag() ? cropOf(bits) : NO_CROP;
  const unit = chromaUnit(chroma);
  return sizeOf(bits, {
    width: width - unit.x * (cut.left + cut.right),
    height: height - unit.y * (cut.top + cut.bottom),
  });
}

/** H.265 §7.3.3. */
function skipProfileTierLevel(bits: BitReader, subLayers: number): void {
  bits.skip(88 + 8);
  let skipped = 0;
  for (let layer = 0; layer < subLayers; layer += 1) {
    if (bits.flag()) skipped += 88;
    if (bits.flag()) skipped += 8;
  }
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  bits.skip(skipped);
}

function av1Size(record: Buffer): PictureSize | undefined {
  let at = 4;
  for (let unit = 0; unit < MAX_NAL_UNITS && at < record.length; unit += 1) {
    const head = record[at] ?? 0;
    const isSized = (head & 0x02) !== 0;
    at += (head & 0x04) === 0 ? 1 : 2;
    let bytes = record.length - at;
    if (isSized) {
      const read = leb128(record, at);
      if (!read) return undefined;
      bytes = read.value;
      at = read.end;
    }
    const body = record.subarray(at, at + bytes);
    if (((head >> 3) & 0x0f) === AV1_SEQUENCE_HEADER) return av1SequenceSize(new BitReader(body));
    at += bytes;
  }
  return undefined;
}

function av1SequenceSize(bits: BitReader): PictureSize | undefined {
  bits.skip(3 + 1);
  if (bits.flag()) bits.skip(5);
  else skipAv1Operation(bits);
  const widthBits = bits.bits(4) + 1;
  const heightBits = bits.bits(4) + 1;
  return sizeOf(bits, { width: bits.bits(widthBits) + 1, height: bits.bits(heightBits) + 1 });
}

/** From timing_info_present_flag to the end of the operating points. */
function skipAv1Operation(bits: BitReader): void {
  let delayBits = 0;
  if (bits.flag()) {
    bits.skip(32 + 32);
    if (bits.flag()) bits.ue();
    if (bits.flag()) {
      delayBits = bits.bits(5) + 1;
      bits.skip(32 + 5 + 5);
    }
  }
  const hasInitialDelay = bits.flag();
  const points = bits.bits(5) + 1;
  for (let point = 0; point < points; point += 1) {
    bits.skip(12);
    if (bits.bits(5) > 7) bits.skip(1);
    if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasInitialDelay && bits.flag()) bits.skip(4);
  }
}

/** The first unit of a kind among so many that are each behind their length (UI16). */
function unitOf(
  record: Buffer,
  start: number,
  count: number,
  isWanted: (head: number) => boolean,
): Buffer | undefined {
  let at = start;
  for (let unit = 0; unit < count && at + 2 < record.length; unit += 1) {
    const bytes = record.readUInt16BE(at);
    if (isWanted(record[at + 2] ?? 0)) return record.subarray(at + 2, at + 2 + bytes);
    at += 2 + bytes;
  }
  return undefined;
}

/** Without the bytes that keep a unit from looking like a start code (H.264 §7.4.1.1, H.265 §7.4.2). */
function unescaped(unit: Buffer): Buffer {
  const source = unit.subarray(0, MAX_SPS_BYTES);
  const plain = Buffer.allocUnsafe(source.length);
  let bytes = 0;
  let zeros = 0;
  for (const byte of source) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    plain[bytes] = byte;
    bytes += 1;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return plain.subarray(0, bytes);
}

interface Crop {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const NO_CROP: Crop = { left: 0, right: 0, top: 0, bottom: 0 };

function cropOf(bits: BitReader): Crop {
  return { left: bits.ue(), right: bits.ue(), top: bits.ue(), bottom: bits.ue() };
}

/** What one step of a crop is, in pixels. @param chroma 0 where planes are apart */
function chromaUnit(chroma: number): { readonly x: number; readonly y: number } {
  return { x: chroma === 1 || chroma === 2 ? 2 : 1, y: chroma === 1 ? 2 : 1 };
}

function sizeOf(bits: BitReader, size: PictureSize): PictureSize | undefined {
  const isLikely = (side: number) => side >= 1 && side <= MAX_SIDE;
  return !bits.isOver && isLikely(size.width) && isLikely(size.height) ? size : undefined;
}

/** AV1 §4.10.5; undefined if it doesn't end within the buffer, or says more than 32 bits. */
function leb128(buffer: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let step = 0; step < 5; step += 1) {
    const byte = buffer[start + step];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * step);
    if (byte < 0x80) return { value, end: start + step + 1 };
  }
  return undefined;
}
