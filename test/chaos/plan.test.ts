// The same seed plans the same; a round leaves a cluster that can be judged.
import { expect, test } from 'vitest';
import { FAULT_KINDS, type Fault, Plan, type PlannedFault, textOf } from './plan.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'];
const STREAMS = ['chaos/1', 'chaos/2'];

test('a seed plans the same rounds each time, and another seed others', () => {
  const rounds = (seed: number) => {
    const plan = new Plan({ seed, nodes: NODES, streams: STREAMS });
    return Array.from({ length: 20 }, () => plan.next());
  };
  expect(rounds(7)).toEqual(rounds(7));
  expect(rounds(7)).not.toEqual(rounds(8));
});

test('rounds are numbered, and have two to four faults, in order, that begin within five seconds', () => {
  const rounds = roundsOf(300);
  expect(rounds.map(({ number }) => number).slice(0, 3)).toEqual([1, 2, 3]);
  for (const { faults } of rounds) {
    expect(faults.length).toBeGreaterThanOrEqual(2);
    expect(faults.length).toBeLessThanOrEqual(4);
    const times = faults.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(Math.max(...times)).toBeLessThan(5_000);
  }
});

test('each kind comes once before any comes a third time', () => {
  const seen: string[] = [];
  for (const { faults } of roundsOf(12)) seen.push(...faults.map(({ fault }) => fault.kind));
  const counts = new Map<string, number>();
  for (const kind of seen) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if ((counts.get(kind) ?? 0) > 2) break;
  }
  expect([...counts.keys()].sort()).toEqual([...FAULT_KINDS].sort());
});

test('no node has two faults of its own in a round, and at most two nodes are taken out', () => {
  for (const { faults } of roundsOf(500)) {
    const nodes = faults.flatMap(({ fault }) =>
      'node' in fault && !('stream' in fault) ? [fault.node] : [],
    );
    expect(new Set(nodes).size).toBe(nodes.length);
    const out = faults.filter(({ fault }) => ['kill', 'pause', 'squeeze', 'isolate'].includes(fault.kind));
    expect(out.length).toBeLessThanOrEqual(2);
    const ofRedis = faults.filter(({ fault }) => ['wipe-redis', 'fail-over-redis'].includes(fault.kind));
    expect(ofRedis.length).toBeLessThanOrEqual(1);
  }
});

test('two nodes that are cut from each other are two', () => {
  const cuts = all(roundsOf(300)).filter((fault) => fault.kind === 'cut');
  expect(cuts.length).toBeGreaterThan(20);
  for (const { nodes } of cuts) expect(nodes[0]).not.toBe(nodes[1]);
});

test('kinds can be left out', () => {
  const without = FAULT_KINDS.filter((kind) => kind !== 'stall' && kind !== 'cut');
  const plan = new Plan({ seed: 1, nodes: NODES, streams: STREAMS, without });
  const kinds = new Set(
    Array.from({ length: 30 }, () => plan.next()).flatMap(({ faults }) => kindsOf(faults)),
  );
  expect([...kinds].sort()).toEqual(['cut', 'stall']);
});

test('a fault is told in words', () => {
  expect(textOf({ kind: 'pause', node: 'd', forMs: 3_210 })).toBe('pause d 3.2 s');
  expect(textOf({ kind: 'cut', nodes: ['b', 'a'], how: 'reset', forMs: 500 })).toBe('cut b-a (reset) 0.5 s');
  expect(textOf({ kind: 'clock', node: 'a', aheadMs: -60_000, forMs: 2_000 })).toBe(
    'clock a -60 s ahead, 2.0 s',
  );
  expect(textOf({ kind: 'fail-over-redis', how: 'kill' })).toBe('fail-over-redis (kill)');
  expect(textOf({ kind: 'move-publisher', stream: 'chaos/1', node: 'b' })).toBe(
    'move-publisher chaos/1 to b',
  );
});

function roundsOf(count: number) {
  const plan = new Plan({ seed: 3, nodes: NODES, streams: STREAMS });
  return Array.from({ length: count }, () => plan.next());
}

function all(rounds: readonly { readonly faults: readonly PlannedFault[] }[]): Fault[] {
  return rounds.flatMap(({ faults }) => faults.map(({ fault }) => fault));
}

function kindsOf(faults: readonly PlannedFault[]): string[] {
  return faults.map(({ fault }) => fault.kind);
}
