// When a node that is to be linked is dialled by itself. Pure: time and chance come in by hand.

const FIRST_MS = 200;
const MOST_MS = 2_000;
/** The higher id leaves the first try to the lower one, so that the two don't cross. */
const HIGHER_WAITS_MS = 2_000;
/** A link that lasted for so long makes the tries before it forgotten. */
const LASTED_MS = 5_000;

/** One node's. */
export class Backoff {
  readonly #isLower: boolean;
  readonly #random: () => number;
  #failures = 0;
  #dueMs: number;

  /**
   * @param isLower this node's id is the lower of both
   * @param random 0 to 1
   */
  constructor(isLower: boolean, random: () => number, nowMs: number) {
    this.#isLower = isLower;
    this.#random = random;
    this.#dueMs = nowMs + this.#firstWaitMs;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  /** A try failed. Doubles the wait, up to 2 s, half of it by chance. */
  failed(nowMs: number): void {
    this.#failures += 1;
    this.#dueMs = nowMs + this.#waitMs();
  }

  /** A link that was open is not any more. */
  lost(nowMs: number, lastedMs: number): void {
    if (lastedMs >= LASTED_MS) this.#failures = 0;
    else this.#failures += 1;
    this.#dueMs = nowMs + Math.max(this.#waitMs(), this.#firstWaitMs);
  }

  get #firstWaitMs(): number {
    return this.#isLower ? 0 : HIGHER_WAITS_MS;
  }

  #waitMs(): number {
    if (this.#failures === 0) return 0;
    const ms = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(this.#failures - 1, 16));
    return ms * (0.5 + 0.5 * this.#random());
  }
}
