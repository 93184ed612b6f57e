// Time comes in by hand: every class that waits or measures is given a Clock, so that tests can turn it.

/** A timer that was set; cancelling twice, or after it fired, is calm. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, fractional; the only time that durations are made of. */
  now(): number;
  /** Milliseconds since 1970 by the wall clock: for people, logs and epochs. */
  wallMs(): number;
  /** Calls `fire` once, `ms` from now. */
  after(ms: number, fire: () => void): Timer;
  /** Calls `fire` once the current turn of the event loop has read what it can. */
  soon(fire: () => void): Timer;
}

class ImmediateTimer implements Timer {
  readonly #immediate: NodeJS.Immediate;
  constructor(fire: () => void) {
    this.#immediate = setImmediate(fire);
  }
  cancel(): void {
    clearImmediate(this.#immediate);
  }
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

class TimeoutTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;
  constructor(ms: number, fire: () => void) {
    // A longer one would fire at once.
    this.#timeout = setTimeout(fire, Math.min(ms, MAX_TIMEOUT_MS));
  }
  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

/** The clock of the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after: (ms, fire) => new TimeoutTimer(ms, fire),
  soon: (fire) => new ImmediateTimer(fire),
};

/** Calls `tick` every `ms` until the timer is cancelled; a tick that is late doesn't bunch up with the next. */
export function every(clock: Clock, ms: number, tick: () => void): Timer {
  let current = clock.after(ms, run);
  function run(): void {
    current = clock.after(ms, run);
    tick();
  }
  return { cancel: () => current.cancel() };
}

/** When it was by the wall clock, as it goes now. @param ms a moment of the monotonic clock */
export function wallMsAt(clock: Clock, ms: number): number {
  return clock.wallMs() - (clock.now() - ms);
}

/** Resolves after a while. */
export function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/**
 * The duration, up to a tenth early or late, so that many do not come at once.
 * @param random 0 to 1
 */
export function jittered(ms: number, random: () => number): number {
  return ms * (0.9 + 0.2 * random());
}
