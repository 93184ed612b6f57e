// The registry's model test against a real Redis, and the proof that it would notice. Time: test/support/registries.ts.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadScripts, type RedisScripts } from '../../src/registry/redis-scripts.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { RedisServer } from '../support/redis-server.ts';
import { patchScripts, redisRegistry, type TestRegistry } from '../support/registries.ts';
import { histories, playHistory } from '../support/registry-model.ts';
import { mutants } from '../support/registry-mutants.ts';

/** MODEL_RUNS=100000 for a long run by hand. */
const RUNS = Number(process.env.MODEL_RUNS ?? 300);

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** One connection for all runs: a history begins by emptying the registry. */
async function withRegistry<T>(
  scripts: RedisScripts,
  run: (stage: TestRegistry, other: Registry) => Promise<T>,
): Promise<T> {
  await using stage = await redisRegistry(server, { scripts });
  return await run(stage, await stage.another());
}

function holds(stage: TestRegistry, other: Registry) {
  return fc.asyncProperty(histories, (ops) => playHistory(stage, other, ops));
}

test('no history of claims, crashes and lost data breaks an invariant of the registry in Redis', async () => {
  await withRegistry(loadScripts(), (...stage) => fc.assert(holds(...stage), { numRuns: RUNS }));
});

test('nor at epochs above 2^52', async () => {
  await using stage = await redisRegistry(server, { startWallMs: Date.UTC(2060, 0, 1) });
  await fc.assert(holds(stage, await stage.another()), { numRuns: RUNS / 5 });
});

test.each(mutants)('the model test notices: $name', async ({ lua }) => {
  const scripts = patchScripts(loadScripts(), lua.from, lua.to, lua.script);
  const { failed, errorInstance, numRuns } = await withRegistry(scripts, (...stage) =>
    fc.check(holds(...stage), { numRuns: 5 * RUNS, endOnFailure: true }),
  );
  expect({ failed, why: String(errorInstance) }).toEqual({
    failed: true,
    why: expect.stringContaining('broken:'),
  });
  if (process.env.MODEL_REPORT) console.log(`${numRuns} histories: ${errorInstance}`);
});
