// May a new publisher take a stream over from a running one? Pure: two encoders that reconnect by themselves must not
// evict each other for ever.

const WINDOW_MS = 60_000;
const MAX_TAKEOVERS = 3;
/** A publisher silent for this long is a ghost: taking over from it counts as no takeover. */
const SILENT_MS = 2000;

/** Takeovers of one stream: at most 3 a minute; then none until a minute was quiet (design §3). */
export class TakeoverLimit {
  #takeoversMs: number[] = [];
  #refusedMs = Number.NEGATIVE_INFINITY;

  /**
   * Judges an attempt and remembers it.
   * @param silentMs how long the running publisher has sent nothing
   */
  allows(nowMs: number, silentMs: number): boolean {
    if (silentMs >= SILENT_MS) return true;
    const quiet = nowMs - this.#refusedMs >= WINDOW_MS;
    this.#takeoversMs = this.#takeoversMs.filter((atMs) => nowMs - atMs < WINDOW_MS);
    if (!quiet || this.#takeoversMs.length >= MAX_TAKEOVERS) {
      this.#refusedMs = nowMs;
      return false;
    }
    this.#takeoversMs.push(nowMs);
    return true;
  }
}
