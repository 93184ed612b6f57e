// What one peer makes the node hold of a message that is not whole yet, and when that is too much. Its door looks a few
// times a second.
import type { Reason } from '../base/errors.ts';
import type { MemoryBudget, MemoryCharge } from './memory-budget.ts';

/** More than a big key frame, which comes whole within moments. */
const HOG_BYTES = 1024 * 1024;

const HOG: Reason = {
  code: 'publish.unfinished',
  message: 'the node ran out of memory while this publisher held much of it with messages it did not finish',
};

export class Unfinished {
  readonly #budget: Pick<MemoryBudget, 'isExhausted'>;
  readonly #charge: MemoryCharge;

  constructor(budget: Pick<MemoryBudget, 'charge' | 'isExhausted'>) {
    this.#budget = budget;
    this.#charge = budget.charge('unfinished');
  }

  /** The peer holds so many bytes now. Answers why it is to be closed, if it is: the caller does so at once. */
  hold(bytes: number): Reason | undefined {
    this.#charge.hold(bytes);
    return bytes > HOG_BYTES && this.#budget.isExhausted ? HOG : undefined;
  }

  /** The peer is gone. */
  clear(): void {
    this.#charge.hold(0);
  }
}
