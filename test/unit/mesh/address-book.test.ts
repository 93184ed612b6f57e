// Where nodes are reached, and for how long that is remembered.
import { expect, test } from 'vitest';
import { AddressBook, MAX_NODES, REMEMBER_MS } from '../../../src/mesh/address-book.ts';
import { nodeRecord } from '../../support/node-record.ts';

const book = () => new AddressBook({ node: 'self', host: 'here' });

test('addresses come in the order of the record, the one that worked first', () => {
  const kept = book();
  const record = nodeRecord('b', { mesh: ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'] });
  kept.setNodes([record], 0);
  expect(kept.addressesOf('b', 0)).toEqual(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']);
  kept.worked('b', '10.0.0.3:1');
  kept.setNodes([record], 1_000);
  expect(kept.addressesOf('b', 1_000)).toEqual(['10.0.0.3:1', '10.0.0.1:1', '10.0.0.2:1']);
  kept.setNodes([nodeRecord('b', { mesh: ['10.0.0.9:1'] })], 2_000);
  expect(kept.addressesOf('b', 2_000)).toEqual(['10.0.0.9:1']);
});

test('a node that is gone from the list is remembered for ten minutes', () => {
  const kept = book();
  kept.setNodes([nodeRecord('b')], 0);
  kept.setNodes([], 4_000);
  expect(kept.nodes()).toEqual(['b']);
  expect(kept.addressesOf('b', REMEMBER_MS)).not.toEqual([]);
  expect(kept.addressesOf('b', REMEMBER_MS + 1)).toEqual([]);
  kept.setNodes([], REMEMBER_MS + 1);
  expect(kept.nodes()).toEqual([]);
});

test('a node in the list is never too old, however long the list stays as it is', () => {
  const kept = book();
  kept.setNodes([nodeRecord('b')], 0);
  expect(kept.addressesOf('b', 10 * REMEMBER_MS)).not.toEqual([]);
});

test('listed nodes come before remembered ones, and the node itself is not in its book', () => {
  const kept = book();
  kept.setNodes([nodeRecord('b'), nodeRecord('self')], 0);
  kept.setNodes([nodeRecord('c')], 1_000);
  expect(kept.nodes()).toEqual(['c', 'b']);
});

test.each(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', 'LOCALHOST:1', '[::1]:1', '[::ffff:127.0.0.1]:1'])(
  '%s reaches nodes of this host only',
  (address) => {
    const kept = book();
    const mesh = [address, '10.0.0.1:1'];
    kept.setNodes(
      [nodeRecord('near', { mesh, host: 'here' }), nodeRecord('far', { mesh, host: 'there' })],
      0,
    );
    expect(kept.addressesOf('near', 0)).toEqual(mesh);
    expect(kept.addressesOf('far', 0)).toEqual(['10.0.0.1:1']);
  },
);

test('the book is bounded: the longest unseen goes first', () => {
  const kept = book();
  kept.setNodes([nodeRecord('old')], 0);
  kept.setNodes(
    Array.from({ length: MAX_NODES + 10 }, (_, n) => nodeRecord(`n${n}`)),
    1_000,
  );
  expect(kept.size).toBe(MAX_NODES);
  expect(kept.addressesOf('old', 1_000)).toEqual([]);
  expect(kept.addressesOf('n0', 1_000)).not.toEqual([]);
});
