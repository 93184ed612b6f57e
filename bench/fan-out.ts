// What live media costs: tideway beside node-media-server, nginx-rtmp and bare floors, measured by a load of its own.
//   npm run bench -- --quick
//   npm run bench -- --cases fan-out,join --rounds 3 --json out.json
// All of one case, size and round run directly after one another, so that ratios hold on a machine whose speed drifts.
// Exits with 1 if something could not be measured, never for what was measured.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { children, killChildrenOnInterrupt } from '../test/support/children.ts';
import { verdictsOf } from './fan-out/bars.ts';
import { ALL_CASES } from './fan-out/cases/all.ts';
import type { BenchCase, Run } from './fan-out/cases/case.ts';
import type { Contender, Outcome, Row } from './fan-out/figures.ts';
import { findCores, machineName, stepAside } from './fan-out/machine.ts';
import { type Options, readOptions, USAGE } from './fan-out/options.ts';
import { jsonRow, short, tableOf } from './fan-out/report.ts';
import type { Bench } from './fan-out/site.ts';
import { ALL_SUBJECTS } from './fan-out/subjects/all.ts';

const options = optionsOrExit();
killChildrenOnInterrupt();
const startedMs = performance.now();
const cores = findCores();
stepAside(cores);
const bench: Bench = {
  ...{ options, cores, flushes: [] },
  subjects: ALL_SUBJECTS.filter(({ name }) => options.subjects.includes(name)).filter(isInstalled),
  folder: mkdtempSync(join(tmpdir(), 'tideway-bench-')),
  note: (line) => console.log(line),
};
const machine = machineName();
console.log(`${machine}; ${coresText()}`);
process.once('exit', leaveNothing);
const rows: Row[] = [];
let failed = 0;
for (const each of ALL_CASES) if (options.cases.includes(each.name)) await runCase(each);
tell();
process.exit(failed === 0 ? 0 : 1);

async function runCase(each: BenchCase): Promise<void> {
  for (const size of each.sizes(options)) {
    const contenders = each.contenders(size, options).filter(isAsked);
    const outcomes = new Map<Contender, Outcome[]>(contenders.map((contender) => [contender, []]));
    const rounds = each.isRunOnce ? 1 : options.rounds;
    for (let round = 1; round <= rounds; round += 1) {
      bench.flushes = [];
      for (const contender of contenders) {
        const outcome = await carryOut(each, { ...size, contender }, round);
        if (outcome) outcomes.get(contender)?.push(outcome);
      }
    }
    for (const [contender, all] of outcomes) {
      if (all.length > 0) rows.push({ case: each.name, ...contender, ...size, rounds: all });
    }
  }
}

async function carryOut(each: BenchCase, run: Run, round: number): Promise<Outcome | undefined> {
  const { contender, players, mbps } = run;
  const what = `${each.name}, ${players} of ${mbps} Mbit/s, ${contender.subject} ${contender.format}, round ${round}`;
  try {
    const beganMs = performance.now();
    const outcome = await each.run(run, bench);
    const took = short((performance.now() - beganMs) / 1000);
    if (outcome) console.log(`${what} (${took} s): ${lineOf(outcome)}`);
    return outcome;
  } catch (error) {
    failed += 1;
    console.log(`${what}: NOT MEASURED: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function lineOf({ figures, clientBound, notes = [] }: Outcome): string {
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${short(value)}`);
  return [...parts, ...(clientBound ? ['client-bound'] : []), ...notes].join(', ');
}

function tell(): void {
  console.log(`\n${tableOf(rows)}\n`);
  const verdicts = verdictsOf(rows);
  if (verdicts.length > 0) console.log('| bar | where | measured | met |\n|---|---|---|---|');
  for (const { text, where, value, isMet } of verdicts) {
    console.log(`| ${text} | ${where} | ${short(value)} | ${isMet ? 'yes' : '**no**'} |`);
  }
  const minutes = (performance.now() - startedMs) / 60_000;
  console.log(`\n${short(minutes)} minutes; ${failed} not measured`);
  if (!options.json) return;
  const json = {
    machine,
    cores,
    options,
    rows: rows.map((row) => jsonRow(rows, row)),
    bars: verdicts,
  };
  writeFileSync(options.json, `${JSON.stringify(json, null, 2)}\n`);
}

/** What still runs then was left by an error that nobody caught. */
function leaveNothing(): void {
  rmSync(bench.folder, { recursive: true, force: true });
  if (!existsSync('/proc/self')) return;
  for (const { pid } of children()) process.kill(pid, 'SIGKILL');
}

function isAsked({ subject }: Contender): boolean {
  return bench.subjects.some(({ name }) => name === subject);
}

function isInstalled({ name, missing }: (typeof ALL_SUBJECTS)[number]): boolean {
  const hint = missing();
  if (hint !== undefined) console.log(`${name} is left out: ${hint}`);
  return hint === undefined;
}

function coresText(): string {
  const { server, crowd, publisher } = cores;
  if (server === undefined) return 'nothing is pinned to a core, as there is no taskset or only one core';
  return `the server on core ${server}, players on ${crowd}, publishers on ${publisher}`;
}

function optionsOrExit(): Options {
  try {
    const given = readOptions(process.argv.slice(2));
    if (given) return given;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}
