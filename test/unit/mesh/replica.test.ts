import { expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import type { ControlMessage } from '../../../src/format/mesh/control.ts';
import { isMediaMessage } from '../../../src/format/mesh/media-codec.ts';
import type { UpstreamListener } from '../../../src/mesh/upstream.ts';
import { KEY } from '../../support/media.ts';
import { bodiesOf } from '../../support/mesh-bytes.ts';

import { SimNet } from '../../support/mesh-sim.ts';

/** Every frame from the first on, each once, in order. */
function expectWhole(ids: readonly number[]): void {
  expect(ids.length).toBeGreaterThan(0);
  expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
}

async function netOf(ids: readonly string[], softChildren = 6): Promise<SimNet> {
  const net = new SimNet(ids, { softChildren });
  net.node('a').publish(1000 * 4096);
  await net.run(300);
  return net;
}

test('a node without the stream pulls it once for all its players, from a key frame on', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  for (let n = 0; n < 5; n += 1) void b.play();
  await net.run(2000);
  expect(b.subscriptions.granted).toBe(1);
  expect(net.node('a').downstreams.count).toBe(1);
  for (const { ids } of b.sinks) {
    expectWhole(ids);
    expect(ids[0]).toBe(1);
    expect(ids.at(-1)).toBe(net.sent);
  }
  expect(net.known.replicas.get('b')).toEqual({ epoch: 4_096_000, hops: 1, upstream: 'a' });
});

test('a chain goes on without a frame lost when its middle is killed', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  void net.node('c').play();
  await net.run(1000);
  expect(net.node('c').parent).toBe('b');
  net.node('b').kill();
  await net.run(1000);
  expect(net.node('c').parent).toBe('a');
  const [sink] = net.node('c').sinks;
  expectWhole(sink?.ids ?? []);
  expect(sink?.ids.at(-1)).toBe(net.sent);
  expect(sink?.ends).toEqual([]);
});

test('a link that falls silent is left within half a second, and what comes late comes to nobody', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  void net.node('c').play();
  await net.run(1000);
  net.deafen('b', 'c', true);
  await net.run(400);
  expect(net.node('c').parent).toBe('a');
  net.deafen('b', 'c', false);
  await net.run(1000);
  const [sink] = net.node('c').sinks;
  expectWhole(sink?.ids ?? []);
  expect(sink?.ids.at(-1)).toBe(net.sent);
  expect(net.node('c').replicas.switches.samples()).toEqual([
    { labels: { cause: 'first' }, value: 1 },
    { labels: { cause: 'silent' }, value: 1 },
  ]);
});

test('an upstream that has frames and does not send them is left, though its link is fine', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  void net.node('c').play();
  await net.run(1000);
  const link = net.node('b').links.get('c');
  const write = link?.write.bind(link);
  if (link) link.write = (framed) => bodiesOf(framed).some(isMediaMessage) || write?.(framed);
  await net.run(600);
  expect(net.node('c').parent).toBe('a');
  expect(net.node('c').replicas.switches.samples()).toContainEqual({ labels: { cause: 'stuck' }, value: 1 });
  await net.run(500);
  const [sink] = net.node('c').sinks;
  expectWhole(sink?.ids ?? []);
  expect(sink?.ids.at(-1)).toBe(net.sent);
});

test('a replica knows whether its only upstream has more for it, has nothing either, or is not to be heard', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  void b.play();
  await net.run(1000);
  const has = () => b.replicas.get(KEY)?.upstreamHas;
  const link = net.node('a').links.get('b');
  const write = link?.write.bind(link);
  if (!link || !write) throw new Error('a link is missing');
  link.write = (framed) => bodiesOf(framed).some(isMediaMessage) || write(framed);
  await net.run(1000);
  expect([b.parent, has()]).toEqual(['a', 'more']);
  net.deafen('a', 'b', true);
  await net.run(1000);
  expect(has()).toBe('unknown');
  net.deafen('a', 'b', false);
  link.write = write;
  await net.run(5000);
  net.node('a').unpublish();
  await net.run(1000);
  expect(has()).toBe('nothing');
});

