// Streams of 1 frame/s, of audio only and of 60 frames/s over links with 50 ms of jitter: does a node take it for a fault?
//   npm run bench:jitter -- --minutes 10 --json out.json
// Exits with 1 if a node switched, a link was closed, a frame was lost or came twice, or a player was disconnected.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killChildrenOnInterrupt } from '../test/support/children.ts';
import { JITTER_MS, JITTER_PLANS, underJitter } from '../test/support/jitter.ts';
import { randomOf } from '../test/support/random-of.ts';

killChildrenOnInterrupt();
const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { minutes: text, seed: text, json: text } });
const minutes = Number(values.minutes ?? '10');
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}; ${minutes} minutes, ${JITTER_MS} ms of jitter`,
);
const { players, alarms, harnessStallMs } = await underJitter(
  minutes * 60_000,
  randomOf(Number(values.seed ?? '1')),
);

console.log(
  '| stream | players | frames | lost | twice | disconnects | longest wait ms |\n|---|---|---|---|---|---|---|',
);
const cases = JITTER_PLANS.map((stream) => {
  const own = players.filter((player) => player.stream === stream);
  const row = {
    ...{ stream, players: own.length },
    frames: own.reduce((sum, { frames }) => sum + frames, 0),
    lost: own.reduce((sum, { lost }) => sum + lost, 0),
    duplicated: own.reduce((sum, { duplicated, disordered }) => sum + duplicated + disordered, 0),
    disconnects: own.filter(({ disconnected }) => disconnected !== undefined).length,
    longestWaitMs: Math.round(Math.max(...own.map(({ waitMs }) => waitMs))),
  };
  console.log(`| ${Object.values(row).join(' | ')} |`);
  return row;
});
console.log(
  `false switches and closed links: ${alarms.length}; the harness itself stalled for ${harnessStallMs.toFixed(0)} ms`,
);
for (const alarm of alarms.slice(0, 20)) console.log(`  ${alarm}`);
if (values.json)
  writeFileSync(values.json, `${JSON.stringify({ minutes, jitterMs: JITTER_MS, alarms, cases }, null, 2)}\n`);
const isGood = cases.every(({ lost, duplicated, disconnects }) => lost + duplicated + disconnects === 0);
process.exit(isGood && alarms.length === 0 ? 0 : 1);
