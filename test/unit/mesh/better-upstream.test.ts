// How replicas choose who feeds them, and leave a parent for a better one: clusters in simulated time.
import { describe, expect, test } from 'vitest';
import { SimNet, type SimNode, type SimOptions } from '../../support/mesh-sim.ts';
import { randomOf } from '../../support/random-of.ts';

/** Within a region 2 ms, from one to another 80. */
const byRegion = (regions: Readonly<Record<string, string>>) => (a: string, b: string) =>
  regions[a] === regions[b] ? 2 : 80;

async function netOf(ids: readonly string[], options: SimOptions = {}): Promise<SimNet> {
  const net = new SimNet(ids, options);
  if (options.regions) net.rttMs = byRegion(options.regions);
  net.node('a').publish(1000 * 4096);
  await net.run(300);
  return net;
}

async function play(net: SimNet, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    void net.node(id).play();
    await net.run(300);
  }
}

/** Every frame from the first on, each once, in order, up to the newest. */
function expectWhole(net: SimNet, ...nodes: readonly SimNode[]): void {
  for (const { id, sinks } of nodes) {
    const ids = sinks[0]?.ids ?? [];
    const first = ids[0] ?? 0;
    expect(ids, id).toEqual(ids.map((_, at) => first + at));
    expect(net.sent - (ids.at(-1) ?? 0), id).toBeLessThan(3);
    expect(sinks[0]?.ends, id).toEqual([]);
  }
}

function causes({ replicas }: SimNode): Record<string, number> {
  return Object.fromEntries(replicas.switches.samples().map(({ labels, value }) => [labels?.cause, value]));
}

/** For how long until it holds, ms. */
async function within(net: SimNet, ms: number, holds: () => boolean): Promise<number> {
  const fromMs = net.clock.now();
  while (!holds()) {
    if (net.clock.now() - fromMs > ms) return Number.POSITIVE_INFINITY;
    await net.run(100);
  }
  return net.clock.now() - fromMs;
}

describe('a replica that begins', () => {
  const regions = { a: 'eu', b: 'us', c: 'us', d: 'us' };

  test('is fed by a node of its region at once, though it has a link to the origin only', async () => {
    const net = await netOf(['a', 'b', 'c'], {
      regions,
      prices: [{ from: '*', to: '*', price: 0.1 }],
      isLinked: (one) => one === 'a',
    });
    await play(net, 'b', 'c');
    expect([net.node('b').parent, net.node('c').parent]).toEqual(['a', 'b']);
    expect(causes(net.node('c'))).toEqual({ first: 1 });
    expectWhole(net, net.node('b'), net.node('c'));
  });

  test('takes of two that cost about the same the one to which it has a link', async () => {
    const pairs = new Set(['ab', 'ac', 'cd']);
    const net = await netOf(['a', 'b', 'c', 'd'], { regions, isLinked: (a, b) => pairs.has(a + b) });
    await play(net, 'b');
    net.walls.add('bc');
    await play(net, 'c');
    expect([net.node('b').parent, net.node('c').parent]).toEqual(['a', 'a']);
    net.walls.clear();
    await play(net, 'd');
    expect(net.node('d').parent).toBe('c');
  });

  test('goes by cost to those whom a busy one names', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c');
    net.rttMs = (a, b) => ([a, b].sort().join('') === 'bd' ? 60 : 2);
    await play(net, 'd');
    expect(net.node('d').parent).toBe('c');
  });

  test('does not go to one that drains', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { regions });
    await play(net, 'b', 'c');
    const [taken, other] = net.node('b').parent === 'a' ? ['b', 'c'] : ['c', 'b'];
    net.node(taken).isDraining = true;
    await play(net, 'd');
    expect(net.node('d').parent).toBe(other);
  });

  test('writes down whom it chose, and of whom', async () => {
    const net = await netOf(['a', 'b', 'c'], { regions });
    await play(net, 'b', 'c');
    const [decision] = net.node('c').decisions;
    expect(decision).toMatchObject({ kind: 'upstream', stream: 'live/test', node: 'b', why: 'first' });
    expect(decision?.parents.map(({ node, total }) => [node, total])).toEqual([
      ['b', 22],
      ['a', 80],
    ]);
  });
});

