// Work that is too long for one turn of the event loop, done in slices: some of it each turn, all who have work in turn.
import type { Clock } from './clock.ts';

/** What is spent in one turn, ms, and what the last step takes beyond it. */
const SLICE_MS = 4;

interface Job {
  /** Does one step. @returns is it done? */
  readonly step: () => boolean;
}

/** One for the node: who has more work does not get more of each turn, but for longer. */
export class Slices {
  readonly #clock: Clock;
  /** Bounded by who gives work. */
  readonly #jobs: Job[] = [];
  #isDue = false;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Jobs that are not done. */
  get count(): number {
    return this.#jobs.length;
  }

  /**
   * Does the work from the next turn on: a step is what comes before each `yield`, and takes a millisecond at most.
   * Rejects with what the work throws.
   */
  run<T>(work: Generator<void, T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          const { done, value } = work.next();
          if (done) resolve(value);
          return done === true;
        } catch (error) {
          reject(error);
          return true;
        }
      };
      this.#jobs.push({ step });
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.soon(() => this.#turn());
  }

  #turn(): void {
    this.#isDue = false;
    const untilMs = this.#clock.now() + SLICE_MS;
    do {
      const job = this.#jobs.shift();
      if (!job) return;
      if (!job.step()) this.#jobs.push(job);
    } while (this.#clock.now() < untilMs);
    if (this.#jobs.length > 0) this.#wake();
  }
}
