import { expect, test } from 'vitest';
import { NodeSnapshot, SILENT_MS } from '../../../src/registry/node-snapshot.ts';
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

test('a node whose beats end without a word is known to be silent for a while', () => {
  const snapshot = new NodeSnapshot();
  snapshot.apply(
    [a, b].map((record) => ({ record, leaseMs: 1000 })),
    0,
  );
  snapshot.apply([{ record: b, leaseMs: 1000 }], 500);
  const silent = { record: a, leaseMs: 0 };
  expect(snapshot.known(1000)).toEqual([silent, { record: b, leaseMs: 500 }]);
  expect([snapshot.list(1000).length, snapshot.get('a', 1000)]).toEqual([1, undefined]);
  snapshot.apply([{ record: b, leaseMs: SILENT_MS }], 2000);
  expect(snapshot.known(SILENT_MS + 999)[0]).toEqual(silent);
  expect(snapshot.known(SILENT_MS + 1000)).toMatchObject([{ record: b }]);
  snapshot.apply([], SILENT_MS + 1000);
  expect(snapshot.table.entries).toBe(1);
});

test('a node that is emptied, or whose process said that it stops, is not missed; one that comes back may be', () => {
  const snapshot = new NodeSnapshot();
  const next = nodeRecordOf(ownerOf('b', 2));
  snapshot.apply(
    [
      { record: { ...a, draining: true }, leaseMs: 1000 },
      { record: b, leaseMs: 1000 },
    ],
    0,
  );
  snapshot.stops(b.boot);
  snapshot.stops('ffffffffffffffff');
  expect(snapshot.known(999)).toHaveLength(2);
  expect(snapshot.known(1000)).toEqual([]);
  snapshot.apply([{ record: next, leaseMs: 1000 }], 1000);
  expect(snapshot.known(2000)).toEqual([{ record: next, leaseMs: 0 }]);
});

test('those that are silent make room for those that come', () => {
  const snapshot = new NodeSnapshot();
  const row = Array.from({ length: 4096 }, (_, at) => nodeRecordOf(ownerOf(`n${at}`)));
  snapshot.apply(
    row.map((record) => ({ record, leaseMs: 1000 })),
    0,
  );
  snapshot.apply([{ record: a, leaseMs: 1000 }], 2000);
  expect(snapshot.list(2000)).toEqual([{ record: a, leaseMs: 1000 }]);
  expect(snapshot.table.entries).toBe(1);
});
