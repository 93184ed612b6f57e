// Inputs made of others: bits flipped, numbers set to where mistakes live, parts doubled, moved, cut, put in.
import type { Chance } from '../../support/chance.ts';

export interface Stock {
  /** Inputs to splice with. */
  readonly inputs: readonly Buffer[];
  readonly words: readonly Buffer[];
  readonly maxBytes: number;
}

type Mutation = (input: Buffer, chance: Chance, stock: Stock) => Buffer;

const EMPTY: Buffer = Buffer.alloc(0);
/** Of numbers in 1, 2, 3 or 4 bytes; what is too big for its bytes loses its upper ones. */
const EDGES = [
  0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 125, 126, 127, 128, 255, 256, 319, 320, 1023, 1024, 1025, 4095, 4096,
  32_767, 32_768, 65_535, 65_536, 0x7fffff, 0x800000, 0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000,
  0xfffffffe, 0xffffffff,
];
/** Looks at so many places for a number that might be a length. */
const LOOKS = 12;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setNumber,
  addToNumber,
  editLength,
  editLength,
  remove,
  double,
  move,
  insertNoise,
  insertWord,
  insertWord,
  setWord,
  splice,
  truncate,
];

/** A new input made of one, by one mutation or some; the old one stays as it is. */
export function mutate(input: Buffer, chance: Chance, stock: Stock): Buffer {
  let made: Buffer = input;
  do {
    made = chance.pick(MUTATIONS)(made, chance, stock);
  } while (chance.below(3) > 0);
  return Buffer.from(made.subarray(0, stock.maxBytes));
}

function flipBit(input: Buffer, chance: Chance): Buffer {
  if (input.length === 0) return input;
  const made = Buffer.from(input);
  const at = chance.below(made.length);
  made[at] = (made[at] ?? 0) ^ (1 << chance.below(8));
  return made;
}

function setByte(input: Buffer, chance: Chance): Buffer {
  if (input.length === 0) return input;
  const made = Buffer.from(input);
  made[chance.below(made.length)] = chance.below(256);
  return made;
}

function setNumber(input: Buffer, chance: Chance): Buffer {
  return withNumber(input, chance, () => chance.pick(EDGES));
}

function addToNumber(input: Buffer, chance: Chance): Buffer {
  return withNumber(input, chance, (value) => value + chance.below(33) - 16);
}

/** A number that is no more than what follows it may be its length: it becomes a wrong one, or one that says "all". */
function editLength(input: Buffer, chance: Chance): Buffer {
  for (let look = 0; look < LOOKS; look += 1) {
    const size = 1 + chance.below(4);
    const at = chance.below(input.length - size + 1);
    if (at + size > input.length) continue;
    const value = input.readUIntBE(at, size);
    const rest = input.length - at - size;
    if (value === 0 || value > 2 * rest) continue;
    return set(
      input,
      at,
      size,
      chance.pick([0, value - 1, value + 1, 2 * value, rest, rest + 1, 0xffffffff]),
    );
  }
  return setNumber(input, chance);
}

function remove(input: Buffer, chance: Chance): Buffer {
  const at = chance.below(input.length);
  return Buffer.concat([input.subarray(0, at), input.subarray(at + chance.size(input.length))]);
}

function double(input: Buffer, chance: Chance): Buffer {
  const at = chance.below(input.length);
  const part = input.subarray(at, at + chance.size(input.length));
  const times = chance.oneIn(8) ? chance.below(40) : 1;
  return insert(input, at, Buffer.concat(Array.from({ length: times }, () => part)));
}

function move(input: Buffer, chance: Chance): Buffer {
  const from = chance.below(input.length);
  const part = input.subarray(from, from + chance.size(input.length));
  const rest = Buffer.concat([input.subarray(0, from), input.subarray(from + part.length)]);
  return insert(rest, chance.below(rest.length + 1), part);
}

function insertNoise(input: Buffer, chance: Chance): Buffer {
  return insert(input, chance.below(input.length + 1), chance.bytes(chance.size(32)));
}

function insertWord(input: Buffer, chance: Chance, { words }: Stock): Buffer {
  const word = words.length > 0 ? chance.pick(words) : EMPTY;
  return insert(input, chance.below(input.length + 1), word);
}

function setWord(input: Buffer, chance: Chance, { words }: Stock): Buffer {
  const word = words.length > 0 ? chance.pick(words) : EMPTY;
  const at = chance.below(input.length + 1);
  return Buffer.concat([input.subarray(0, at), word, input.subarray(at + word.length)]);
}

function splice(input: Buffer, chance: Chance, { inputs }: Stock): Buffer {
  const other = inputs.length > 0 ? chance.pick(inputs) : EMPTY;
  const start = input.subarray(0, chance.below(input.length + 1));
  return Buffer.concat([start, other.subarray(chance.below(other.length + 1))]);
}

function truncate(input: Buffer, chance: Chance): Buffer {
  return input.subarray(0, chance.below(input.length + 1));
}

function insert(input: Buffer, at: number, part: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), part, input.subarray(at)]);
}

function withNumber(input: Buffer, chance: Chance, change: (value: number) => number): Buffer {
  const size = Math.min(1 + chance.below(4), input.length);
  if (size === 0) return input;
  const at = chance.below(input.length - size + 1);
  return set(input, at, size, change(input.readUIntBE(at, size)));
}

function set(input: Buffer, at: number, size: number, value: number): Buffer {
  const made = Buffer.from(input);
  const most = 256 ** size;
  made.writeUIntBE(((value % most) + most) % most, at, size);
  return made;
}