test('a node that is sent elsewhere is fed by both, until the new one has begun; it asks for the next frame', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  const c = net.node('c');
  void c.play();
  await net.run(1000);
  const fromA = net.node('a').links.get('c');
  const toA = c.links.get('a');
  const fromB = c.links.get('b');
  if (!fromA || !toA || !fromB) throw new Error('a link is missing');
  const asked: unknown[] = [];
  const send = toA.send.bind(toA);
  toA.send = (message) => {
    if (message.is === 'sub') asked.push(message.resume);
    send(message);
  };
  const write = fromA.write.bind(fromA);
  const late: Buffer[] = [];
  fromA.write = (framed) => {
    if (late.length > 0 || bodiesOf(framed).some(isMediaMessage)) late.push(framed);
    else write(framed);
  };
  const { head } = c.stream ?? {};
  c.relay.control(fromB, { is: 'goaway', deadlineMs: 1000 });
  await net.run(250);
  expect(asked).toEqual([{ epoch: head?.epoch, from: (head?.seq ?? 0) + 1 }]);
  expect([c.parent, net.node('b').downstreams.count]).toEqual(['a', 1]);
  expect(c.sinks[0]?.ids.at(-1), 'it is fed all the while').toBeGreaterThan(net.sent - 2);
  fromA.write = write;
  for (const framed of late) write(framed);
  await net.run(500);
  expect(net.node('b').downstreams.count).toBe(0);
  expectWhole(c.sinks[0]?.ids ?? []);
  expect(c.sinks[0]?.ids.at(-1)).toBe(net.sent);
});

test('one switch for silence blocks the next for two seconds', async () => {
  const net = await netOf(['a', 'b', 'c', 'd'], 1);
  for (const id of ['b', 'd', 'c']) {
    void net.node(id).play();
    await net.run(500);
  }
  const c = net.node('c');
  expect([c.parent, net.node('d').parent]).toEqual(['d', 'b']);
  net.deafen('d', 'c', true);
  await net.run(400);
  expect(c.parent).toBe('b');
  net.deafen('b', 'c', true);
  await net.run(1000);
  expect(c.parent).toBe('b');
  await net.run(1500);
  expect(c.parent).toBe('a');
  expectWhole(c.sinks[0]?.ids ?? []);
});

test('an upstream is left, and told why, that begins a run of a lower epoch', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  const c = net.node('c');
  void c.play();
  await net.run(1000);
  const peer = c.links.get('b');
  const [upstream] = peer ? c.subscriptions.fedBy(peer) : [];
  if (!peer || !upstream) throw new Error('c is not fed by b');
  const said: ControlMessage[] = [];
  const send = peer.send.bind(peer);
  peer.send = (message) => {
    said.push(message);
    send(message);
  };
  const lower = { epochRef: 9, epoch: 1, from: 1, firstDts: 0, newestDts: 0 };
  c.relay.control(peer, { is: 'epoch', ref: upstream.ref, ...lower });
  expect(said).toEqual([
    { is: 'fenced', key: KEY, epoch: c.stream?.epoch },
    { is: 'unsub', ref: upstream.ref, id: expect.any(Number) },
  ]);
  await net.run(1000);
  expect(c.parent).toBe('a');
  expectWhole(c.sinks[0]?.ids ?? []);
});

test('a stream that nobody had is looked for again, though nobody says that it is there', async () => {
  const net = new SimNet(['a', 'b']);
  void net.node('b').play();
  await net.run(300);
  net.node('a').links.get('b')?.close();
  net.node('a').publish(1000 * 4096);
  await net.run(1500);
  expect(net.node('b').parent).toBe('a');
  expect(net.node('b').sinks[0]?.ids.at(-1)).toBe(net.sent);
});

