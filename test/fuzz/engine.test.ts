// The fuzzer itself: it finds what is planted, makes it small, and does the same for the same seed.
import { expect, test } from 'vitest';
import { FlvReader } from '../../src/format/flv.ts';
import { Chance } from '../support/chance.ts';
import { Coverage } from './engine/coverage.ts';
import { type FuzzOptions, fuzz, replay } from './engine/fuzzer.ts';
import { mutate } from './engine/mutate.ts';
import { rule, type Target } from './engine/target.ts';

/** Coverage counts for the whole process, so the tests share it. */
const coverage = new Coverage();
const START = Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0 and more', 'latin1');

function options(changes: Partial<FuzzOptions> = {}): FuzzOptions {
  return { seed: 7, ms: 15_000, executions: 3_000, coverage, corpus: [START], ...changes };
}

function targetOf(run: Target['run']): Target {
  return { name: 'planted', covers: ['src/format/flv.ts'], words: [Buffer.from('word')], maxBytes: 200, run };
}

test('a planted error is found, once, and made as small as it can be', async () => {
  const planted = targetOf((input) => {
    if (input.includes('word')) throw new TypeError('the word was said');
  });
  const { finds } = await fuzz(planted, options());
  expect(finds.map(({ input, reason }) => `${input}: ${reason}`)).toEqual([
    'word: threw TypeError: the word was said',
  ]);
});

test('finds of other kinds are told apart, those of one kind are not', async () => {
  const planted = targetOf((input) => {
    rule(!input.includes('word'), `the word was said in ${input.length} bytes`);
    rule(input.length < 30, `${input.length} bytes are too many`);
  });
  const { finds } = await fuzz(planted, options());
  expect(finds.map(({ reason }) => reason.replace(/\d+/g, 'N')).sort()).toEqual([
    'N bytes are too many',
    'the word was said in N bytes',
  ]);
});

test('an input that takes too long, and one that asks for a large buffer, are finds', async () => {
  const slow = targetOf(() => {
    const before = process.cpuUsage();
    let spentUs = 0;
    while (spentUs < 60_000) {
      const { user, system } = process.cpuUsage(before);
      spentUs = user + system;
    }
  });
  expect((await replay(slow, START))?.reason).toMatch(/^22 bytes took \d+ ms$/);
  const large = targetOf(() => void Buffer.allocUnsafe(10_000_000));
  expect((await replay(large, START))?.reason).toBe('22 bytes made a buffer of 10000000');
});

test('the same seed makes the same inputs, another one makes others', async () => {
  const seen = async (seed: number) => {
    const inputs: string[] = [];
    await fuzz(
      targetOf((input) => void inputs.push(input.toString('hex'))),
      options({ seed, executions: 300 }),
    );
    return inputs.join('\n');
  };
  const first = await seen(1);
  expect((await seen(1)) === first).toBe(true);
  expect((await seen(2)) === first).toBe(false);
});

test('inputs that reach new code are kept, and coverage tells so', async () => {
  const reading = targetOf((input) => {
    try {
      new FlvReader().push(input);
    } catch {
      // What it refuses is another test's matter.
    }
  });
  const { kept, covered } = await fuzz(reading, options());
  expect(kept).toBeGreaterThan(3);
  expect(covered.functions).toBeGreaterThan(5);
  expect(covered.blocks).toBeGreaterThan(20);
});

test('mutations leave their input alone, and keep to the bound', () => {
  const chance = new Chance(3);
  const before = START.toString('hex');
  const stock = { inputs: [START], words: [Buffer.from('word')], maxBytes: 40 };
  const made = Array.from({ length: 2_000 }, () => mutate(START, chance, stock));
  expect(START.toString('hex')).toBe(before);
  expect(Math.max(...made.map(({ length }) => length))).toBe(40);
  expect(new Set(made.map((one) => one.toString('hex'))).size).toBeGreaterThan(1_500);
});

test('an empty input can be mutated', () => {
  const chance = new Chance(4);
  const stock = { inputs: [], words: [], maxBytes: 40 };
  for (let run = 0; run < 500; run += 1) mutate(Buffer.alloc(0), chance, stock);
});

test('pieces are the bytes, in order, none of them empty', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const pieces = new Chance(seed).pieces(START);
    expect(Buffer.concat(pieces).equals(START)).toBe(true);
    expect(pieces.every(({ length }) => length > 0)).toBe(true);
  }
  expect(new Chance(1).pieces(Buffer.alloc(0))).toEqual([]);
});
