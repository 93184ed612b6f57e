// Minutes of players that join and leave and streams that come and go, beside some that stay: memory shall be flat after
// the first minute.
import { setTimeout as delay } from 'node:timers/promises';
import { type Figures, type Outcome, spreadOf } from '../figures.ts';
import { forkPublisher } from '../load.ts';
import { rssKB } from '../machine.ts';
import { type Bench, Site } from '../site.ts';
import { type BenchCase, type Run, sizesOf } from './case.ts';

const SAMPLE_EVERY_MS = 500;
const STREAMS = 10;
/** Names of streams come again after so many turns. */
const APPS = 20;
const TURN_MS = 1_000;
const WARM_UP_MS = 60_000;

export const churn: BenchCase = {
  name: 'churn',
  isRunOnce: true,
  sizes: (options) => sizesOf(options, 1, [100], [50]),
  contenders: () => [{ subject: 'tideway', format: 'http-flv' }],
  async run({ contender, players, mbps }: Run, bench: Bench): Promise<Outcome> {
    await using site = await Site.open(bench, contender);
    await site.publish(1, mbps);
    await site.join('stay', players, { withinMs: 500 });
    const lastsMs = bench.options.churnMinutes * 60_000;
    const samples: number[] = [];
    const timer = setInterval(() => samples.push(rssKB(site.server.pids) ?? 0), SAMPLE_EVERY_MS);
    try {
      const [{ figures, clientBound, crowd }, turns] = await Promise.all([
        site.window('stay', lastsMs / 1000),
        turnsFor(lastsMs, site, bench, { players, mbps }),
      ]);
      const { cpuSecondsPerGB: _mixed, ...rest } = figures;
      const longestPauseMs = crowd.longestPauseMs;
      const drift = samples.includes(0) ? {} : driftOf(samples, SAMPLE_EVERY_MS);
      return { figures: { ...rest, longestPauseMs, turns, ...drift }, clientBound };
    } finally {
      clearInterval(timer);
    }
  },
};

/** In each turn as many as stay join and leave the stream that stays, and ten streams come, are played and go. */
async function turnsFor(
  ms: number,
  site: Site,
  bench: Bench,
  { players, mbps }: { players: number; mbps: number },
): Promise<number> {
  const url = site.server.publishUrl?.replace(/\/live$/, '');
  await using publisher = forkPublisher(bench.cores);
  const untilMs = performance.now() + ms;
  let turn = 0;
  for (; performance.now() < untilMs; turn += 1) {
    const app = `churn${turn % APPS}`;
    await publisher.ask({ do: 'publish', url: `${url}/${app}`, streams: STREAMS, mbps });
    const streams = Array.from({ length: STREAMS }, (_, at) => `${app}/s${at}`);
    await Promise.all([
      site.join('guests', players, { withinMs: TURN_MS / 2 }),
      site.join('watchers', players, { withinMs: TURN_MS / 2, streams }),
    ]);
    await delay(TURN_MS / 2);
    await Promise.all([site.leave('guests'), site.leave('watchers'), publisher.ask({ do: 'stop' })]);
  }
  return turn;
}

/**
 * How much the memory of the end differs from that right after the first minute (of a shorter run: its first third), in
 * percent: medians of a tenth of what is left each, at least three samples.
 */
export function driftOf(samplesKB: readonly number[], everyMs: number): Figures {
  const skip = Math.min(WARM_UP_MS / everyMs, samplesKB.length / 3);
  const rest = samplesKB.slice(Math.ceil(skip));
  const some = Math.max(3, Math.floor(rest.length / 10));
  if (rest.length < some * 2) return {};
  const first = spreadOf(rest.slice(0, some)).median;
  const last = spreadOf(rest.slice(-some)).median;
  return {
    rssDriftPercent: (last / first - 1) * 100,
    rssMB: last / 1024,
    rssMostMB: Math.max(...rest) / 1024,
  };
}