test('an upstream is left whose way leads through the node itself', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  const c = net.node('c');
  void c.play();
  await net.run(1000);
  const peer = c.links.get('b');
  const [upstream] = peer ? c.subscriptions.fedBy(peer) : [];
  if (!peer || !upstream) throw new Error('c is not fed by b');
  c.relay.control(peer, { is: 'path', ref: upstream.ref, path: ['c', 'b'] });
  expect(upstream.state).toBe('over');
  await net.run(1000);
  expect(c.parent).toBe('a');
  expectWhole(c.sinks[0]?.ids ?? []);
});

test('whose link to the origin ended in silence can not tell whether that lives; whose link just ended has lost it', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  void b.play();
  await net.run(1000);
  const sight = () => b.replicas.get(KEY)?.sight;
  /** Nothing is heard for so long, then the link ends, and there is no other for a second. */
  const cut = async (silentMs: number) => {
    expect([b.parent, sight()]).toEqual(['a', 'clear']);
    net.walls.add('ab');
    net.deafen('a', 'b', true);
    await net.run(silentMs);
    const before = sight();
    b.links.get('a')?.close();
    const after = sight();
    expect(b.parent).toBeUndefined();
    await net.run(1000);
    const later = sight();
    net.walls.clear();
    await net.run(2500);
    return [before, after, later];
  };
  expect(await cut(0)).toEqual(['clear', 'lost', 'lost']);
  expect(await cut(700)).toEqual(['silent', 'lost', 'lost']);
  expect(await cut(1200)).toEqual(['silent', 'silent', 'silent']);
  expect(await cut(0)).toEqual(['clear', 'lost', 'lost']);
  expect(sight()).toBe('clear');
});

test('a link that is used to wait is not left at once, but tells nothing of the origin meanwhile', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  void b.play();
  net.rttDevMs = 200;
  await net.run(1000);
  const seen = () => {
    const { sight, isSwitching } = b.replicas.get(KEY) ?? {};
    return { sight, isSwitching };
  };
  net.deafen('a', 'b', true);
  await net.run(250);
  expect(seen()).toEqual({ sight: 'clear', isSwitching: false });
  await net.run(200);
  expect(seen()).toEqual({ sight: 'silent', isSwitching: false });
});

test('players are held when the origin dies, and follow the encoder to another node', async () => {
  const net = await netOf(['a', 'b', 'c', 'd']);
  void net.node('c').play();
  void net.node('d').play();
  await net.run(1000);
  net.node('a').kill();
  await net.run(2000);
  expect(net.node('c').stream?.state.at).toBe('held');
  net.node('b').publish(2000 * 4096);
  await net.run(1000);
  for (const id of ['c', 'd']) {
    const [sink] = net.node(id).sinks;
    expect(sink?.ends).toEqual([]);
    expect(sink?.ids.at(-1)).toBe(net.sent);
    expect(new Set(sink?.ids).size).toBe(sink?.ids.length);
    const times = sink?.times ?? [];
    expect(times.every((time, at) => at === 0 || time >= (times[at - 1] ?? 0))).toBe(true);
  }
});

test('an origin whose encoder went elsewhere becomes a replica, with its players and children', async () => {
  const net = await netOf(['a', 'b', 'c']);
  void net.node('a').play();
  void net.node('c').play();
  await net.run(1000);
  net.node('a').unpublish();
  net.node('b').publish(2000 * 4096);
  await net.run(1500);
  expect(net.node('a').parent).toBe('b');
  for (const id of ['a', 'c']) {
    const [sink] = net.node(id).sinks;
    expect(sink?.ends).toEqual([]);
    expect(sink?.ids.at(-1)).toBe(net.sent);
  }
});

