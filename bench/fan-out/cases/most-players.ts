// The most players of one stream that a server on one core holds: more join, step by step, until one step is not delivered.
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_BOUND_AT, type Outcome } from '../figures.ts';
import { type Bench, Site, type Window } from '../site.ts';
import { type BenchCase, joinWithinMs, type Run, serversIn, sizesOf } from './case.ts';

/** The part of what players should get that holds a step. */
const HELD_AT = 0.995;
const LATE_MS = 1_000;
const STEP = 1.25;
const FIRST = 500;

export const mostPlayers: BenchCase = {
  name: 'most-players',
  // Its players are the most that are tried.
  sizes: (options) => sizesOf(options, 1, [8_000], [300]),
  contenders: serversIn,
  async run({ contender, players, mbps }: Run, bench: Bench): Promise<Outcome> {
    await using site = await Site.open(bench, contender);
    await site.publish(1, mbps);
    let held = 0;
    let best: Window | undefined;
    for (const step of stepsTo(players)) {
      // All join anew, so that what is delivered counts from the same moment for all.
      if (held > 0) await site.leave('all');
      await site.join('all', step, { withinMs: joinWithinMs(step) });
      await delay(bench.options.restMs / 2);
      const window = await site.window('all', bench.options.seconds);
      if (!isHeld(window)) return outcomeOf(held, best ?? window, window.clientBound, `${step} not held`);
      held = step;
      best = window;
      // Not by how busy the core is: others may be at work there.
      if (window.loadCpu > CLIENT_BOUND_AT)
        return outcomeOf(held, window, true, 'the load could play no more');
    }
    if (!best) throw new Error('no step was tried');
    return outcomeOf(held, best, best.clientBound, 'more were not tried');
  },
};

/** The numbers of players that are tried: up to the most, each a quarter above the one before. */
export function stepsTo(most: number): number[] {
  const steps: number[] = [];
  let next = Math.min(FIRST, Math.ceil(most * 0.6));
  for (; next * STEP < most; next = Math.ceil(next * STEP)) steps.push(next);
  return [...steps, most];
}

/** Every player got what it should, and in time: of a server that falls behind slowly the delivery is whole for long. */
export function isHeld({ crowd }: Pick<Window, 'crowd'>): boolean {
  return crowd.lost === 0 && crowd.delivery >= HELD_AT && crowd.delayMs.p99 <= LATE_MS;
}

function outcomeOf(held: number, { figures }: Window, clientBound: boolean, why: string): Outcome {
  return { figures: { ...figures, mostPlayers: held }, clientBound, notes: [why] };
}
