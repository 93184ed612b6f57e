// New players of a running stream, a few a second or a thousand in one: how long each waits for its first key frame, and
// whether those that play notice.
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '../figures.ts';
import { type Bench, joinFigures, Site } from '../site.ts';
import { type BenchCase, joinWithinMs, type Run, SERVERS, serversIn, sizesOf } from './case.ts';

const JOINS_PER_SECOND = 10;
const STORM_MS = 1_000;
/** What is late for those that play comes within this. */
const AFTERMATH_MS = 1_000;

export const join: BenchCase = {
  name: 'join',
  sizes: (options) => sizesOf(options, 1, [1_000], [200]),
  // In a quick run without those of RTMP.
  contenders: (_size, { isQuick }) => (isQuick ? SERVERS.slice(0, 2) : SERVERS),
  run: (run, bench) => {
    const withinMs = bench.options.seconds * 1000;
    return joinRunning(run, bench, Math.round((withinMs / 1000) * JOINS_PER_SECOND), withinMs);
  },
};

/** As many as play join within a second. */
export const storm: BenchCase = {
  name: 'storm',
  sizes: (options) => sizesOf(options, 1, [1_000], [200]),
  contenders: serversIn,
  run: (run, bench) => joinRunning(run, bench, run.players, STORM_MS),
};

async function joinRunning(run: Run, bench: Bench, joiners: number, withinMs: number): Promise<Outcome> {
  const { contender, players, mbps } = run;
  await using site = await Site.open(bench, contender);
  await site.publish(1, mbps);
  await site.join('running', players, { withinMs: joinWithinMs(players) });
  await delay(bench.options.restMs * 2);
  const window = site.window('running', (withinMs + AFTERMATH_MS) / 1000);
  const [{ figures, clientBound, crowd }, joined] = await Promise.all([
    window,
    site.join('new', joiners, { withinMs }),
  ]);
  // CPU per GB would leave out what the new ones got.
  const { cpuSecondsPerGB: _unfair, ...rest } = figures;
  return {
    figures: { ...rest, ...joinFigures(joined), longestPauseMs: crowd.longestPauseMs, joins: joiners },
    clientBound,
  };
}