test('a replica without players and children goes after a while', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  void b.play();
  await net.run(500);
  b.sinks[0]?.player?.leave({ code: 'test.left', message: 'left' });
  await net.run(9000);
  expect(b.stream).toBeDefined();
  await net.run(1200);
  expect(b.stream).toBeUndefined();
  expect(b.replicas.count).toBe(0);
  expect(net.known.replicas.size).toBe(0);
  expect(net.node('a').downstreams.count).toBe(0);
});

test('a stream that nobody has is found once somebody publishes it', async () => {
  const net = new SimNet(['a', 'b']);
  void net.node('b').play();
  await net.run(500);
  expect(net.node('b').replicas.count).toBe(0);
  net.node('a').publish(4096);
  await net.run(300);
  expect(net.node('b').sinks[0]?.ids.at(-1)).toBe(net.sent);
});

test('an origin that the registry does not know is not followed by who is fed by the one that it knows', async () => {
  const net = await netOf(['a', 'b', 'c']);
  const b = net.node('b');
  void b.play();
  await net.run(1000);
  net.node('c').publish(2000 * 4096, true);
  await net.run(1000);
  expect(b.parent).toBe('a');
  expectWhole(b.sinks[0]?.ids ?? []);
  net.node('a').publish(3000 * 4096);
  await net.run(1000);
  expect([b.parent, b.replicas.get(KEY)?.epoch]).toEqual(['a', 3000 * 4096]);
});

test('while the registry is away, whoever says that it is the origin is followed', async () => {
  const net = await netOf(['a', 'b', 'c']);
  void net.node('b').play();
  await net.run(1000);
  net.registry = { ageMs: 5_000 };
  net.node('c').publish(2000 * 4096, true);
  await net.run(1000);
  expect(net.node('b').parent).toBe('c');
});

test('while the registry is away, peers are asked who has a stream', async () => {
  const net = await netOf(['a', 'b', 'c']);
  net.registry = 'away';
  void net.node('b').play();
  await net.run(500);
  expect(net.node('b').parent).toBe('a');
});

test('what is remembered of a registry that is away is believed less than peers are', async () => {
  const net = await netOf(['a', 'b', 'c', 'd']);
  net.registry = { ageMs: 5_000 };
  net.node('a').kill();
  net.node('c').publish(2000 * 4096, true);
  await net.run(100);
  void net.node('b').play();
  await net.run(500);
  expect(net.node('b').parent).toBe('c');
});

test('a relay that lost its way to a living origin is left by its children, and fed by them', async () => {
  const net = await netOf(['a', 'b', 'c', 'd'], 1);
  for (const id of ['b', 'c', 'd']) {
    void net.node(id).play();
    await net.run(500);
  }
  expect(['b', 'c', 'd'].map((id) => net.node(id).parent)).toEqual(['a', 'b', 'c']);
  net.walls.add('ab');
  net.node('a').links.get('b')?.close();
  await net.run(5_000);
  for (const id of ['b', 'c', 'd']) {
    const [sink] = net.node(id).sinks;
    expectWhole(sink?.ids ?? []);
    expect(net.sent - (sink?.ids.at(-1) ?? 0)).toBeLessThan(2);
    expect(sink?.ends).toEqual([]);
  }
});

test('the tail that comes after the word of a hold is played, and makes nothing live', async () => {
  const net = await netOf(['a', 'b']);
  void net.node('b').play();
  await net.run(1000);
  const before = net.node('b').sinks[0]?.ids.length ?? 0;
  net.node('b').links.get('a')?.other?.send({ is: 'state', ref: 1, at: 'held', msLeft: 30_000 });
  await net.run(1000);
  expect(net.node('b').stream?.state.at).toBe('held');
  expect(net.node('b').sinks[0]?.ids.length).toBeGreaterThan(before);
  net.node('b').links.get('a')?.other?.send({ is: 'state', ref: 1, at: 'live', msLeft: 0 });
  await net.run(100);
  expect(net.node('b').stream?.state.at).toBe('live');
});

