// Chance by a seed: the same choices for the same seed.
import { crc32 } from 'node:zlib';
import { randomOf } from './random-of.ts';

/** Bytes are cut at fewer places than this. */
const MAX_PLACES = 48;

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomOf(seed);
  }

  /** Of an input, so that the bytes alone give its run again. */
  static of(input: Buffer): Chance {
    return new Chance(crc32(input));
  }

  /** A whole number below `count`; 0 for none. */
  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  /** Mostly small, at most `most`: sizes of parts that are cut out, copied or put in. */
  size(most: number): number {
    return Math.min(most, 1 + this.below(2 ** this.below(11)));
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[this.below(items.length)] as Item;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** The bytes cut into pieces, none of them empty: at places near each other, or each byte alone if they are few. */
  pieces(bytes: Buffer): Buffer[] {
    const places = new Set<number>();
    if (bytes.length <= MAX_PLACES && this.oneIn(2))
      for (let at = 1; at < bytes.length; at += 1) places.add(at);
    let place = 0;
    for (let count = this.below(MAX_PLACES); count > 0; count -= 1) {
      place = this.oneIn(3) ? this.below(bytes.length) : place + 1 + this.below(8);
      if (place > 0 && place < bytes.length) places.add(place);
    }
    const ends = [...places].sort((a, b) => a - b);
    return bytes.length === 0 ? [] : [0, ...ends].map((start, at) => bytes.subarray(start, ends[at]));
  }
}
