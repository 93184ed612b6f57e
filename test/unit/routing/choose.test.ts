import { describe, expect, test } from 'vitest';
import { type Ask, choose, MAX_CONSIDERED, MAX_NAMED } from '../../../src/routing/choose.ts';
import { ClusterView } from '../../../src/routing/cluster-view.ts';
import { lotOf } from '../../../src/routing/lots.ts';
import type { NodeView } from '../../../src/routing/node-view.ts';
import { Prices } from '../../../src/routing/prices.ts';
import type { Promises } from '../../../src/routing/reservations.ts';
import type { Promised } from '../../../src/routing/score.ts';
import { LIMITS, nodeView, VERSION, WEIGHTS } from '../../support/node-views.ts';

const PRICES = new Prices([{ from: '*', to: '*', price: 1 }]);
const POLICY = { weights: WEIGHTS, limits: LIMITS, prices: PRICES };
const ASK: Ask = {
  place: { region: 'eu', zone: '' },
  holders: undefined,
  door: 'http',
  except: new Set(),
  region: undefined,
  stay: undefined,
  lot: undefined,
};
const NOTHING = () => ({ players: 0, bytesPerS: 0 });

function promisesOf(nodes: readonly NodeView[], to: (node: string) => Promised): Promises {
  return {
    players: Float64Array.from(nodes, ({ node }) => to(node).players),
    bytesPerS: Float64Array.from(nodes, ({ node }) => to(node).bytesPerS),
    left: 1,
  };
}

function viewOf(nodes: readonly NodeView[]): ClusterView {
  return new ClusterView(nodes, { weights: WEIGHTS, limits: LIMITS, version: VERSION });
}

/** The choice among these; who is drawn is always the same. */
function chosen(nodes: readonly NodeView[], ask: Partial<Ask> = {}, promised: Record<string, number> = {}) {
  const promises = promisesOf(nodes, (node) => ({ players: 1, bytesPerS: promised[node] ?? 0 }));
  return choose(viewOf(nodes), { ...ASK, ...ask }, POLICY, promises, () => 0);
}

function holders(...nodes: string[]) {
  return { origin: nodes[0], nodes: new Set(nodes) };
}

describe('the node that is chosen', () => {
  test('is the idlest', () => {
    const nodes = [nodeView('a', { load: { cpu: 0.5 } }), nodeView('b', { load: { cpu: 0.1 } })];
    expect(chosen(nodes).node).toBe('b');
  });

  test('is in the region of who asks, if that is not much busier', () => {
    const near = nodeView('near', { load: { cpu: 0.6 } });
    const far = nodeView('far', { region: 'us', rttMs: { eu: 80 } });
    expect(chosen([far, near]).node).toBe('near');
    expect(chosen([far, nodeView('near', { load: { cpu: 0.95 } })]).node).toBe('far');
  });

  test('has the stream, among equals', () => {
    const nodes = [nodeView('a'), nodeView('b'), nodeView('c')];
    expect(chosen(nodes, { holders: holders('c') }).node).toBe('c');
  });

  test('is not one that would have to pay for the stream, among equals', () => {
    const nodes = [
      nodeView('a', { region: 'us' }),
      nodeView('b', { region: 'ap' }),
      nodeView('o', { region: 'us' }),
    ];
    const place = { region: '', zone: '' };
    expect(chosen(nodes, { place, holders: holders('o'), except: new Set(['o']) }).node).toBe('a');
  });

  test('is not one that many were just sent to', () => {
    const nodes = [nodeView('a', { load: { cpu: 0.2 } }), nodeView('b', { load: { cpu: 0.3 } })];
    expect(chosen(nodes).node).toBe('a');
    expect(chosen(nodes, {}, { a: 25_000_000 }).node).toBe('b');
  });

  test('is where it was before, if that may be chosen, however busy', () => {
    const nodes = [nodeView('a', { load: { cpu: 0.8 } }), nodeView('b')];
    expect(chosen(nodes, { stay: { at: 'a', if: 'able' } })).toMatchObject({ node: 'a', by: 'stay' });
    expect(chosen(nodes, { stay: { at: 'a', if: 'near-best' } })).toMatchObject({
      node: 'b',
      by: 'drawn',
    });
    const full = [nodeView('a', { load: { cpu: 0.95 } }), nodeView('b')];
    expect(chosen(full, { stay: { at: 'a', if: 'able' } }).node).toBe('b');
    expect(chosen(nodes, { stay: { at: 'gone', if: 'able' } }).node).toBe('b');
  });

  test('of a region only, if that is asked for', () => {
    const nodes = [nodeView('a'), nodeView('b', { region: 'us', load: { cpu: 0.5 } })];
    expect(chosen(nodes, { region: 'us' }).node).toBe('b');
  });

  test('is in the zone of who asks, if that is not much busier', () => {
    const nodes = [nodeView('other', { zone: 'z1' }), nodeView('own', { zone: 'z2', load: { cpu: 0.3 } })];
    expect(chosen(nodes, { place: { region: 'eu', zone: 'z2' } }).node).toBe('own');
    expect(chosen(nodes, { place: { region: 'eu', zone: '' } }).node).toBe('other');
  });

  test('gets the stream for what the way to it costs, not for what the way back does', () => {
    const prices = new Prices([{ from: 'us', to: 'eu', price: 1 }]);
    const nodes = [
      nodeView('eu', { load: { cpu: 0.3 } }),
      nodeView('ap', { region: 'ap', load: { cpu: 0.35 } }),
    ];
    const of = [...nodes, nodeView('origin', { region: 'us', draining: true })];
    const ask = { ...ASK, place: { region: '', zone: '' }, holders: holders('origin') };
    const { node } = choose(viewOf(of), ask, { ...POLICY, prices }, promisesOf(of, NOTHING), () => 0);
    expect(node).toBe('ap');
  });

  test('is none of those that are excepted', () => {
    expect(chosen([nodeView('a'), nodeView('b')], { except: new Set(['a']) }).node).toBe('b');
  });
});

