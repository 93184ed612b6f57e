// What it costs to measure each stream and to be scraped: CPU for a GB given to 500 HTTP-FLV players, of this build with its
// metrics read each 5 s, beside a build from before.
//   npm run bench:observe -- --before ../tideway-before --rounds 5 --seconds 8 --json out.json
// Exits with 1 if something could not be measured, never for what was measured.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { killChildrenOnInterrupt } from '../test/support/children.ts';
import { PROJECT_FOLDER } from '../test/support/node-process.ts';
import { type Figures, spreadOf } from './fan-out/figures.ts';
import { findCores, machineName, stepAside } from './fan-out/machine.ts';
import { readOptions } from './fan-out/options.ts';
import { type Bench, Site } from './fan-out/site.ts';
import { tideway } from './fan-out/subjects/tideway.ts';

const MBPS = 1;
const SCRAPE_EVERY_MS = 5_000;
const WARM_SCRAPES = 100;
/** More than this is too much: a part of the CPU that it costs without. */
const MAX_MORE = 0.03;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { before: text, players: text, rounds: text, seconds: text, json: text },
});
const { before } = values;
if (before === undefined) {
  console.error('--before FOLDER: a build of tideway without what is measured, `npm run build` done');
  process.exit(1);
}
const players = Number(values.players ?? '500');
const rounds = Number(values.rounds ?? '5');
const seconds = Number(values.seconds ?? '8');
const BUILDS = { before: resolve(before), after: PROJECT_FOLDER };
type Side = keyof typeof BUILDS;

killChildrenOnInterrupt();
const cores = findCores();
stepAside(cores);
const bench: Bench = {
  ...{ options: readOptions([]) ?? process.exit(1), cores, flushes: [], subjects: [tideway] },
  folder: mkdtempSync(join(tmpdir(), 'tideway-bench-')),
  note: (line) => console.log(line),
};
process.once('exit', () => rmSync(bench.folder, { recursive: true, force: true }));
console.log(`${machineName()}; load ${loadavg()[0]?.toFixed(1)}; ${players} players of ${MBPS} Mbit/s`);

interface Measured {
  readonly cpuSecondsPerGB: number;
  readonly delivery: number;
  readonly scrapeMs: readonly number[];
}

/** Both at once, on the same core: what others do on the machine, and the windows that follow from it, are alike for both. */
async function measure(order: readonly Side[]): Promise<Record<Side, Measured>> {
  const contender = { subject: 'tideway', format: 'http-flv' } as const;
  const open = async (side: Side) => {
    const site = await Site.open(bench, contender, { build: BUILDS[side] });
    await site.publish(1, MBPS);
    return site;
  };
  const [first, second] = [order[0] ?? 'before', order[1] ?? 'after'];
  await using one = await open(first);
  await using other = await open(second);
  const sites = { [first]: one, [second]: other } as Record<Side, Site>;
  for (const side of order) await sites[side].join('all', players, { withinMs: 2_000 });
  // The code of scrapes is compiled once it was used for a while: a node that lives for an hour has had 720 of them.
  await warm(sites.after.server.at('http-flv'));
  await delay(2_500);
  const scrapes = new Scrapes(sites.after.server.at('http-flv'));
  const [before, after] = await Promise.all([
    sites.before.window('all', seconds),
    sites.after.window('all', seconds),
  ]);
  return {
    before: measuredOf(before.figures, []),
    after: measuredOf(after.figures, await scrapes.stop()),
  };
}

function measuredOf({ cpuSecondsPerGB, delivery = 0 }: Figures, scrapeMs: readonly number[]): Measured {
  if (cpuSecondsPerGB === undefined) throw new Error('the machine does not tell of CPU time');
  return { cpuSecondsPerGB, delivery, scrapeMs };
}

async function warm(at: string): Promise<void> {
  for (let left = WARM_SCRAPES; left > 0; left -= 1) await (await fetch(`http://${at}/metrics`)).text();
}

/** Reads /metrics each 5 s, as Prometheus would at its most eager. */
class Scrapes {
  readonly #url: string;
  #timer: NodeJS.Timeout;
  readonly #made: Promise<number>[] = [];

  constructor(at: string) {
    this.#url = `http://${at}/metrics`;
    const scrape = () => this.#made.push(this.#scrape());
    // From the middle of a span on: in so many spans as often.
    this.#timer = setTimeout(() => {
      scrape();
      this.#timer = setInterval(scrape, SCRAPE_EVERY_MS);
    }, SCRAPE_EVERY_MS / 2);
  }

  /** How long each took, ms. */
  stop(): Promise<number[]> {
    clearInterval(this.#timer);
    return Promise.all(this.#made);
  }

  async #scrape(): Promise<number> {
    const startMs = performance.now();
    const answer = await fetch(this.#url);
    await answer.text();
    if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
    return performance.now() - startMs;
  }
}

const measured: Record<Side, Measured>[] = [];
for (let round = 1; round <= rounds; round += 1) {
  const order: readonly Side[] = round % 2 === 1 ? ['before', 'after'] : ['after', 'before'];
  const pair = await measure(order);
  measured.push(pair);
  const cpu = (side: Side) => pair[side].cpuSecondsPerGB;
  console.log(
    `round ${round}: before ${cpu('before').toFixed(3)}, after ${cpu('after').toFixed(3)} s/GB, ratio ${(cpu('after') / cpu('before')).toFixed(3)}; scrapes ${pair.after.scrapeMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
  );
}

const of = (side: Side) => spreadOf(measured.map((pair) => pair[side].cpuSecondsPerGB));
const ratio = spreadOf(measured.map((pair) => pair.after.cpuSecondsPerGB / pair.before.cpuSecondsPerGB));
console.log('\n| | CPU s/GB: median | least | most |\n|---|---|---|---|');
for (const [name, { median, min, max }] of [
  ['before', of('before')],
  ['measured and scraped', of('after')],
  ['ratio, pair by pair', ratio],
] as const) {
  console.log(`| ${name} | ${median.toFixed(3)} | ${min.toFixed(3)} | ${max.toFixed(3)} |`);
}
const more = ratio.median - 1;
console.log(
  `\n${(more * 100).toFixed(1)} % more; allowed: ${MAX_MORE * 100} %: ${more <= MAX_MORE ? 'kept' : 'MISSED'}`,
);
if (values.json)
  writeFileSync(values.json, `${JSON.stringify({ players, seconds, rounds: measured, ratio }, null, 2)}\n`);
process.exit(0);
