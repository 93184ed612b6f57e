// What a node knows of the hop that a stream comes over, and of its own children, in simulated time.
import { expect, test } from 'vitest';
import { KEY } from '../../support/media.ts';
import { SimNet } from '../../support/mesh-sim.ts';

const EPOCH = 4_096;

/** `a` publishes, and `b` plays; `c` may feed it as well. */
async function played(how: ConstructorParameters<typeof SimNet>[1] = {}) {
  const net = new SimNet(['a', 'b', 'c'], how);
  const [a, b, c] = [net.node('a'), net.node('b'), net.node('c')];
  a.publish(EPOCH);
  await net.run(1_000);
  void b.play();
  await net.run(1_000);
  const hop = () => b.replicas.get(KEY)?.hop;
  return { net, a, b, c, hop };
}

test('a hop has its nodes, its delay by the clocks of both, and no flaws', async () => {
  const { net, hop, b } = await played({ latencyMs: 20 });
  await net.run(3_000);
  expect(hop()).toMatchObject({ from: 'a', errorMs: 1, rttMs: 2, gaps: 0, resumes: 0, skipped: 0 });
  expect(hop()?.delayMs).toBeGreaterThanOrEqual(20);
  expect(hop()?.delayMs).toBeLessThanOrEqual(60);
  expect([...b.replicas.hopDelays()]).toEqual([{ key: KEY, from: 'a', delayMs: hop()?.delayMs }]);
});

test('an older node tells no times, and the delay is not known', async () => {
  const { net, a, hop } = await played();
  a.relay.heads = (peer) => ({ heads: a.downstreams.heads(peer).heads, cameAt: [] });
  await net.run(2_000);
  a.relay.heads = (peer) => ({ heads: a.downstreams.heads(peer).heads, cameAt: [] });
  const before = hop()?.delayMs;
  await net.run(1_000);
  expect(hop()?.delayMs).toBe(before);
});

test('with a change of upstream the hop is another, and begins anew', async () => {
  const { net, b, c, hop } = await played();
  void c.play();
  await net.run(1_000);
  net.deafen('a', 'b', true);
  await net.run(1_500);
  expect(hop()).toMatchObject({ from: 'c', resumes: 1, gaps: 0 });
  expect(hop()?.delayMs).toBeLessThan(100);
  expect(b.replicas.resumes).toBe(1);
});

test('in hold nothing is awaited, and nothing grows', async () => {
  const { net, a, hop } = await played();
  a.unpublish();
  await net.run(5_000);
  expect(hop()?.delayMs).toBeLessThan(50);
});

test('at the origin there is no hop; its children have their bytes and their state', async () => {
  const { net, a } = await played();
  await net.run(1_000);
  expect([...a.replicas.hopDelays()]).toEqual([]);
  const stream = a.stream;
  const rows = stream ? a.downstreams.rowsOf(stream) : [];
  expect(rows).toEqual([
    { node: 'b', state: 'live', sentBytes: expect.any(Number), queueBytes: 0, leftOut: 0, skips: 0 },
  ]);
  const before = rows[0]?.sentBytes ?? 0;
  await net.run(1_000);
  const after = (stream ? a.downstreams.rowsOf(stream) : [])[0]?.sentBytes ?? 0;
  expect(before).toBeGreaterThan(0);
  expect(after).toBeGreaterThan(before);
});
