// When frames that were gathered are flushed: pure. The dearer a flush, and the busier the event loop with flushes, the
// longer the window from one to the next. A frame of the track that leads ends it: so the biggest frames hardly wait.

/** The part of the event loop that the flushes of one fan-out may take. */
const OWN_SHARE = 0.15;
/** Below this a window costs more than it saves: frames go out at once. */
const MIN_WINDOW_MS = 4;
/** A frame that leads ends a window of which so much is over: the times between such frames are seldom a whole window. */
const NEARLY_OVER = 0.75;
/** What was gathered waits for such a frame for so many windows at most. */
const PATIENCE = 1.25;
/** Weight of the newest flush in the running mean. */
const SMOOTHING = 0.2;
/** All fan-outs together may take so much until everybody's window grows, and so much when it is as long as it gets. */
const BUSY_SHARE = 0.4;
const FULL_SHARE = 0.8;

/** A frame `leads` if it is of the track that most bytes are of: video, or what there is. Others come `beside` it. */
export type FrameRank = 'leads' | 'beside';

export class FlushWindow {
  readonly #maxMs: number;
  #costMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param maxMs no frame waits longer, ms */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /**
   * How long from one flush to the next, ms; 0: each frame goes at once.
   * @param loopShare of all flushes of the node, 0 to 1
   */
  ms(loopShare: number): number {
    const busy = Math.max(0, (loopShare - BUSY_SHARE) / (FULL_SHARE - BUSY_SHARE));
    const wanted = Math.max(this.#costMs / OWN_SHARE, busy * this.#maxMs);
    return wanted < MIN_WINDOW_MS ? 0 : Math.min(wanted, this.#maxMs);
  }

  /**
   * For how long a frame that comes now is to wait for others, ms. 0: all that wait go at once.
   * @param oldestMs when the first of those that wait came: up to `maxMs` ago
   */
  waitMs(nowMs: number, loopShare: number, rank: FrameRank, oldestMs: number): number {
    const windowMs = this.ms(loopShare);
    const goneMs = nowMs - this.#lastMs;
    if (rank === 'leads' && goneMs >= NEARLY_OVER * windowMs) return 0;
    return Math.max(0, Math.min(PATIENCE * windowMs - goneMs, oldestMs + this.#maxMs - nowMs));
  }

  /** A flush that began at `startMs` took so much of the event loop, ms. */
  flushed(startMs: number, costMs: number): void {
    this.#lastMs = startMs;
    this.#costMs += (costMs - this.#costMs) * SMOOTHING;
  }
}
