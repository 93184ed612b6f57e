import { expect, test, vi } from 'vitest';
import { KEY } from '../../support/media.ts';
import { SimNet, type SimNode } from '../../support/mesh-sim.ts';

const LINGER_MS = 10_000;

/** One node asks another to have the stream ready, over their link. */
function ask(from: SimNode, to: string, ttlMs: number): void {
  from.links.get(to)?.send({ is: 'preload', key: KEY, ttlMs });
}

test('a wanted stream is here before anybody plays it, stays as long as it is wanted, and lingers out then', async () => {
  const net = new SimNet(['o', 'b']);
  const [o, b] = [net.node('o'), net.node('b')];
  o.publish(1);
  await net.run(500);
  ask(o, 'b', 30_000);
  await net.run(1_500);
  expect([b.parent, b.stream?.state.at]).toEqual(['o', 'live']);
  await net.run(2 * LINGER_MS);
  ask(o, 'b', 30_000);
  await net.run(29_000);
  expect(b.parent).toBe('o');
  await net.run(1_500 + LINGER_MS); // it looks at its use from time to time
  expect(b.stream).toBeUndefined();
});

test('asked no longer, it lingers out', async () => {
  const net = new SimNet(['o', 'b']);
  const [o, b] = [net.node('o'), net.node('b')];
  o.publish(1);
  ask(o, 'b', 60_000);
  await net.run(2 * LINGER_MS);
  expect(b.parent).toBe('o');
  ask(o, 'b', 0);
  await net.run(LINGER_MS - 100);
  expect(b.parent).toBe('o');
  await net.run(600);
  expect(b.stream).toBeUndefined();
});

test('wanted before it is published, it comes with the news of it', async () => {
  const net = new SimNet(['c', 'o', 'b']);
  const b = net.node('b');
  const lookups = vi.spyOn(net, 'lookup');
  ask(net.node('c'), 'b', 60_000);
  await net.run(9_000);
  expect([b.stream, b.replicas.count]).toEqual([undefined, 0]);
  expect(lookups.mock.calls.length).toBe(2);
  net.node('o').publish(1);
  await net.run(200);
  expect([b.parent, b.stream?.state.at]).toEqual(['o', 'live']);
});

test('if the news of it was lost, it is found within 5 s', async () => {
  const net = new SimNet(['o', 'b']);
  const [o, b] = [net.node('o'), net.node('b')];
  b.wants.ask('b', KEY, 60_000);
  await net.run(200);
  o.links.get('b')?.close();
  o.publish(1);
  await net.run(5_500);
  expect([b.parent, b.wants.soughtAgain]).toEqual(['o', 1]);
});

test('a wanted stream whose node died is fed by whoever has it', async () => {
  const net = new SimNet(['o', 'a', 'b'], { softChildren: 1 });
  const [o, a, b] = [net.node('o'), net.node('a'), net.node('b')];
  o.publish(1);
  void a.play();
  await net.run(500);
  ask(o, 'b', 60_000);
  await net.run(1_500);
  expect(b.parent).toBe('a');
  a.kill();
  await net.run(2_000);
  expect([b.parent, b.stream?.state.at]).toEqual(['o', 'live']);
});
