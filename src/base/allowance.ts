// What one peer may ask of the event loop for long. Pure: time comes in by hand.

/**
 * Messages a second, and at once. The busiest encoders send some hundreds, a file that is pushed at full speed some
 * thousands.
 */
const MESSAGES_PER_SECOND = 20_000;

/** A peer's allowance of messages. While it is spent, its door reads nothing more; the rest stays in the kernel. */
export class Allowance {
  #left = MESSAGES_PER_SECOND;
  #replenishedMs: number | undefined;

  get isSpent(): boolean {
    return this.#left < 0;
  }

  spend(messages: number): void {
    this.#left -= messages;
  }

  /** Called a few times a second. */
  replenish(nowMs: number): void {
    const elapsedMs = nowMs - (this.#replenishedMs ?? nowMs);
    this.#replenishedMs = nowMs;
    this.#left = Math.min(MESSAGES_PER_SECOND, this.#left + (elapsedMs * MESSAGES_PER_SECOND) / 1000);
  }
}
