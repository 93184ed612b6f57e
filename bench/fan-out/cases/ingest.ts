// Many publishers of one server, a stream each: CPU per GB taken in, and whether one core holds them. A few players see
// that what goes in comes out.
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender, Figures, Outcome } from '../figures.ts';
import type { PublisherReport } from '../orders.ts';
import { Site } from '../site.ts';
import { type BenchCase, serversIn, sizesOf } from './case.ts';

const PLAYERS = 10;

export const ingest: BenchCase = {
  name: 'ingest',
  // Its players are publishers.
  sizes: (options) => sizesOf(options, 1, [100, 300], [50]),
  contenders: (size, options) => serversIn(size, options).filter(isPublishedTo),
  async run({ contender, players: publishers, mbps }, bench): Promise<Outcome> {
    await using site = await Site.open(bench, contender);
    await site.publish(publishers, mbps);
    const streams = watched(publishers).map((number) => `live/s${number}`);
    await site.join('all', streams.length, { withinMs: 200, streams });
    await delay(bench.options.restMs * 2);
    const { figures, clientBound, publisher, cpuSeconds } = await site.window('all', bench.options.seconds);
    if (!publisher) throw new Error('nobody publishes');
    const { cpuSecondsPerGB: _played, ...rest } = figures;
    return { figures: { ...ingestFigures(publisher, cpuSeconds), ...rest }, clientBound };
  },
};

/** Tideway once: all is published by RTMP, whatever the players speak. */
function isPublishedTo({ subject, format }: Contender): boolean {
  return subject !== 'tideway' || format === 'http-flv';
}

/** Up to ten streams, evenly among all. */
export function watched(publishers: number): number[] {
  const count = Math.min(PLAYERS, publishers);
  return Array.from({ length: count }, (_, at) => Math.floor((at * publishers) / count));
}

function ingestFigures(of: PublisherReport, cpuSeconds: number | undefined): Figures {
  const { payloadBytes, lost, latestMs, backlogBytes, streams } = of;
  return {
    ...(cpuSeconds !== undefined &&
      payloadBytes > 0 && { cpuSecondsPerGB: cpuSeconds / (payloadBytes / 1e9) }),
    ...{ publishers: streams, publishersLost: lost },
    ...{ publisherLatestMs: latestMs, publisherBacklogKB: backlogBytes / 1024 },
  };
}
