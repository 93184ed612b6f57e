// Answers that cost something to make, shared by all who ask for the same within a moment, and let go after it: some are
// large. Bounded: the oldest goes first.
import type { Clock } from '../base/clock.ts';
import type { Table } from '../base/table.ts';

/** An answer this old is as good as a new one. */
export const FRESH_MS = 500;

export class SharedLooks<T> {
  readonly #clock: Clock;
  readonly #most: number;
  /** Those that are being made, and those that are fresh. */
  readonly #looks = new Map<string, Promise<T>>();

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
    if (kept) return kept;
    const look = make();
    this.#looks.set(name, look);
    for (const oldest of this.#looks.keys()) {
      if (this.#looks.size <= this.#most) break;
      this.#looks.delete(oldest);
    }
    const letGo = () => {
      if (this.#looks.get(name) === look) this.#looks.delete(name);
    };
    look.then(() => this.#clock.after(FRESH_MS, letGo), letGo);
    return look;
  }
}
