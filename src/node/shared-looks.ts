// Answers that cost something to make, shared by all who ask for the same within a moment. Bounded: the oldest goes first.
import type { Clock } from '../base/clock.ts';
import type { Table } from '../base/table.ts';

/** An answer this old is as good as a new one. */
export const FRESH_MS = 500;

interface Look<T> {
  readonly answer: Promise<T>;
  /** Infinite while it is being made. */
  untilMs: number;
}

export class SharedLooks<T> {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #looks = new Map<string, Look<T>>();

  /** @param most answers that are kept */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** How full it is. */
  get kept(): Pick<Table, 'entries' | 'limit'> {
    return { entries: this.#looks.size, limit: undefined };
  }

  /** The answer of that name, made now if there is none that is fresh. One that failed is made again. */
  get(name: string, make: () => Promise<T>): Promise<T> {
    const kept = this.#looks.get(name);
    if (kept && this.#clock.now() < kept.untilMs) return kept.answer;
    const look: Look<T> = { answer: make(), untilMs: Number.POSITIVE_INFINITY };
    this.#looks.delete(name);
    this.#looks.set(name, look);
    for (const oldest of this.#looks.keys()) {
      if (this.#looks.size <= this.#most) break;
      this.#looks.delete(oldest);
    }
    const done = (freshMs: number) => {
      look.untilMs = this.#clock.now() + freshMs;
    };
    look.answer.then(
      () => done(FRESH_MS),
      () => done(0),
    );
    return look.answer;
  }
}
