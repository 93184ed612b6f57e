// Fuzzing as part of the tests: each target takes its corpus, in which every input that once broke something has a name,
// and is then fuzzed for FUZZ_SECONDS (5) with the seed FUZZ_SEED (1).
import { expect, test } from 'vitest';
import { corpusOf, writeFind } from './engine/corpus.ts';
import { Coverage } from './engine/coverage.ts';
import { type FuzzReport, fuzz, replay } from './engine/fuzzer.ts';

const MS = Number(process.env.FUZZ_SECONDS ?? 5) * 1_000;
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** For what begins and ends a run, and for finds that are made smaller. */
const SLACK_MS = 20_000;
const FINDS = 'test-output/fuzz';

/** Tests of the targets of these names, one after the other: V8 counts for the whole process. */
export async function fuzzInTests(names: readonly string[]): Promise<void> {
  const coverage = new Coverage();
  const { targets } = await import('./targets/all.ts');
  for (const name of names) {
    const target = targets.find((one) => one.name === name);
    if (!target) throw new Error(`there is no target ${name}`);
    const corpus = corpusOf(name);
    test(`${name} takes its corpus`, async () => {
      const wrong: string[] = [];
      for (const { name, bytes } of corpus) {
        const find = await replay(target, bytes);
        if (find) wrong.push(`${name}: ${find.reason} at ${find.at}`);
      }
      expect(wrong).toEqual([]);
    });
    test(`${name} stands ${MS / 1_000} s of fuzzing`, { timeout: MS + SLACK_MS }, async () => {
      const options = { seed: SEED, ms: MS, coverage, corpus: corpus.map(({ bytes }) => bytes) };
      hold(await fuzz(target, options));
    });
  }
}

/** The same for the live target. */
export async function fuzzLiveInTests(): Promise<void> {
  const coverage = new Coverage();
  const { fuzzLive } = await import('./live.ts');
  test(`a node stands ${MS / 1_000} s of fuzzing beside a witness`, {
    timeout: MS + 2 * SLACK_MS,
  }, async () => {
    hold(await fuzzLive({ seed: SEED, ms: MS, coverage }));
  });
}

/** Nothing was found, and the fuzzer saw the code that it is about. */
function hold({ target, seed, finds, executions, covered }: FuzzReport): void {
  const told = finds.map((find) => `${find.reason} at ${find.at}: ${writeFind(FINDS, target, seed, find)}`);
  expect(told).toEqual([]);
  expect(executions).toBeGreaterThan(20);
  expect(covered.functions).toBeGreaterThan(0);
  expect(covered.blocks).toBeGreaterThan(covered.ofBlocks / 2);
}
