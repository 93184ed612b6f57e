// Readers that are given the log alone, one after the other, a little each: who just came, who fell behind, who waits
// for a frame to start at. It keeps their order; what they are given is the fan-out's.
import type { Job, Turns } from './turns.ts';

/** What became of a reader that was given something: there is `more` for it now; it is `idle` until something is appended. */
export type CatchUpState = 'more' | 'idle' | 'done';

export class CatchUp<R> implements Job {
  readonly #turns: Turns;
  readonly #give: (reader: R) => CatchUpState;
  readonly #row = new Set<R>();
  readonly #idle = new Set<R>();

  /** @param give the next piece for a reader; may remove it, and others */
  constructor(turns: Turns, give: (reader: R) => CatchUpState) {
    this.#turns = turns;
    this.#give = give;
  }

  get hasIdle(): boolean {
    return this.#idle.size > 0;
  }

  /** The reader is served in its turn. Calm when repeated. */
  add(reader: R): void {
    this.#idle.delete(reader);
    this.#row.add(reader);
    this.#turns.catchUp(this);
  }

  remove(reader: R): void {
    this.#row.delete(reader);
    this.#idle.delete(reader);
  }

  /** Those who were idle are served in their turn. */
  wake(): void {
    if (this.#idle.size === 0) return;
    for (const reader of this.#idle) this.#row.add(reader);
    this.#idle.clear();
    this.#turns.catchUp(this);
  }

  work(untilMs: number): boolean {
    let left = this.#row.size;
    for (const reader of this.#row) {
      this.#row.delete(reader);
      this.settle(reader, this.#give(reader));
      left -= 1;
      if (left <= 0 || this.#turns.nowMs >= untilMs) break;
    }
    return this.#row.size === 0;
  }

  /** The reader was given something: it goes where its state says. */
  settle(reader: R, state: CatchUpState): void {
    if (state === 'more') this.add(reader);
    else if (state === 'idle') this.#idle.add(reader);
  }
}