describe('those that are drawn', () => {
  const nodes = Array.from({ length: 20 }, (_, at) =>
    nodeView(`n${at}`, { load: { cpu: at < 10 ? 0.2 : 0.5 } }),
  );

  /** How often each of them is chosen in so many turns. */
  function counts(among: readonly NodeView[], turns: number, ask: Partial<Ask> = {}): Map<string, number> {
    let turn = 0;
    const random = () => {
      turn += 1;
      return (turn * 0.618_033_988) % 1;
    };
    const view = viewOf(among);
    const seen = new Map<string, number>();
    for (let at = 0; at < turns; at += 1) {
      const { node = '' } = choose(view, { ...ASK, ...ask }, POLICY, promisesOf(among, NOTHING), random);
      seen.set(node, (seen.get(node) ?? 0) + 1);
    }
    return seen;
  }

  test('are any of those that are near, and the idler is taken', () => {
    const seen = counts(nodes, 2_000);
    const idle = nodes.slice(0, 10).reduce((sum, { node }) => sum + (seen.get(node) ?? 0), 0);
    expect(seen.size).toBe(20);
    // Of two that are drawn, both are of the busy half once in four times.
    expect(idle / 2_000).toBeGreaterThan(0.7);
    expect(idle / 2_000).toBeLessThan(0.82);
  });

  test('a node that is new and idle takes twice its share, and no more, though it has a stream, too', () => {
    const busy = Array.from({ length: 19 }, (_, at) => nodeView(`b${at}`, { load: { cpu: 0.5 } }));
    const all = [...busy, nodeView('new')];
    for (const holding of [undefined, holders(...all.map(({ node }) => node))]) {
      const share = (counts(all, 4_000, { holders: holding }).get('new') ?? 0) / 4_000;
      expect(share * 20).toBeGreaterThan(1.7);
      expect(share * 20).toBeLessThan(2.3);
    }
  });

  test('an idle one that has the stream beside another takes twice its share, and is not stormed', () => {
    const busy = Array.from({ length: 10 }, (_, at) => nodeView(`b${at}`, { load: { cpu: 0.5 } }));
    const among = [...busy, nodeView('idle')];
    const share = (counts(among, 4_000, { holders: holders('b0', 'idle') }).get('idle') ?? 0) / 4_000;
    expect(share * 11).toBeGreaterThan(1.6);
    expect(share * 11).toBeLessThan(2.4);
  });

  test('a node of twice the size is drawn twice as often', () => {
    const sized = nodes
      .slice(0, 10)
      .map(({ node }, at) => nodeView(node, { load: { capacityBytesPerS: at === 0 ? 2e8 : 1e8 } }));
    const share = (counts(sized, 4_000).get('n0') ?? 0) / 4_000;
    expect(share).toBeGreaterThan(0.14);
    expect(share).toBeLessThan(0.23);
  });

  test('one that was sent much of late has no advantage of having the stream', () => {
    const choice = (of: readonly NodeView[], players: number) => {
      const promises = promisesOf(of, (node) => ({ players: node === 'n3' ? players : 0, bytesPerS: 0 }));
      return choose(viewOf(of), { ...ASK, holders: holders('n3') }, POLICY, promises, () => 0.7).node;
    };
    expect(choice(nodes.slice(0, 10), 0.4)).toBe('n3');
    expect(choice(nodes.slice(0, 10), 3)).not.toBe('n3');
    // Of three nobody can be stormed.
    expect(choice(nodes.slice(3, 6), 3)).toBe('n3');
  });

  test('the better of two is taken', () => {
    const two = [nodeView('a', { load: { cpu: 0.15 } }), nodeView('b', { load: { cpu: 0.1 } })];
    expect(chosen(two).node).toBe('b');
    expect(chosen([...two].reverse()).node).toBe('b');
  });

  test('are the same for one session whoever decides, and others for others', () => {
    const by = (session: string, random: () => number) =>
      choose(viewOf(nodes), { ...ASK, lot: lotOf(session) }, POLICY, promisesOf(nodes, NOTHING), random).node;
    const sessions = Array.from({ length: 200 }, (_, at) => `s${at}`);

    expect(sessions.map((session) => by(session, () => 0))).toEqual(
      sessions.map((session) => by(session, () => 0.9)),
    );
    expect(new Set(sessions.map((session) => by(session, () => 0))).size).toBeGreaterThan(10);
  });
});

