// Streams of numbered frames: when each frame is due, and its payload, from which a player can tell whether it is the
// right one and whole. Pure: no socket, no timer.
import { FrameKind } from '../../src/format/frame.ts';
import { type PayloadName, payloadOf } from './media.ts';

/** What a stream is made of. */
export interface StreamPlan {
  readonly video?: {
    readonly fps: number;
    readonly keyEvery: number;
    /** Every second delta is one that no other frame needs. */
    readonly withDisposable?: boolean;
  };
  readonly audio?: { readonly perS: number };
  /** Payload of a delta; a key frame has eight times, an audio frame a quarter of it. */
  readonly frameBytes: number;
}

/** AAC at 44.1 kHz: 1,024 samples a frame. */
const AAC_PER_S = 44_100 / 1024;

export const PLANS = {
  '1 frame/s': { video: { fps: 1, keyEvery: 2 }, frameBytes: 800 },
  '10 frames/s': { video: { fps: 10, keyEvery: 10 }, frameBytes: 800 },
  '25 frames/s and audio': {
    video: { fps: 25, keyEvery: 25 },
    audio: { perS: AAC_PER_S },
    frameBytes: 800,
  },
  '60 frames/s': { video: { fps: 60, keyEvery: 60 }, frameBytes: 800 },
  'audio only': { audio: { perS: AAC_PER_S }, frameBytes: 800 },
} satisfies Record<string, StreamPlan>;

export type PlanName = keyof typeof PLANS;

/** A frame that is due `dts` ms after the first. */
export interface PlannedFrame {
  readonly id: number;
  readonly kind: FrameKind;
  readonly name: PayloadName;
  readonly dts: number;
  readonly bytes: number;
}

/** The frames of a plan, one after the other, audio and video in the order of their times. */
export class Schedule {
  readonly #plan: StreamPlan;
  #videoCount = 0;
  #audioCount = 0;
  #id = 0;

  constructor(plan: StreamPlan) {
    if (!plan.video && !plan.audio) throw new Error('a plan without video and audio');
    this.#plan = plan;
  }

  next(): PlannedFrame {
    const { video, audio, frameBytes } = this.#plan;
    const videoMs = video ? (this.#videoCount * 1000) / video.fps : Number.POSITIVE_INFINITY;
    const audioMs = audio ? (this.#audioCount * 1000) / audio.perS : Number.POSITIVE_INFINITY;
    this.#id += 1;
    const id = this.#id;
    if (video && videoMs <= audioMs) {
      const inGop = this.#videoCount % video.keyEvery;
      const isKey = inGop === 0;
      this.#videoCount += 1;
      const isDisposable = video.withDisposable === true && inGop % 2 === 1;
      const name = isKey ? 'avc key' : isDisposable ? 'avc disposable' : 'avc delta';
      const bytes = isKey ? 8 * frameBytes : frameBytes;
      return { id, kind: FrameKind.video, name, dts: Math.round(videoMs), bytes };
    }
    this.#audioCount += 1;
    const bytes = Math.ceil(frameBytes / 4);
    return { id, kind: FrameKind.audio, name: 'aac sample', dts: Math.round(audioMs), bytes };
  }
}

/** What the payload of a numbered frame says. */
export interface Numbered {
  /** Which publication it is of: one encoder has a new one each time that it connects. */
  readonly session: number;
  /** 1, 2, 3 … within the session. */
  readonly id: number;
  readonly isKey: boolean;
  /** On the monotonic clock of the process that published it, ms. */
  readonly sentMs: number;
  /** The rest is what was published. */
  readonly isIntact: boolean;
}

const NUMBERS_BYTES = 4 + 4 + 8 + 4;
/** A prime, so that a byte that is shifted, lost or doubled shows. */
const FILLER_PERIOD = 65_521;
const MAX_BYTES = 256 * 1024;
const FILLER = filler(FILLER_PERIOD + MAX_BYTES);

/** @param sentMs when it is sent, by `performance.now()` */
export function numberedPayload(frame: PlannedFrame, session: number, sentMs: number): Buffer {
  const payload = payloadOf(frame.name, session);
  const headBytes = payload.length - 4;
  const whole = Buffer.allocUnsafe(Math.max(frame.bytes, headBytes + NUMBERS_BYTES));
  payload.copy(whole, 0, 0, headBytes);
  let at = whole.writeUInt32BE(session, headBytes);
  at = whole.writeUInt32BE(frame.id, at);
  at = whole.writeDoubleBE(sentMs, at);
  at = whole.writeUInt32BE(whole.length, at);
  fillerOf(session, frame.id, whole.length - at).copy(whole, at);
  return whole;
}

/** Reads a payload that `numberedPayload` made, or undefined for decoder set-up and data. */
export function readNumbered(kind: number, payload: Buffer): Numbered | undefined {
  if (kind === FrameKind.data || payload[1] === 0) return undefined;
  const headBytes = kind === FrameKind.video ? 5 : 2;
  const at = headBytes + NUMBERS_BYTES;
  if (payload.length < at) return { session: 0, id: 0, isKey: false, sentMs: 0, isIntact: false };
  const session = payload.readUInt32BE(headBytes);
  const id = payload.readUInt32BE(headBytes + 4);
  const length = payload.readUInt32BE(headBytes + 16);
  return {
    session,
    id,
    isKey: kind === FrameKind.video && (payload[0] ?? 0) >> 4 === 1,
    sentMs: payload.readDoubleBE(headBytes + 8),
    isIntact: length === payload.length && payload.subarray(at).equals(fillerOf(session, id, length - at)),
  };
}

function fillerOf(session: number, id: number, bytes: number): Buffer {
  const start = (session * 7919 + id * 31) % FILLER_PERIOD;
  return FILLER.subarray(start, start + bytes);
}

/** xorshift32: the same bytes in every process. */
function filler(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let state = 0x9e3779b9;
  for (let at = 0; at < bytes; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer[at] = state & 0xff;
  }
  return buffer;
}
