import { beforeEach, describe, expect, test } from 'vitest';
import { type Job, Turns } from '../../../src/media/turns.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let clock: FakeClock;
let turns: Turns;
/** Pieces, in the order in which they were done. */
let done: string[];

beforeEach(() => {
  clock = new FakeClock();
  turns = new Turns(clock);
  done = [];
});

/** Work of so many pieces, each of which takes so long, ms. */
function job(name: string, pieces: number, pieceMs: number): Job {
  let left = pieces;
  return {
    work(untilMs) {
      do {
        clock.spend(pieceMs);
        done.push(name);
        left -= 1;
      } while (left > 0 && clock.now() < untilMs);
      return left === 0;
    },
  };
}

describe('turns', () => {
  test('do nothing until the turn of the event loop ends, and no more once all is done', () => {
    turns.flush(job('a', 1, 1));
    turns.flush(job('b', 1, 1));
    expect(done).toEqual([]);
    expect(clock.soonCount).toBe(1);
    clock.turn();
    expect(done).toEqual(['a', 'b']);
    expect(clock.soonCount).toBe(0);
  });

  test('cut long work, and serve the others before they go on with it', () => {
    turns.flush(job('long', 20, 1));
    turns.flush(job('short', 1, 1));
    clock.turn();
    expect(done).toEqual(Array(5).fill('long'));
    clock.turn();
    expect(done.slice(5)).toEqual(['short', ...Array(4).fill('long')]);
    for (let turn = 0; turn < 4; turn += 1) clock.turn();
    expect(done).toHaveLength(21);
    expect(clock.soonCount).toBe(0);
  });

  test('never hold the event loop longer than 8 ms and a piece of each kind, however much there is to do', () => {
    for (let count = 0; count < 100; count += 1) {
      turns.flush(job('flush', 10, 0.5));
      turns.catchUp(job('catch up', 10, 0.5));
    }
    while (clock.soonCount > 0) {
      const startMs = clock.now();
      clock.turn();
      expect(clock.now() - startMs).toBeLessThanOrEqual(9);
    }
    expect(done).toHaveLength(2000);
  });

  test('let those catch up, too, while flushes take all they can', () => {
    turns.flush(job('flush', 1000, 1));
    turns.catchUp(job('catch up', 10, 1));
    for (let turn = 0; turn < 4; turn += 1) clock.turn();
    expect(done.filter((name) => name === 'catch up')).toHaveLength(10);
    expect(done.filter((name) => name === 'flush')).toHaveLength(20);
  });

  test('serve work that asks for more of itself in the next turn, not in this one', () => {
    const again: Job = {
      work() {
        done.push('again');
        turns.catchUp(again);
        return true;
      },
    };
    turns.catchUp(again);
    clock.turn();
    expect(done).toHaveLength(1);
    clock.turn();
    expect(done).toHaveLength(2);
  });

  test('know which share of the event loop flushes take; others are not counted', () => {
    expect(turns.flushShare).toBe(0);
    for (let count = 0; count < 200; count += 1) {
      turns.flush(job('flush', 1, 2));
      turns.catchUp(job('catch up', 1, 3));
      clock.turn();
      clock.advance(5);
    }
    expect(turns.flushShare).toBeCloseTo(0.2, 1);
  });
});
