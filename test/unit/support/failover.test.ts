// The rows of the failover table: sums over the trials, and gaps of the player that waited longest.
import { expect, test } from 'vitest';
import { caseOf, type Trial } from '../../support/failover.ts';

function trialOf(number: number, more: Partial<Trial> = {}): Trial {
  return {
    ...{ fault: 'kill', number, players: [], lost: 0, duplicated: 0, disconnects: 0, otherFaults: 0 },
    ...{ gapMs: number, harnessStallMs: 0, isSpoilt: false, machineLoad: 0 },
    ...more,
  };
}

test('sums, and percentiles of the gaps', () => {
  const trials = Array.from({ length: 100 }, (_, at) => trialOf(100 - at));
  trials.push(trialOf(0, { lost: 2, duplicated: 3, disconnects: 1, gapMs: 12.34 }));
  expect(caseOf('kill', trials)).toEqual({
    ...{ fault: 'kill', trials: 101, lost: 2, duplicated: 3, disconnects: 1 },
    gapMs: { p50: 50, p99: 99, max: 100 },
  });
  expect(caseOf('blackhole', [trialOf(7)]).gapMs).toEqual({ p50: 7, p99: 7, max: 7 });
});
