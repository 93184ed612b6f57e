// How often frames come: pure. What is silence for one stream is the usual pause of another.

/** Frames closer together than this came together: a burst says nothing about pauses. */
const TOGETHER_MS = 5;
/** A longer pause was no usual one. */
const MAX_PAUSE_MS = 5000;
/** Weight of the newest pause in the running mean. */
const SMOOTHING = 1 / 16;
/** Who was silent for less, or for few of the usual pauses, is well. */
const MIN_IDLE_MS = 500;
const IDLE_PAUSES = 6;

/** How long a source of this pace may be without a frame until it is taken for silent, ms (design §6). */
export function idleLimitMs(usualIntervalMs: number): number {
  return Math.max(MIN_IDLE_MS, IDLE_PAUSES * usualIntervalMs);
}

export class Pace {
  #lastMs: number;
  /** Is the time since the last frame a pause of the same source? */
  #counts = false;
  #meanMs: number | undefined;

  /** @param nowMs from then on it is silent */
  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** The running mean of the pauses between frames of all tracks, ms of real time; 0 before there was one. */
  get usualIntervalMs(): number {
    return this.#meanMs ?? 0;
  }

  /** Ms since the last frame. */
  silentMs(nowMs: number): number {
    return nowMs - this.#lastMs;
  }

  arrived(nowMs: number): void {
    const pauseMs = Math.min(nowMs - this.#lastMs, MAX_PAUSE_MS);
    this.#lastMs = nowMs;
    const counts = this.#counts;
    this.#counts = true;
    if (!counts || pauseMs < TOGETHER_MS) return;
    if (this.#meanMs === undefined) this.#meanMs = pauseMs;
    else this.#meanMs += (pauseMs - this.#meanMs) * SMOOTHING;
  }

  /** Another source, or the same again: the time until its first frame is no usual pause. */
  restart(): void {
    this.#counts = false;
  }
}
