import { expect, test } from 'vitest';
import { NodeSnapshot } from '../../../src/registry/node-snapshot.ts';
import { nodeRecordOf, ownerOf } from '../../support/registries.ts';

const a = nodeRecordOf(ownerOf('a'));
const b = nodeRecordOf(ownerOf('b'));

test('a node is there until the lease of its last beat is over', () => {
  const snapshot = new NodeSnapshot();
  snapshot.apply([{ record: a, leaseMs: 4000 }], 1000);
  snapshot.apply([{ record: b, leaseMs: 3000 }], 2000);
  expect(snapshot.list(4000)).toEqual([
    { record: a, leaseMs: 1000 },
    { record: b, leaseMs: 1000 },
  ]);
  snapshot.apply([{ record: { ...a, draining: true }, leaseMs: 4000 }], 4500);
  expect(snapshot.get('a', 8499)?.draining).toBe(true);
  expect(snapshot.get('a', 8500)).toBeUndefined();
  expect(snapshot.get('b', 5000)).toBeUndefined();
  expect(snapshot.list(5000)).toHaveLength(1);
});

test('it keeps a bounded number of nodes, and goes on with those it has', () => {
  const snapshot = new NodeSnapshot();
  const row = Array.from({ length: 5000 }, (_, at) => ({
    record: nodeRecordOf(ownerOf(`n${at}`)),
    leaseMs: 4000,
  }));
  snapshot.apply(row, 0);
  expect(snapshot.list(0)).toHaveLength(4096);
  snapshot.apply(row.slice(0, 1), 1000);
  expect(snapshot.list(4500)).toHaveLength(1);
});
