// What players notice when the relay between their node and the origin dies, stops or goes silent.
//   npm run bench:failover -- --trials 30 --json out.json
// Real nodes as processes, a real redis-server, three players of two streams at each of the other nodes. Exits with 1 if
// a frame was lost or came twice, a player was disconnected, or waited too long.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killChildrenOnInterrupt } from '../test/support/children.ts';
import {
  caseOf,
  FAULTS,
  FailoverStage,
  type Fault,
  type FaultCase,
  MAX_GAP_MS,
  type Trial,
} from '../test/support/failover.ts';
import { randomOf } from '../test/support/random-of.ts';

const USAGE = `npm run bench:failover -- [options]
  --trials N       trials of each fault (30)
  --faults LIST    some of: ${FAULTS.join(', ')} (all)
  --seed N         chooses when within a group of pictures a fault falls (1)
  --max-minutes N  stops after the trial in which this is over, and says so (120)
  --json FILE      writes {cases: [{fault, trials, lost, duplicated, disconnects, gapMs: {p50, p99, max}}]}
  --detail FILE    writes what each player of each trial saw`;

/** After so many trials in a row that could not be carried out, the rest would not either. */
const MAX_FAILED = 3;

interface Options {
  readonly trials: number;
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly maxMinutes: number;
  readonly json: string | undefined;
  readonly detail: string | undefined;
}

const options = readOptions();
killChildrenOnInterrupt();
const machine = `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`;
console.log(`${machine}; ${options.trials} trials of each fault, seed ${options.seed}`);
const startedMs = performance.now();
const done: Trial[] = [];
let failed = 0;
const stage = await FailoverStage.open(randomOf(options.seed));
try {
  await runTrials(stage);
} finally {
  await stage[Symbol.asyncDispose]();
}
const cases = options.faults
  .map((fault) =>
    caseOf(
      fault,
      done.filter((trial) => trial.fault === fault),
    ),
  )
  .filter(({ trials }) => trials > 0);
tell(cases);
if (options.json) writeFileSync(options.json, `${JSON.stringify({ cases }, null, 2)}\n`);
if (options.detail) {
  writeFileSync(
    options.detail,
    `${JSON.stringify({ machine, seed: options.seed, trials: done }, null, 2)}\n`,
  );
}
const wanted = options.trials * options.faults.length;
if (done.length < wanted) console.log(`only ${done.length} of ${wanted} trials were carried out`);
process.exit(done.length === wanted && cases.every(isGood) && done.every(isRight) ? 0 : 1);

async function runTrials(on: FailoverStage): Promise<void> {
  let failedInARow = 0;
  for (const fault of options.faults) {
    for (let number = 1; number <= options.trials; number += 1) {
      if (performance.now() - startedMs > options.maxMinutes * 60_000) {
        console.log(`${options.maxMinutes} minutes are over`);
        return;
      }
      try {
        const trial = await on.trial(fault);
        done.push(trial);
        failedInARow = 0;
        console.log(progressOf(trial, number));
      } catch (error) {
        failed += 1;
        failedInARow += 1;
        console.log(`${fault} ${number}/${options.trials}: not carried out: ${String(error)}`);
        if (failedInARow >= MAX_FAILED) return;
      }
    }
  }
}

function progressOf(trial: Trial, number: number): string {
  const { fault, lost, duplicated, disconnects, otherFaults, gapMs, harnessStallMs, isSpoilt } = trial;
  const parts = [
    `${fault} ${number}/${options.trials}:`,
    `lost ${lost}, twice ${duplicated}, disconnects ${disconnects},`,
    `gap ${gapMs.toFixed(0)} ms`,
    ...(otherFaults > 0 ? [`OTHER FAULTS ${otherFaults}`] : []),
    ...(isSpoilt ? [`(the harness itself stalled for ${harnessStallMs.toFixed(0)} ms)`] : []),
  ];
  const words = trial.players.flatMap((player) =>
    [...player.words, ...(player.disconnected ? [`disconnected: ${player.disconnected}`] : [])].map(
      (what) => `\n    ${player.format} on ${player.node}, ${player.stream}: ${what}`,
    ),
  );
  return parts.join(' ') + words.slice(0, 6).join('');
}

function tell(all: readonly FaultCase[]): void {
  console.log('\n| fault | trials | lost | twice | disconnects | gap p50 ms | p99 | max | allowed |');
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const { fault, trials, lost, duplicated, disconnects, gapMs } of all) {
    const { p50, p99, max } = gapMs;
    const cells = [fault, trials, lost, duplicated, disconnects, p50, p99, max, MAX_GAP_MS[fault]];
    console.log(`| ${cells.join(' | ')} |`);
  }
  const spoilt = done.filter(({ isSpoilt }) => isSpoilt).length;
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  console.log(
    `\n${minutes} minutes; the harness itself stalled in ${spoilt} trials; ${failed} not carried out`,
  );
}

function isGood({ fault, lost, duplicated, disconnects, gapMs }: FaultCase): boolean {
  return lost + duplicated + disconnects === 0 && gapMs.max <= MAX_GAP_MS[fault];
}

function isRight({ otherFaults }: Trial): boolean {
  return otherFaults === 0;
}

function readOptions(): Options {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({
      options: {
        ...{ trials: text, faults: text, seed: text, 'max-minutes': text, json: text, detail: text },
        help: { type: 'boolean' },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const names = values.faults?.split(',').map((name) => name.trim());
    const faults = names ? names.map(faultOf) : FAULTS;
    return {
      trials: numberOf('trials', values.trials ?? '30'),
      faults,
      seed: numberOf('seed', values.seed ?? '1'),
      maxMinutes: numberOf('max-minutes', values['max-minutes'] ?? '120'),
      json: values.json,
      detail: values.detail,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function faultOf(name: string): Fault {
  const fault = FAULTS.find((each) => each === name);
  if (!fault) throw new Error(`--faults: there is no fault "${name}"`);
  return fault;
}

function numberOf(name: string, given: string): number {
  const number = Number(given);
  if (!Number.isInteger(number) || number < 0) throw new Error(`--${name}: "${given}" is no whole number`);
  return number;
}