describe('why', () => {
  test('tells the best with their parts, the chosen one always among them', () => {
    const nodes = Array.from({ length: 12 }, (_, at) => nodeView(`n${at}`, { load: { cpu: at / 100 } }));
    const { considered } = chosen(nodes, { stay: { at: 'n11', if: 'able' } });

    expect(considered.map(({ node }) => node)).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n11']);
    expect(considered).toHaveLength(MAX_CONSIDERED + 1);
    expect(considered[1]).toMatchObject({
      score: 0.01,
      parts: { cpu: 0.01, place: 0 },
      promised: { players: 1 },
    });
    expect(chosen(nodes).near).toBe(12);
  });

  test('the score that is shown is the one that was compared', () => {
    const nodes = [
      nodeView('a', { zone: 'z1', load: { cpu: 0.3, memory: 0.4, loopBusy: 0.1, sentBytesPerS: 3e7 } }),
      nodeView('b', { region: 'us', load: { cpu: 0.25 }, rttMs: { eu: 120 } }),
    ];
    const ask = { place: { region: 'eu', zone: 'z2' }, holders: holders('b') };
    const { considered } = chosen(nodes, ask, { a: 1e6 });
    const [a, b] = considered;
    // 0.302 cpu, 0.2 memory, 0.248 bandwidth, 0.4 zone, 0 link, 0.5 price, 0.3 stream
    expect(a?.node).toBe('a');
    expect(a?.score).toBeCloseTo(0.302 + 0.2 + 0.248 + 0.4 + 0.5 + 0.3, 9);
    // 0.25 cpu, 2 place, 0.3 link, 0.5 price of the delivery, the stream is there
    expect(b?.score).toBeCloseTo(0.25 + 2 + 0.3 + 0.5, 9);
  });

  test('tells who was filtered, by reason', () => {
    const nodes = [
      nodeView('a', { draining: true }),
      nodeView('b', { load: { cpu: 0.99 } }),
      nodeView('c', { http: '' }),
      nodeView('d', { draining: true }),
    ];
    expect(chosen(nodes, { door: 'http' })).toEqual({
      node: undefined,
      by: 'none',
      considered: [],
      near: 0,
      filtered: [
        { reason: 'draining', count: 2, nodes: ['a', 'd'] },
        { reason: 'cpu', count: 1, nodes: ['b'] },
        { reason: 'door', count: 1, nodes: ['c'] },
      ],
    });
  });

  test('names so many of each reason and no more', () => {
    const nodes = Array.from({ length: MAX_NAMED + 5 }, (_, at) => nodeView(`n${at}`, { draining: true }));
    const [filtered] = chosen(nodes).filtered;
    expect(filtered?.count).toBe(MAX_NAMED + 5);
    expect(filtered?.nodes).toHaveLength(MAX_NAMED);
  });
});
