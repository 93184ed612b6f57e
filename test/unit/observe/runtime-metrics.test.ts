import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RuntimeMetrics } from '../../../src/observe/runtime-metrics.ts';
import { until } from '../../support/until.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const LAG = { max: 0.5, p99: 0.4 };

let runtime: RuntimeMetrics;

beforeEach(() => {
  runtime = new RuntimeMetrics();
});
afterEach(() => runtime.stop());

function value(name: string): number | undefined {
  return runtime.families(LAG).find((family) => family.name === name)?.samples[0]?.value;
}

async function collections(): Promise<number> {
  const text = await runtime.registry.metrics();
  return Number(/^nodejs_gc_duration_seconds_count\{kind="major"\} (\d+)$/m.exec(text)?.[1]);
}

describe('of the runtime', () => {
  test('process and heap are told', () => {
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0.1);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10e6);
    expect(value('nodejs_heap_size_used_bytes')).toBeGreaterThan(1e6);
    expect(value('nodejs_eventloop_lag_p99_seconds')).toBe(0.4);
    expect(value('nodejs_eventloop_lag_max_seconds')).toBe(0.5);
    expect(value('process_open_fds')).toBeGreaterThan(3);
    expect(value('process_max_fds')).toBeGreaterThanOrEqual(value('process_open_fds') ?? 0);
    const startedAtS = value('process_start_time_seconds') ?? 0;
    expect(Math.abs(startedAtS + process.uptime() - Date.now() / 1000)).toBeLessThan(3);
  });

  test('garbage collections are counted, from the start to the stop', async () => {
    collectGarbage();
    runtime.start();
    expect(await collections()).toBe(0);
    for (const _ of [1, 2, 3]) collectGarbage();
    await until('all three are counted', async () => (await collections()) === 3);
    runtime.stop();
    runtime.stop();
    collectGarbage();
    await delay(20);
    expect(await collections()).toBe(3);
  });
});

test('where the system says nothing of a process, nothing is made up', () => {
  const blind = new RuntimeMetrics('/nowhere').families(LAG);
  const found = blind.filter(({ samples }) => samples.length === 0).map(({ name }) => name);
  expect(found).toEqual(['process_virtual_memory_bytes', 'process_open_fds', 'process_max_fds']);
});
