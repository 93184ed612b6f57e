// The time for which this process ran, and could have read what peers sent. A process that stood still (a long turn of
// the event loop, SIGSTOP, a starved machine) must not take the silence that it slept through for theirs. Pure.

/** How often the process looks at itself, ms. */
export const PULSE_MS = 50;

/**
 * Time that stops while the process does. A pulse is due each PULSE_MS: what passes between the moment that one was due
 * and the moment that it comes did not pass here. So a stall costs a peer at most the rest of a pulse.
 *
 * After a stall timers fire first and sockets are read next, and what the peers sent meanwhile is in the kernel. So
 * until one poll has passed, `seenMs` stands where it stood after the poll before.
 */
export class OwnTime {
  #dueMs: number;
  #stoodMs = 0;
  #pulsedMs: number;
  #polledMs: number;
  #isPolled = true;

  constructor(nowMs: number) {
    this.#dueMs = nowMs + PULSE_MS;
    this.#pulsedMs = nowMs;
    this.#polledMs = nowMs;
  }

  /** Own time, ms; its zero means nothing. */
  at(nowMs: number): number {
    return Math.min(nowMs, this.#dueMs) - this.#stoodMs;
  }

  /** Own time up to which everything that came has been read. */
  seenMs(nowMs: number): number {
    return this.#isPolled && nowMs <= this.#dueMs ? this.at(nowMs) : this.#polledMs;
  }

  /** Ms for which the process stood still, ever. */
  stoodMs(nowMs: number): number {
    return this.#stoodMs + Math.max(0, nowMs - this.#dueMs);
  }

  /** PULSE_MS after the one before, or as soon as the process can. */
  pulse(nowMs: number): void {
    this.#stoodMs = this.stoodMs(nowMs);
    this.#isPolled = nowMs <= this.#dueMs;
    this.#dueMs = nowMs + PULSE_MS;
    this.#pulsedMs = this.at(nowMs);
  }

  /** The sockets have been read once since the last pulse. */
  polled(): void {
    this.#isPolled = true;
    this.#polledMs = this.#pulsedMs;
  }
}
