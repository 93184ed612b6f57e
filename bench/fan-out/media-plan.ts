// What a stream of the benchmark is made of: which frame is due when, and how big it is. The same for every run, so that
// servers are given the same work. Pure: no socket, no timer.
import { encode } from '../../src/format/amf0.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { filler, MARK_BYTES, markAt } from './mark.ts';

const FPS = 25;
/** A key frame every two seconds, as broadcasters do; it weighs as much as so many deltas. */
const GOP_FRAMES = 50;
const KEY_WEIGHT = 8;
export const GOP_MS = (GOP_FRAMES * 1000) / FPS;
/** AAC at 44.1 kHz: 1,024 samples a frame. */
const AUDIO_PER_S = 44_100 / 1024;
const AUDIO_BITS_PER_S = 128_000;
/** Of a stream that is too small for that, at most this share is audio. */
const MAX_AUDIO_SHARE = 0.25;
const MIN_MBPS = 0.1;
const MAX_MBPS = 100;

/** 1280x720, main profile, level 3.1: the record of x264. */
const AVC_RECORD = '014d401fffe10019674d401feca02802dd80880000030008000003019078c18cb001000468ef8fc8';
/** AAC-LC, 44.1 kHz, stereo. */
const AUDIO_CONFIG = [0x12, 0x10];

/** What comes before the first frame, and isn't counted. */
export interface SetUp {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

/** Sizes of a stream of `mbps` Mbit/s of payload. */
export class MediaPlan {
  readonly mbps: number;
  readonly keyBytes: number;
  readonly deltaBytes: number;
  readonly audioBytes: number;

  /** @param mbps 0.1 to 100 */
  constructor(mbps: number) {
    if (!(mbps >= MIN_MBPS && mbps <= MAX_MBPS)) {
      throw new RangeError(`a stream has ${MIN_MBPS} to ${MAX_MBPS} Mbit/s, not ${mbps}`);
    }
    this.mbps = mbps;
    const bytesPerS = (mbps * 1e6) / 8;
    const audioBytesPerS = Math.min(AUDIO_BITS_PER_S / 8, bytesPerS * MAX_AUDIO_SHARE);
    this.audioBytes = Math.round(audioBytesPerS / AUDIO_PER_S);
    const gopBytes = ((bytesPerS - this.audioBytes * AUDIO_PER_S) * GOP_MS) / 1000;
    this.deltaBytes = Math.round(gopBytes / (GOP_FRAMES - 1 + KEY_WEIGHT));
    this.keyBytes = Math.round(gopBytes - (GOP_FRAMES - 1) * this.deltaBytes);
  }

  /** onMetaData, as encoders send it, and the sequence headers. */
  setUp(): SetUp[] {
    const { mbps } = this;
    const metadata = encode('@setDataFrame', 'onMetaData', {
      ...{ width: 1280, height: 720, framerate: FPS, videocodecid: 7, videodatarate: mbps * 1000 - 128 },
      ...{ audiocodecid: 10, audiodatarate: 128, audiosamplerate: 44_100, audiosamplesize: 16, stereo: true },
    });
    return [
      { kind: FrameKind.data, payload: metadata },
      { kind: FrameKind.video, payload: Buffer.from(`1700000000${AVC_RECORD}`, 'hex') },
      { kind: FrameKind.audio, payload: Buffer.from([0xaf, 0, ...AUDIO_CONFIG]) },
    ];
  }
}

/** Walks the frames of a plan in the order in which they are due; the fields are those of the frame it stands at. */
export class PlanWalk {
  readonly #plan: MediaPlan;
  #videoCount = 0;
  #audioCount = 0;
  kind: FrameKind = FrameKind.video;
  isKey = false;
  /** 1, 2, 3 ... */
  number = 0;
  bytes = 0;
  /** After the first frame; its timestamp is the whole of it. */
  dueMs = 0;
  /** Payload bytes of the frames before. */
  beforeBytes = 0;

  /** Stands at frame 1, a key frame. */
  constructor(plan: MediaPlan) {
    this.#plan = plan;
    this.next();
  }

  next(): void {
    this.beforeBytes += this.bytes;
    this.number += 1;
    const videoMs = (this.#videoCount * 1000) / FPS;
    const audioMs = (this.#audioCount * 1000) / AUDIO_PER_S;
    if (videoMs <= audioMs) {
      this.kind = FrameKind.video;
      this.isKey = this.#videoCount % GOP_FRAMES === 0;
      this.bytes = this.isKey ? this.#plan.keyBytes : this.#plan.deltaBytes;
      this.dueMs = videoMs;
      this.#videoCount += 1;
    } else {
      this.kind = FrameKind.audio;
      this.isKey = false;
      this.bytes = this.#plan.audioBytes;
      this.dueMs = audioMs;
      this.#audioCount += 1;
    }
  }
}

/** A payload of `bytes` bytes that lacks its mark only. Video is one NAL unit behind its length. */
export function blankPayload(kind: FrameKind, isKey: boolean, bytes: number): Buffer {
  if (bytes < markAt(kind) + MARK_BYTES) throw new RangeError(`${bytes} bytes have no room for a mark`);
  const payload = filler(bytes);
  if (kind === FrameKind.video) {
    payload.set([isKey ? 0x17 : 0x27, 1, 0, 0, 0]);
    payload.writeUInt32BE(bytes - 9, 5);
    payload[9] = isKey ? 0x65 : 0x41;
  } else {
    payload.set([0xaf, 1]);
  }
  return payload;
}
