// What routing does in a large cluster, in simulated time, with the real rules: who is sent where, and who pulls from whom.
//   npm run sim
//   npm run sim -- --full --json out.json --svg tree.svg
// The same seed gives the same figures. Exits with 1 if a promise was missed.

import { writeFileSync } from 'node:fs';
import { optionsOrExit } from '../../test/support/options-or-exit.ts';
import { machineName } from '../fan-out/machine.ts';
import { drawTree } from './draw-tree.ts';
import { readOptions, USAGE } from './options.ts';
import { type Figures, rowsOf, tableOf } from './report.ts';
import { runSmallCases } from './small.ts';
import { runSteady } from './steady.ts';
import { runSurge } from './surge.ts';
import type { Copy } from './tree.ts';
import { realWorld } from './world.ts';

/** Of a player, in the mean. */
const STAY_MS = 120_000;
/** Of a million, so that a run does not take hours. */
const LONG_STAY_MS = 300_000;
/** A replica that moved rests for half a minute, and does not go back for a minute: it takes trees some time to settle. */
const REST_PHASES = 3;
const SURGE_PLAYERS = 50_000;
/** The tree that is drawn has at most so many nodes. */
const MAX_DRAWN = 90;

const options = optionsOrExit(readOptions, USAGE);
const startedMs = performance.now();
const world = realWorld();
const machine = machineName();
note(
  `${machine}; ${options.nodes} nodes, ${options.streams} streams, ${options.players} players, seed ${options.seed}`,
);
const drawn: Copy[][] = [];
const figures: Figures = {
  ...(options.scenarios.includes('steady') && { steady: steady() }),
  ...(options.scenarios.includes('surge') && { surge: surge() }),
  ...(options.scenarios.includes('small') && { small: runSmallCases(options.seed, options.cases) }),
};
const rows = rowsOf(figures);
console.log(tableOf(rows));
const { json, svg, ...told } = options;
if (json) writeFileSync(json, `${JSON.stringify({ machine, options: told, rows, figures }, null, 2)}\n`);
const tree = drawn.find(({ length }) => length <= MAX_DRAWN) ?? drawn[0];
if (svg && tree) writeFileSync(svg, drawTree(tree, world));
note(`done, with ${Math.round(process.memoryUsage().rss / 1e6)} MB of memory`);
process.exitCode = rows.every(({ isMet }) => isMet) ? 0 : 1;

function steady() {
  const { seed, nodes, streams, players, busy, seconds } = options;
  const { figures: found, cluster } = runSteady(
    {
      ...{ seed, world, nodes, streams, players, busy, stayMs: players > 500_000 ? LONG_STAY_MS : STAY_MS },
      ...{
        publishMs: 20_000,
        fillMs: 60_000,
        phaseMs: seconds * 1_000,
        restMs: seconds * REST_PHASES * 1_000,
      },
    },
    note,
  );
  const trees = cluster.streams.map((stream) => [...stream.tree.copies.values()]);
  drawn.push(
    ...trees
      .filter(({ length }) => length <= 24)
      .sort((a, b) => b.length - a.length)
      .slice(0, 1),
  );
  return found;
}

function surge() {
  const { seed, nodes, streams, players, busy } = options;
  const others = players - Math.min(SURGE_PLAYERS, players / 2);
  const { figures: found, copies } = runSurge({
    ...{ seed, world, nodes, streams, players, busy, stayMs: STAY_MS, others },
    ...{ surge: Math.round(players - others), surgeMs: 60_000 },
  });
  note(`${found.players} players came to one stream`);
  drawn.push([...copies]);
  return found;
}

function note(line: string): void {
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s  ${line}`);
}
