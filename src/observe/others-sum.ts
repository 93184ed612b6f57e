// What a counter comes to of all that have no label of their own. Who has one changes, and who is gone was counted: so it
// adds what each grew by while it was among the others, and never falls. Pure.

/** A count of one, as it is now. */
export interface Counted {
  readonly of: string;
  readonly count: number;
  /** Has it a label of its own? */
  readonly isNamed: boolean;
}

export class OthersSum {
  /** Of those that were there when it was told last. */
  #known: ReadonlyMap<string, number> = new Map();
  #sum = 0;

  /** @param all that are there now, each once */
  tell(all: Iterable<Counted>): number {
    const now = new Map<string, number>();
    for (const { of, count, isNamed } of all) {
      const before = this.#known.get(of) ?? 0;
      // One that counts less than before is another of the same name.
      if (!isNamed) this.#sum += count >= before ? count - before : count;
      now.set(of, count);
    }
    this.#known = now;
    return this.#sum;
  }
}
