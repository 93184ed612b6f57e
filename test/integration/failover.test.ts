// The relay between origin and edge is killed, stopped and cut off: players of the other nodes get every frame, once, and
// wait no longer than design §6 allows. `npm run bench:failover` does it at length.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FailoverStage, type Fault, MAX_GAP_MS, type TrialOptions } from '../support/failover.ts';

/** Two faults of each kind: each relay has one, and streams of its own. */
const RELAYS = ['m', 'n'];
/** Those come last after which a relay has to be started again; an id is free again only after a lease. */
const FAULTS: readonly Fault[] = ['stop 0.5 s', 'stop 2 s', 'stop 30 s', 'blackhole', 'SIGTERM', 'kill'];
/** Shorter than in the bench; only the 30 s become too few to be the same thing. */
const SHORT: TrialOptions = { beforeMs: 1_000, afterMs: 500 };
const FAULT_MS: Readonly<Partial<Record<Fault, number>>> = { 'stop 30 s': 4_000, blackhole: 2_000 };
/** A machine that does other things, too, may take longer; the bench holds it to the limit. */
const SLACK = 2;

let stage: FailoverStage;
beforeAll(async () => {
  stage = await FailoverStage.open(Math.random, RELAYS);
}, 60_000);
afterAll(() => stage?.[Symbol.asyncDispose]());

test.each(FAULTS)(
  '%s: nothing lost, nothing twice, nobody disconnected, a short gap',
  { timeout: 60_000 },
  async (fault) => {
    const faultMs = FAULT_MS[fault];
    const trial = await stage.trial(fault, { ...SHORT, ...(faultMs !== undefined && { faultMs }) });
    expect(trial.players.flatMap(({ words }) => words)).toEqual([]);
    expect(trial).toMatchObject({ lost: 0, duplicated: 0, disconnects: 0, otherFaults: 0 });
    // What the harness's own stall adds is no fault of the cluster.
    expect(trial.gapMs).toBeLessThanOrEqual(SLACK * MAX_GAP_MS[fault] + trial.harnessStallMs);
    console.log(
      `${fault}: ${Math.round(trial.gapMs)} ms, the harness ${Math.round(trial.harnessStallMs)} ms`,
    );
  },
);
