import { beforeEach, describe, expect, test } from 'vitest';
import { CatchUp, type CatchUpState } from '../../../src/media/catch-up.ts';
import { Turns } from '../../../src/media/turns.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let clock: FakeClock;
let served: string[];
/** What becomes of each when it is served; `done` if nothing is said. */
let states: Record<string, CatchUpState>;
let catchUp: CatchUp<string>;

beforeEach(() => {
  clock = new FakeClock();
  served = [];
  states = {};
  catchUp = new CatchUp(new Turns(clock), (reader) => {
    served.push(reader);
    clock.spend(1);
    return states[reader] ?? 'done';
  });
});

describe('those who catch up', () => {
  test('are served in the order in which they came, a few in each turn', () => {
    for (const reader of 'abcdefg') catchUp.add(reader);
    clock.turn();
    expect(served.join('')).toBe('abc');
    clock.turn();
    clock.turn();
    expect(served.join('')).toBe('abcdefg');
    expect(clock.soonCount).toBe(0);
  });

  test('are served again behind the others while there is more', () => {
    states = { a: 'more' };
    for (const reader of 'abcd') catchUp.add(reader);
    clock.turn();
    clock.turn();
    expect(served.join('')).toBe('abcda');
    states = {};
    clock.turn();
    expect(served.join('')).toBe('abcdaa');
    clock.turn();
    expect(served).toHaveLength(6);
  });

  test('are not served while they are idle, until they are woken', () => {
    states = { a: 'idle', b: 'idle' };
    for (const reader of 'ab') catchUp.add(reader);
    clock.turn();
    expect(catchUp.hasIdle).toBe(true);
    expect(clock.soonCount).toBe(0);
    catchUp.wake();
    expect(catchUp.hasIdle).toBe(false);
    clock.turn();
    expect(served.join('')).toBe('abab');
  });

  test('are not served once they are removed, idle or not', () => {
    states = { a: 'idle' };
    for (const reader of 'ab') catchUp.add(reader);
    catchUp.remove('b');
    clock.turn();
    catchUp.remove('a');
    catchUp.wake();
    clock.turn();
    expect(served.join('')).toBe('a');
    expect(catchUp.hasIdle).toBe(false);
  });

  test('are served once for being added twice', () => {
    states = { a: 'idle' };
    catchUp.add('a');
    catchUp.add('a');
    clock.turn();
    catchUp.add('a');
    catchUp.wake();
    clock.turn();
    expect(served.join('')).toBe('aa');
  });

  test('are idle no longer once they are added', () => {
    states = { a: 'idle' };
    catchUp.add('a');
    clock.turn();
    states = {};
    catchUp.add('a');
    expect(catchUp.hasIdle).toBe(false);
    clock.turn();
    catchUp.wake();
    clock.turn();
    expect(served.join('')).toBe('aa');
  });
});
