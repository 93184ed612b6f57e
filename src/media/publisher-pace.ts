// What one publisher may send, over some seconds: bytes and frames, each a token bucket. Pure: time comes in by hand.
import type { Reason } from '../base/errors.ts';

export interface PaceLimits {
  /** Mbit/s: 1 Mbit/s is 125,000 bytes a second. */
  readonly maxMbps: number;
  /** Audio, video and data alike. */
  readonly maxFramesPerSecond: number;
}

/** The code of a publisher that sent too much. */
export const TOO_FAST = 'publish.too-fast';

const BYTES_PER_MBIT = 125_000;
/** So many seconds of the rate may come at once: what was held up on the way comes in one piece. */
const BURST_S = 10;

export class PublisherPace {
  readonly #limits: () => PaceLimits;
  /** Bytes and frames that it may send now, beyond what comes with time. */
  #bytesLeft: number;
  #framesLeft: number;
  #atMs: number;

  /** @param limits asked at each frame */
  constructor(limits: () => PaceLimits, nowMs: number) {
    this.#limits = limits;
    const { maxMbps, maxFramesPerSecond } = limits();
    this.#bytesLeft = maxMbps * BYTES_PER_MBIT * BURST_S;
    this.#framesLeft = maxFramesPerSecond * BURST_S;
    this.#atMs = nowMs;
  }

  /** Takes a frame; why it is one too many, or undefined. */
  take(bytes: number, nowMs: number): Reason | undefined {
    const { maxMbps, maxFramesPerSecond } = this.#limits();
    const bytesPerS = maxMbps * BYTES_PER_MBIT;
    const passedS = (nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#bytesLeft = Math.min(bytesPerS * BURST_S, this.#bytesLeft + passedS * bytesPerS) - bytes;
    this.#framesLeft =
      Math.min(maxFramesPerSecond * BURST_S, this.#framesLeft + passedS * maxFramesPerSecond) - 1;
    if (this.#bytesLeft < 0) return tooFast(`${maxMbps} Mbit/s (publish.maxMbps)`);
    if (this.#framesLeft < 0)
      return tooFast(`${maxFramesPerSecond} frames a second (publish.maxFramesPerSecond)`);
    return undefined;
  }
}

function tooFast(limit: string): Reason {
  return { code: TOO_FAST, message: `the publisher sends more than ${limit} for ${BURST_S} s` };
}
