// Who works, who reaches whom, and over whom a stream can go.
import { expect, test } from 'vitest';
import { World } from './world.ts';

const NODES = ['a', 'b', 'c', 'd'];
const everybody = () => true;
const nobody = () => false;

test('a node that was killed, stands still or is busy does not work until it is over', () => {
  const world = new World(NODES);
  const overDown = world.down('a');
  expect([world.isDown('a'), world.works('a'), world.deaths('a')]).toEqual([true, false, 1]);
  overDown();
  expect([world.isDown('a'), world.works('a'), world.deaths('a')]).toEqual([false, true, 1]);
  const [one, other] = [world.idle('b'), world.idle('b')];
  one();
  expect(world.works('b')).toBe(false);
  other();
  expect(world.works('b')).toBe(true);
});

test('a pair that two faults cut is whole after both', () => {
  const world = new World(NODES);
  const [one, other] = [world.cut('a', 'b'), world.cut('b', 'a')];
  expect([world.reaches('b', 'a'), world.reaches('a', 'c')]).toEqual([false, true]);
  one();
  expect(world.reaches('a', 'b')).toBe(false);
  other();
  expect(world.reaches('a', 'b')).toBe(true);
});

test('a stream goes over nodes that have it, work, and reach each other', () => {
  const world = new World(NODES);
  expect(world.hasWay('a', 'a', nobody)).toBe(true);
  expect(world.hasWay('a', 'd', nobody)).toBe(true);
  world.cut('a', 'd');
  expect(world.hasWay('a', 'd', nobody)).toBe(false);
  expect(world.hasWay('a', 'd', (node) => node === 'b')).toBe(true);
  world.cut('b', 'd');
  expect(world.hasWay('a', 'd', (node) => node === 'b')).toBe(false);
  expect(world.hasWay('a', 'd', everybody)).toBe(true);
  world.idle('c');
  expect(world.hasWay('a', 'd', everybody)).toBe(false);
});

test('nothing comes from a node that stands still, nor to one', () => {
  const world = new World(NODES);
  world.idle('a');
  expect(world.hasWay('a', 'b', everybody)).toBe(false);
  expect(world.hasWay('b', 'a', everybody)).toBe(false);
  expect(world.hasWay('a', 'a', everybody)).toBe(false);
});

test('a node lacks the registry until all faults of it are over, and is known to have lacked it', () => {
  const world = new World(NODES);
  expect(world.lackedRegistry('a', 0)).toBe(false);
  const one = world.loseRegistry(['a', 'b']);
  const other = world.loseRegistry(['a']);
  one(1_000);
  expect([world.lackedRegistry('a', 9_000), world.lackedRegistry('b', 9_000)]).toEqual([true, false]);
  other(2_000);
  expect([world.lackedRegistry('a', 2_000), world.lackedRegistry('a', 2_001)]).toEqual([true, false]);
  expect(world.lackedRegistry('b', 1_000)).toBe(true);
});