test('a goodbye that comes while a source is looked for is heeded afterwards', async () => {
  const net = await netOf(['a', 'b', 'c']);
  void net.node('b').play();
  void net.node('c').play();
  await net.run(500);
  const { relay, links } = net.node('c');
  const [a, b] = [links.get('a'), links.get('b')];
  if (!a || !b) throw new Error('a link is missing');
  relay.control(a, { is: 'goaway', deadlineMs: 1000 });
  await net.run(200);
  expect(net.node('c').parent).toBe('b');
  relay.control(b, { is: 'goaway', deadlineMs: 1000 });
  await net.run(200);
  expect(net.node('c').parent).toBe('a');
});

test('an origin that is emptied keeps its children, whoever else has the stream', async () => {
  const net = await netOf(['a', 'b', 'c']);
  for (const id of ['b', 'c']) void net.node(id).play();
  await net.run(500);
  net.node('a').downstreams.drain(60_000);
  await net.run(500);
  expect([net.node('b').parent, net.node('c').parent]).toEqual(['a', 'a']);
});

test('a relay that is emptied sends its children on, and they miss nothing', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  void net.node('c').play();
  await net.run(500);
  expect([net.node('b').parent, net.node('c').parent]).toEqual(['a', 'b']);
  net.node('b').downstreams.drain(60_000);
  await net.run(500);
  expect([net.node('b').parent, net.node('c').parent]).toEqual(['a', 'a']);
  for (const id of ['b', 'c']) {
    const [sink] = net.node(id).sinks;
    expectWhole(sink?.ids ?? []);
    expect(sink?.ids.at(-1)).toBe(net.sent);
  }
});

test('what a lost upstream said of a hold is gone with it: the one before serves on', async () => {
  const net = await netOf(['a', 'b', 'c'], 1);
  void net.node('b').play();
  await net.run(500);
  const c = net.node('c');
  void c.play();
  await net.run(1_000);
  expect(c.parent).toBe('b');
  const [a, b] = [c.links.get('a'), c.links.get('b')];
  if (!a || !b) throw new Error('a link is missing');
  // a is adopted, says that it holds before its first frame came, and is gone.
  const deafened = a.other?.write.bind(a.other);
  if (a.other) a.other.write = (framed) => bodiesOf(framed).some(isMediaMessage) || deafened?.(framed);
  c.relay.control(b, { is: 'goaway', deadlineMs: 1000 });
  await net.run(20);
  expect(c.parent).toBe('a');
  const [upstream] = c.subscriptions.fedBy(a);
  c.relay.control(a, { is: 'state', ref: upstream?.ref ?? 0, at: 'held', msLeft: 30_000 });
  net.walls.add('ac');
  a.close();
  await net.run(500);
  expect([c.parent, c.stream?.state.at]).toEqual(['b', 'live']);
  await net.run(500);
  expectWhole(c.sinks[0]?.ids ?? []);
  expect(net.sent - (c.sinks[0]?.ids.at(-1) ?? 0)).toBeLessThan(2);
});

test('a peer that gives two streams one number is told off, and the search goes on', async () => {
  const net = await netOf(['a', 'b']);
  const b = net.node('b');
  void b.play();
  await net.run(500);
  const a = b.links.get('a');
  if (!a) throw new Error('b has no link to a');
  const [fed] = b.subscriptions.fedBy(a);
  const other = parseStreamKey('live', 'other');
  const declined: unknown[] = [];
  const listener = {
    declined: (_of: unknown, why: unknown) => declined.push(why),
  } as unknown as UpstreamListener;
  const { id } = b.subscriptions.subscribe(a, other, { resume: undefined, tone: 'plain' }, listener);
  const grant = { id, ref: fed?.ref ?? 0, epoch: 4096, head: 0, oldest: 0, path: ['a'], msLeft: 0 };
  expect(() => b.relay.control(a, { is: 'ok', state: 'live', ...grant })).toThrow(/one number/);
  expect(declined).toMatchObject([{ code: 'mesh.ref' }]);
});
