// 2,000 hostile connections beside 200 players and 10 publishers: is everything delivered, do players join, does the API answer?
//   npm run bench:hostile -- --seconds 45 --json out.json
// Exits with 1 if a frame was lost, a player was disconnected, the API failed once, or a join of a hundred took over a second.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { killChildrenOnInterrupt } from '../test/support/children.ts';
import { type Attack, amongHostile } from '../test/support/hostile-crowd.ts';

const MAX_JOIN_MS = 1_000;

killChildrenOnInterrupt();
const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { seconds: text, hostile: text, json: text } });
const plan = {
  ...{ hostile: Number(values.hostile ?? '2000'), players: 200, publishers: 10 },
  ms: Number(values.seconds ?? '45') * 1000,
};
const machine = `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`;
console.log(machine);
const figures = await amongHostile(plan, attackFromElsewhere);
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, plan, figures }, null, 2)}\n`);
const { lost, disconnected, api, joinMs } = figures;
process.exit(lost + disconnected + api.failed === 0 && joinMs.p99 < MAX_JOIN_MS ? 0 : 1);

function attackFromElsewhere(
  { rtmpPort, httpPort }: Parameters<Attack>[0],
  count: number,
): ReturnType<Attack> {
  const program = new URL('hostile-attackers.js', import.meta.url);
  const child = fork(program, [rtmpPort, httpPort, count].map(String));
  return {
    stop: async () => {
      child.send('stop');
      const [opened] = await once(child, 'message');
      return Number(opened);
    },
  };
}
