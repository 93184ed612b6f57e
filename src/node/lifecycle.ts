// Who was opened last is closed first, once, each told why.
import type { Reason } from '../base/errors.ts';

/** Something that can be closed; closing twice is calm. */
export type Close = (why: Reason) => void | Promise<void>;

/**
 * Collects what was opened. Close it, or move it out once all is open: with `await using`, a throw half way
 * closes what is open already, last first.
 */
export class Closer implements AsyncDisposable {
  #closes: Close[] = [];
  #closed: Promise<void> | undefined;

  add(close: Close): void {
    this.#closes.push(close);
  }

  /** Hands everything to a new owner; this one then closes nothing. */
  move(): Closer {
    const owner = new Closer();
    owner.#closes = this.#closes;
    this.#closes = [];
    return owner;
  }

  /** Closes last first; every close runs, and the first error is thrown at the end. */
  close(why: Reason): Promise<void> {
    this.#closed ??= this.#closeAll(why);
    return this.#closed;
  }

  async #closeAll(why: Reason): Promise<void> {
    let failed: { error: unknown } | undefined;
    for (let close = this.#closes.pop(); close; close = this.#closes.pop()) {
      try {
        await close(why);
      } catch (error) {
        failed ??= { error };
      }
    }
    if (failed) throw failed.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ code: 'lifecycle.start-failed', message: 'the start did not complete' });
  }
}
