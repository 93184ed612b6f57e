// How long frames may be gathered before they are flushed: pure. The dearer a flush, the longer the window.

/** The part of the event loop that flushing one stream may take. */
const LOOP_SHARE = 0.25;
/** Below this a timer costs more than it saves: frames go out at once. */
const MIN_WINDOW_MS = 4;
/** Weight of the newest flush in the running mean. */
const SMOOTHING = 0.2;

export class FlushWindow {
  readonly #maxMs: number;
  #costMs = 0;

  /** @param maxMs no frame waits longer, ms */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /** Ms to gather frames before the next flush; 0 is at once. */
  get ms(): number {
    const wanted = this.#costMs / LOOP_SHARE;
    return wanted < MIN_WINDOW_MS ? 0 : Math.min(wanted, this.#maxMs);
  }

  /** A flush took this long, ms. */
  flushed(costMs: number): void {
    this.#costMs += (costMs - this.#costMs) * SMOOTHING;
  }
}
