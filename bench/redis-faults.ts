// Redis is killed, stopped, wiped and handed over under a cluster that plays: what players notice, and when the registry
// is whole again.
//   npm run bench:redis-faults -- --seconds 60 --json out.json
// Exits with 1 if a frame was lost or came twice, a player was disconnected, an epoch changed, or it took over 6 s.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killChildrenOnInterrupt } from '../test/support/children.ts';
import {
  REDIS_FAULTS,
  RedisFaultStage,
  sentinelFailover,
  WHOLE_WITHIN_MS,
} from '../test/support/redis-faults.ts';

killChildrenOnInterrupt();
const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { seconds: text, json: text } });
const seconds = Number(values.seconds ?? '60');
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}; Redis is away for ${seconds} s`,
);
console.log(
  '| fault | players | lost | twice | disconnects | same epochs | joined | whole again ms |\n|---|---|---|---|---|---|---|---|',
);
const cases: ReturnType<typeof told>[] = [];
{
  await using stage = await RedisFaultStage.open();
  for (const fault of REDIS_FAULTS) cases.push(told(fault, await stage.fault(fault, seconds * 1000)));
}
cases.push(told('handed over by a sentinel', { joined: true, ...(await sentinelFailover()) }));
if (values.json) writeFileSync(values.json, `${JSON.stringify({ seconds, cases }, null, 2)}\n`);
process.exit(cases.every(isGood) ? 0 : 1);

function told(fault: string, sight: Awaited<ReturnType<RedisFaultStage['fault']>>) {
  const { players, sameEpochs, joined, wholeMs } = sight;
  const row = {
    ...{ fault, players: players.length },
    lost: players.reduce((sum, { lost }) => sum + lost, 0),
    duplicated: players.reduce((sum, { duplicated, disordered }) => sum + duplicated + disordered, 0),
    disconnects: players.filter(({ disconnected }) => disconnected !== undefined).length,
    ...{ sameEpochs, joined, wholeMs: Math.round(wholeMs) },
  };
  console.log(`| ${Object.values(row).join(' | ')} |`);
  return row;
}

function isGood({
  lost,
  duplicated,
  disconnects,
  sameEpochs,
  joined,
  wholeMs,
}: ReturnType<typeof told>): boolean {
  return lost + duplicated + disconnects === 0 && sameEpochs && joined && wholeMs <= WHOLE_WITHIN_MS;
}
