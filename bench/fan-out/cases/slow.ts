// Players that ask and never read, beside as many that do: what memory they take, whether the healthy ones notice, and
// whether the frozen ones are closed, with a reason.
import { setTimeout as delay } from 'node:timers/promises';
import type { Figures, Outcome } from '../figures.ts';
import { rssKB } from '../machine.ts';
import { type Bench, Site } from '../site.ts';
import { type BenchCase, type Run, serversIn } from './case.ts';

const SAMPLE_EVERY_MS = 250;
/** Enough that the kernel's buffers, some MB for each player, are full long before the end. */
const MBPS = 4;
/** A quick run is too short for the 15 s that tideway waits, and its stream must fill the kernel's buffers soon. */
const QUICK_MBPS = 20;
const QUICK_PLAYERS = 10;
const QUICK_SETTINGS = { 'player.stallMs': '2000', 'player.maxBacklogMs': '1000' };

export const slow: BenchCase = {
  name: 'slow',
  sizes: ({ isQuick, players = 50 }) =>
    isQuick ? [{ players: QUICK_PLAYERS, mbps: QUICK_MBPS }] : [{ players, mbps: MBPS }],
  contenders: serversIn,
  async run({ contender, players, mbps }: Run, bench: Bench): Promise<Outcome> {
    const { isQuick, slowSeconds, seconds } = bench.options;
    const settings = isQuick && contender.subject === 'tideway' ? QUICK_SETTINGS : {};
    await using site = await Site.open(bench, contender, { settings });
    await site.publish(1, mbps);
    await site.join('healthy', players, { withinMs: 500 });
    await delay(bench.options.restMs);
    const alone = await site.window('healthy', seconds);
    const before = await site.settledRssKB(bench.options.restMs);
    await site.join('frozen', players, { withinMs: 500, frozen: true });
    const [watched, memory] = await Promise.all([
      site.window('healthy', slowSeconds),
      watchMemory(site, slowSeconds),
    ]);
    const { cpuSecondsPerGB: _withFrozen, ...figures } = watched.figures;
    return {
      figures: {
        ...figures,
        ...aloneFigures(alone.figures),
        longestPauseMs: watched.crowd.longestPauseMs,
        ...growth(before, memory),
        frozenClosed: (await site.measure('frozen')).lost,
      },
      clientBound: watched.clientBound,
      notes: [...(site.tideway?.closed ?? [])].map(([reason, count]) => `closed ${count} for ${reason}`),
    };
  },
};

async function watchMemory(site: Site, seconds: number): Promise<number[]> {
  const samples: number[] = [];
  for (let leftMs = seconds * 1000; leftMs > 0; leftMs -= SAMPLE_EVERY_MS) {
    await delay(SAMPLE_EVERY_MS);
    const sample = rssKB(site.server.pids);
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

function aloneFigures({ 'delayMs.p99': p99 }: Figures): Figures {
  return p99 === undefined ? {} : { p99WithoutFrozenMs: p99 };
}

/** MB beyond what it was before: at most, and in the end. */
export function growth(beforeKB: number | undefined, samplesKB: readonly number[]): Figures {
  const last = samplesKB.at(-1);
  if (beforeKB === undefined || last === undefined) return {};
  return {
    rssPeakGrowthMB: (Math.max(...samplesKB) - beforeKB) / 1024,
    rssGrowthMB: (last - beforeKB) / 1024,
  };
}
