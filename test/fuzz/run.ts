// The fuzz command: fuzzes one target, or each of them.
//   npm run fuzz -- --target rtmp-chunks --seconds 60
//   npm run fuzz -- --target all --seconds 300 --seed 1
// Exits with 1 if it found something.
import { readFileSync } from 'node:fs';
import { corpusOf, writeFind } from './engine/corpus.ts';
import { Coverage } from './engine/coverage.ts';
import { type Find, type FuzzReport, fuzz, replay } from './engine/fuzzer.ts';
import { type Options, readOptions, USAGE } from './options.ts';

// Before the source is loaded, so that V8 counts its blocks.
const coverage = new Coverage();
const { targets } = await import('./targets/all.ts');
const { fuzzLive, LIVE } = await import('./live.ts');
const names = [...targets.map(({ name }) => name), LIVE];
const options = optionsOrExit();
if (options.replay === undefined) await fuzzAll(options);
else await replayOne(options, options.replay);

function optionsOrExit(): Options {
  try {
    const read = readOptions(process.argv.slice(2));
    if (read && read.target !== undefined && (read.target === 'all' || names.includes(read.target)))
      return read;
    console.log(`${USAGE}\ntargets: ${names.join(', ')}`);
    process.exit(read ? 2 : 0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

async function fuzzAll({ target, seconds, seed, out }: Options): Promise<void> {
  for (const name of target === 'all' ? names : [target]) {
    const found = targets.find((one) => one.name === name);
    const ms = seconds * 1_000;
    const report = found
      ? await fuzz(found, { seed, ms, coverage, corpus: corpusOf(found.name).map(({ bytes }) => bytes) })
      : await fuzzLive({ seed, ms, coverage });
    console.log(lineOf(report));
    for (const find of report.finds) tell(find, writeFind(out, report.target, seed, find));
    if (report.finds.length > 0) process.exitCode = 1;
  }
  coverage.stop();
}

async function replayOne({ target }: Options, path: string): Promise<void> {
  const found = targets.find(({ name }) => name === target);
  if (!found) throw new Error('--replay wants a target with inputs of its own, not live');
  const find = await replay(found, readFileSync(path));
  if (find) tell(find, path);
  else console.log(`${path}: nothing is wrong`);
  process.exitCode = find ? 1 : 0;
}

function lineOf({ target, seed, executions, ms, kept, covered, finds }: FuzzReport): string {
  const perS = Math.round((executions * 1_000) / ms);
  const blocks = `${covered.blocks} of ${covered.ofBlocks} blocks`;
  const functions = `${covered.functions} of ${covered.ofFunctions} functions`;
  const seconds = (ms / 1_000).toFixed(1);
  return (
    `${target}: seed ${seed}, ${executions} executions in ${seconds} s (${perS} a second), ` +
    `${functions}, ${blocks}, ${kept} inputs kept, ${finds.length} finds`
  );
}

function tell({ reason, at, input }: Find, path: string): void {
  console.log(`  ${reason}\n    at ${at}\n    ${input.length} bytes: ${path}`);
}
