// What is fuzzed: a target reads an input, and throws if something about that broke a rule.
import type { Chance } from '../../support/chance.ts';

export interface Target {
  /** Also the folder of its corpus. */
  readonly name: string;
  /** Source files whose blocks guide the fuzzer, and whose coverage is told. */
  readonly covers: readonly string[];
  /** What the format is made of: mutations put it in. */
  readonly words: readonly Buffer[];
  readonly maxBytes: number;
  /**
   * Reads the input and holds what comes of it against the target's rules. Whatever it throws is a find.
   * @param chance of this input: the same each time
   */
  run(input: Buffer, chance: Chance): void | Promise<void>;
}

/** A rule of a target was broken. */
export class Broken extends Error {}

/** @throws Broken */
export function rule(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Broken(text);
}

/** Words of a text format. */
export function wordsOf(...texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text, 'latin1'));
}

/** Words of a binary format, in hex. */
export function hexWords(...words: readonly string[]): Buffer[] {
  return words.map((word) => Buffer.from(word.replaceAll(' ', ''), 'hex'));
}
