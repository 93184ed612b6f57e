// What a counter comes to of all that have no label of their own. Who has one changes, and who is gone was counted: so it
// adds what each grew by while it was among the others, and never falls. Pure.

export class OthersSum {
  /** Counts of those that were there when it was told last. */
  #before: ReadonlyMap<string, number> = new Map();
  #now = new Map<string, number>();
  #grown = 0;
  #sum = 0;

  /** One that is there, and what is counted of it; each once before `tell`. */
  see(of: string, count: number): void {
    this.#grown += this.#grownBy(of, count);
    this.#now.set(of, count);
  }

  /** The sum, once all were seen. @param named who has a label of its own now */
  tell(named: Iterable<string>): number {
    let grown = this.#grown;
    for (const of of named) grown -= this.#grownBy(of, this.#now.get(of) ?? 0);
    this.#sum += grown;
    this.#before = this.#now;
    this.#now = new Map();
    this.#grown = 0;
    return this.#sum;
  }

  /** One that counts less than before is another of the same name. */
  #grownBy(of: string, count: number): number {
    const before = this.#before.get(of) ?? 0;
    return count >= before ? count - before : count;
  }
}