describe('a better parent', () => {
  test('is moved to within ten seconds, without a frame lost, and not back', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent;
    await net.run(20_000);
    expect([d.parent, causes(d)]).toEqual([first, { first: 1 }]);
    const other = first === 'b' ? 'c' : 'b';
    net.rttMs = (a, b) => ([a, b].sort().join('') === `${first}d` ? 152 : 2);
    expect(await within(net, 10_000, () => d.parent === other)).toBeLessThan(10_000);
    expectWhole(net, d);
    // The way is as it was: that is no reason to go back.
    net.rttMs = () => 2;
    await net.run(120_000);
    expect([d.parent, causes(d)]).toEqual([other, { first: 1, better: 1 }]);
    expect(d.decisions.at(-1)).toMatchObject({
      node: other,
      why: `better, after ${first}: 22 ms in place of 172 ms`,
    });
    expectWhole(net, ...net.nodes.slice(1));
  });

  test('is gone to and from no oftener than the rest allows, whatever links measure', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    // Whoever feeds it is slow.
    net.rttMs = (a, b) => ([a, b].sort().join('') === `${d.parent}d` ? 200 : 2);
    await net.run(600_000);
    expect(causes(d).better).toBeGreaterThan(1);
    expect(causes(d).better).toBeLessThanOrEqual(6);
    expectWhole(net, d);
  });

  test('stays the second choice while it is only a little better', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent;
    net.rttMs = (a, b) => ([a, b].sort().join('') === `${first}d` ? 31 : 2);
    await net.run(60_000);
    expect([d.parent, causes(d)]).toEqual([first, { first: 1 }]);
  });

  test('is not moved to after a moment of trouble', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent;
    for (let turn = 0; turn < 10; turn += 1) {
      net.lossShare = (a, b) => ([a, b].sort().join('') === `${first}d` ? 0.5 : 0);
      await net.run(1_500);
      net.lossShare = () => 0;
      await net.run(3_000);
    }
    expect([d.parent, causes(d)]).toEqual([first, { first: 1 }]);
  });

  test('that refuses leaves the replica where it is, and is left alone for a while', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent;
    const other = first === 'b' ? 'c' : 'b';
    let asked = 0;
    const to = d.links.get(other);
    const send = to?.send.bind(to);
    if (to) {
      to.send = (message) => {
        if (message.is === 'sub') asked += 1;
        send?.(message);
      };
    }
    // It is about to go, though its record does not say so.
    net.node(other).downstreams.goAway(1_000);
    net.rttMs = (a, b) => ([a, b].sort().join('') === `${first}d` ? 152 : 2);
    await net.run(60_000);
    expect([d.parent, causes(d)]).toEqual([first, { first: 1 }]);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThanOrEqual(5);
    expect(d.replicas.movesRefused).toBe(asked);
    expectWhole(net, d);
  });

  test('is no more than looked at while the stream is held, or a backup stands by', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent;
    d.standsBy = true;
    net.rttMs = (a, b) => ([a, b].sort().join('') === `${first}d` ? 152 : 2);
    await net.run(20_000);
    expect(d.parent).toBe(first);
    d.standsBy = false;
    net.node('a').unpublish();
    await net.run(15_000);
    expect(d.parent).toBe(first);
  });

  test('is found for each child of a hot parent, a few at a time, until the others need none', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const net = await netOf(ids, { softChildren: 20, random: randomOf(3) });
    await play(net, 'b', 'c');
    const children = ids.slice(3).map((id) => net.node(id));
    for (const { id } of children)
      for (const other of ids) if (other !== 'b') net.walls.add([id, other].sort().join(''));
    for (const child of children) {
      for (const [id, link] of child.links) if (id !== 'b') link.close();
    }
    await play(net, ...children.map(({ id }) => id));
    expect(children.map(({ parent }) => parent)).toEqual(children.map(() => 'b'));
    net.walls.clear();
    for (const child of children) net.link(child, net.node('c'));
    const left: number[] = [];
    // Each child costs a tenth of its CPU.
    const load = () => {
      const stay = children.filter(({ parent }) => parent === 'b').length;
      net.node('b').cpu = 0.5 + stay / 12;
      left.push(children.length - stay);
    };
    for (let second = 0; second < 120; second += 1) {
      await net.run(1_000);
      load();
    }
    expect(left.at(10)).toBeLessThan(3);
    expect(left.at(-1)).toBeGreaterThan(0);
    expect(left.at(-1)).toBeLessThan(children.length);
    expect(left.at(-1)).toBe(left.at(-40));
    expectWhole(net, ...children);
  });

  test('is left when the parent drains, for one that does not', async () => {
    const net = await netOf(['a', 'b', 'c', 'd'], { softChildren: 2 });
    await play(net, 'b', 'c', 'd');
    const d = net.node('d');
    const first = d.parent ?? '';
    net.node(first).isDraining = true;
    expect(await within(net, 10_000, () => d.parent !== first)).toBeLessThan(10_000);
    expectWhole(net, d);
  });
});

describe('a border with a price', () => {
  test('is crossed by one copy, when all nodes of a region began at once', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const regions = { a: 'eu', b: 'eu', c: 'us', d: 'us', e: 'us', f: 'us', g: 'us' };
    const net = await netOf(ids, {
      regions,
      prices: [{ from: '*', to: '*', price: 0.1 }],
      random: randomOf(1),
    });
    for (const id of ids.slice(1)) void net.node(id).play();
    await net.run(200);
    const us = ids.slice(2).map((id) => net.node(id));
    const crossing = () => us.filter(({ parent }) => regions[parent as 'a'] === 'eu').length;
    expect(crossing()).toBe(5);
    expect(await within(net, 20_000, () => crossing() === 1)).toBeLessThan(20_000);
    await net.run(60_000);
    expect(crossing()).toBe(1);
    expect(us.reduce((sum, node) => sum + (causes(node).better ?? 0), 0)).toBeLessThanOrEqual(5);
    expectWhole(net, ...net.nodes.slice(1));
  });
});
