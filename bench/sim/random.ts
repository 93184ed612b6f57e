// Chance by a seed: the same numbers each time. Each part of a simulation draws from its own, so that one that draws more
// often does not change what happens to the others.
import { lotOf } from '../../src/routing/lots.ts';

/** The generator sfc32. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: string) {
    this.#a = lotOf(`${seed} a`);
    this.#b = lotOf(`${seed} b`);
    this.#c = lotOf(`${seed} c`);
    for (let turn = 0; turn < 12; turn += 1) this.share();
  }

  /** 0 to 1, without 1. */
  share(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  }

  /** A whole number below `count`. */
  below(count: number): number {
    return Math.floor(this.share() * count);
  }

  between(least: number, most: number): number {
    return least + this.share() * (most - least);
  }

  /** A time until something that happens by itself, which takes so long in the mean. */
  wait(meanMs: number): number {
    return -Math.log(1 - this.share()) * meanMs;
  }

  /** @throws RangeError on an empty list */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const mixed = items.map((item) => ({ item, at: this.share() }));
    return mixed.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }
}

/** Draws places of a list by weight. */
export class Weighted {
  readonly #sums: Float64Array;

  constructor(weights: readonly number[]) {
    let sum = 0;
    this.#sums = Float64Array.from(weights, (weight) => {
      sum += weight;
      return sum;
    });
  }

  draw(random: Random): number {
    const wanted = random.share() * (this.#sums.at(-1) ?? 0);
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** How often the first, second, … of so many is asked for, by Zipf's law. */
export function zipf(count: number, exponent: number): number[] {
  return Array.from({ length: count }, (_, at) => (at + 1) ** -exponent);
}
