// One stream to many players: CPU per GB, delay, delivery, memory per player. Tideway's flushes are recorded while it is
// measured, one small object each, and the floors replay them to as many players for as long.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender, Figures, Outcome } from '../figures.ts';
import { flushesOf, formatRecord } from '../flush-record.ts';
import type { Options, Size } from '../options.ts';
import { type Bench, Site } from '../site.ts';
import { type BenchCase, joinWithinMs, type Run, SERVERS, sizesOf } from './case.ts';

const FLOORS: readonly Contender[] = [
  { subject: 'floor-node', format: 'http-flv' },
  { subject: 'floor-c', format: 'http-flv' },
];
const TIDEWAY_WS: Contender = { subject: 'tideway', format: 'ws-flv' };
/** The size at which WS-FLV is looked at too. */
const WS_PLAYERS = 500;
/** Warm code and heaps before the base of memory is taken. */
const WARM_PLAYERS = 50;

export const fanOut: BenchCase = {
  name: 'fan-out',
  sizes: (options) => [
    ...sizesOf(options, 1, [1, 100, 500, 1000, 2000], [200]),
    ...(options.isQuick ? [] : sizesOf(options, 4, [100, 300, 500], [])),
  ],
  contenders({ players, mbps }: Size, { isQuick }: Options): readonly Contender[] {
    const [tideway, ...others] = SERVERS;
    const withWs = isQuick || (players === WS_PLAYERS && mbps === 1) ? [TIDEWAY_WS] : [];
    return [...(tideway ? [tideway] : []), ...FLOORS, ...others, ...withWs];
  },
  async run({ contender, players, mbps }: Run, bench: Bench): Promise<Outcome | undefined> {
    const isFloor = FLOORS.includes(contender);
    if (isFloor && bench.flushes.length === 0) {
      bench.note(`  ${contender.subject}: left out, as tideway told of no flush on its channel`);
      return undefined;
    }
    const { seconds, restMs } = bench.options;
    await using site = await Site.open(bench, contender, isFloor ? { record: recordFile(bench) } : {});
    await site.publish(1, mbps);
    const base = await baseRssKB(site, restMs);
    await site.join('all', players, { withinMs: joinWithinMs(players) });
    await delay(restMs * 2);
    const [{ figures, clientBound }, events] = await Promise.all([
      site.window('all', seconds),
      site.tideway?.recordFlushes(seconds * 1000),
    ]);
    const rss = await site.settledRssKB(restMs);
    if (events && contender.format === 'http-flv') bench.flushes = flushesOf(events, contender.format);
    return { figures: { ...figures, ...memoryFigures(base, rss, players) }, clientBound };
  },
};

/** Memory with one player, in a process that has served some. */
async function baseRssKB(site: Site, restMs: number): Promise<number | undefined> {
  await site.join('warm', WARM_PLAYERS, { withinMs: 200 });
  await delay(restMs / 2);
  await site.leave('warm');
  await site.join('first', 1, { withinMs: 0 });
  await delay(restMs);
  const base = await site.settledRssKB(restMs);
  await site.leave('first');
  return base;
}

function memoryFigures(baseKB: number | undefined, withAllKB: number | undefined, players: number): Figures {
  if (baseKB === undefined || withAllKB === undefined) return {};
  return {
    ...(players > 1 && { rssPerPlayerKB: (withAllKB - baseKB) / (players - 1) }),
    rssMB: withAllKB / 1024,
  };
}

function recordFile({ folder, flushes }: Bench): string {
  const path = join(folder, 'record.txt');
  writeFileSync(path, formatRecord(flushes));
  return path;
}
