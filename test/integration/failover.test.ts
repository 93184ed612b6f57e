// The relay between origin and edge is killed, stopped and cut off: players of the other nodes get every frame, once, and
// wait no longer than design §6 allows. `npm run bench:failover` does it at length.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAULTS, FailoverStage, type Fault, MAX_GAP_MS, type TrialOptions } from '../support/failover.ts';

const TRIALS = 2;
/** Shorter than in the bench; only the 30 s become too few to be the same thing. */
const SHORT: TrialOptions = { beforeMs: 1_500, afterMs: 1_000 };
const FAULT_MS: Readonly<Partial<Record<Fault, number>>> = { 'stop 30 s': 4_000, blackhole: 2_000 };

let stage: FailoverStage;
beforeAll(async () => {
  stage = await FailoverStage.open();
}, 60_000);
afterAll(() => stage?.[Symbol.asyncDispose]());

test.each(FAULTS)(
  '%s: nothing lost, nothing twice, nobody disconnected, a short gap',
  { timeout: 90_000 },
  async (fault) => {
    const faultMs = FAULT_MS[fault];
    for (let number = 1; number <= TRIALS; number += 1) {
      const trial = await stage.trial(fault, { ...SHORT, ...(faultMs !== undefined && { faultMs }) });
      expect(trial.players.flatMap(({ words }) => words)).toEqual([]);
      expect(trial).toMatchObject({ lost: 0, duplicated: 0, disconnects: 0, otherFaults: 0 });
      // What the harness's own stall adds is no fault of the cluster.
      expect(trial.gapMs).toBeLessThanOrEqual(MAX_GAP_MS[fault] + trial.harnessStallMs);
    }
  },
);
