// Redis dies, stands still, forgets everything, or is handed over: what plays goes on, with the same epochs, and soon all
// is in the registry again. `npm run bench:redis-faults` does it with a whole minute of absence.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  REDIS_FAULTS,
  type RedisFaultSight,
  RedisFaultStage,
  sentinelFailover,
  WHOLE_WITHIN_MS,
} from '../support/redis-faults.ts';

const AWAY_MS = 2_500;

let stage: RedisFaultStage;
/** Another cluster, at the same time: it waits for the sentinel more than it does anything. */
let handover: Promise<PromiseSettledResult<Awaited<ReturnType<typeof sentinelFailover>>>[]>;
beforeAll(async () => {
  handover = Promise.allSettled([sentinelFailover()]);
  stage = await RedisFaultStage.open();
}, 60_000);
afterAll(async () => {
  await handover;
  await stage?.[Symbol.asyncDispose]();
}, 60_000);

function expectUnnoticed({ players, sameEpochs, wholeMs }: Omit<RedisFaultSight, 'joined'>): void {
  for (const { node, format, stream, words, ...seen } of players) {
    expect(words, `${format} of ${stream} on ${node}`).toEqual([]);
    expect(seen, `${format} of ${stream} on ${node}`).toMatchObject({
      ...{ lost: 0, duplicated: 0, disordered: 0, corrupt: 0, badTimes: 0, badStarts: 0, splices: 0 },
      disconnected: undefined,
    });
  }
  expect(sameEpochs).toBe(true);
  expect(wholeMs).toBeLessThanOrEqual(WHOLE_WITHIN_MS);
}

test.each(REDIS_FAULTS)(
  '%s: no player notices, others may come meanwhile, and soon all is in the registry',
  { timeout: 60_000 },
  async (fault) => {
    const sight = await stage.fault(fault, AWAY_MS);
    expectUnnoticed(sight);
    expect(sight.joined).toBe(true);
  },
);

test('a sentinel hands over to a replica that never heard of the streams', { timeout: 60_000 }, async () => {
  const [sight] = await handover;
  if (sight?.status !== 'fulfilled') throw sight?.reason;
  expectUnnoticed(sight.value);
});
