// The registry's model test against the memory driver, and the proof that it would notice.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OriginRules } from '../../../src/registry/origin-rules.ts';
import { memoryRegistry } from '../../support/registries.ts';
import { histories, playHistory } from '../../support/registry-model.ts';
import { mutants } from '../../support/registry-mutants.ts';

/** MODEL_RUNS=100000 for a long run by hand. */
const RUNS = Number(process.env.MODEL_RUNS ?? 3_000);

function holds(rules?: OriginRules) {
  return fc.asyncProperty(histories, async (ops) => {
    await using stage = memoryRegistry(rules ? { rules } : {});
    await playHistory(stage, await stage.another(), ops);
  });
}

test('no history of claims, crashes and lost data breaks an invariant of the registry in memory', async () => {
  await fc.assert(holds(), { numRuns: RUNS });
});

test.each(mutants)('the model test notices: $name', async ({ rules }) => {
  const { failed, errorInstance, numRuns } = await fc.check(holds(rules), {
    numRuns: RUNS,
    endOnFailure: true,
  });
  expect({ failed, why: String(errorInstance) }).toEqual({
    failed: true,
    why: expect.stringContaining('broken:'),
  });
  if (process.env.MODEL_REPORT) console.log(`${numRuns} histories: ${errorInstance}`);
});
