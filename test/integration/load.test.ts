// What a node tells of its load, as it is run: in a control group with a limit.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { CpuLimitedGroup } from '../support/cpu-limited-group.ts';
import { NodeProcess } from '../support/node-process.ts';
import { until } from '../support/until.ts';

const CORES = 0.5;
/** A look takes some ms of the node's own CPU, of which it has half a core. */
const LOOK_EVERY_MS = 250;
const closes: (() => PromiseLike<void>)[] = [];

afterEach(async () => {
  for (const close of closes.splice(0).reverse()) await close();
});

test('CPU that another process of its container burns shows within 3 s, and goes again', async ({ skip }) => {
  const whyNot = CpuLimitedGroup.whyNot();
  if (whyNot !== undefined) skip(whyNot);
  const group = new CpuLimitedGroup(CORES);
  closes.push(() => group[Symbol.asyncDispose]());
  const node = new NodeProcess({ id: 'boxed' });
  closes.push(() => node.kill());
  await node.start();
  group.add(node.pid);
  const share = async () => {
    await delay(LOOK_EVERY_MS);
    return (await node.metric('tideway_node_cpu_ratio')) ?? Number.NaN;
  };
  await until('the limit is seen, and the start is over', async () => {
    return (await node.metric('tideway_node_cpu_cores')) === CORES && (await share()) < 0.25;
  });
  const stop = group.burn();
  await until('burnt CPU shows', async () => (await share()) > 0.5, 3_000);
  expect(await node.metric('tideway_node_loop_busy_ratio'), 'its own loop has little to do').toBeLessThan(
    0.5,
  );
  await stop();
  await until('it is calm again', async () => (await share()) < 0.3, 5_000);
});
