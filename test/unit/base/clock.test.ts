import { describe, expect, test } from 'vitest';
import { every, jittered, systemClock } from '../../../src/base/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a jittered duration is up to a tenth early or late', () => {
  expect([0, 0.5, 1].map((chance) => jittered(1000, () => chance))).toEqual([900, 1000, 1100]);
});

describe('every', () => {
  test('calls each time the ms have passed, until it is cancelled', () => {
    const clock = new FakeClock(0);
    const ticks: number[] = [];
    const timer = every(clock, 100, () => ticks.push(clock.now()));
    clock.advance(350);
    timer.cancel();
    timer.cancel();
    clock.advance(1000);
    expect(ticks).toEqual([100, 200, 300]);
    expect(clock.timerCount).toBe(0);
  });

  test('may be cancelled from within, and goes on after a tick that throws', () => {
    const clock = new FakeClock(0);
    let ticks = 0;
    const timer = every(clock, 100, () => {
      ticks += 1;
      if (ticks === 1) throw new Error('tick');
      timer.cancel();
    });
    expect(() => clock.advance(100)).toThrow('tick');
    clock.advance(1000);
    expect(ticks).toBe(2);
  });

  test('does not bunch up ticks that are late', () => {
    const clock = new FakeClock(0);
    const ticks: number[] = [];
    every(clock, 100, () => ticks.push(clock.now()));
    clock.spend(1000);
    clock.advance(0);
    expect(ticks).toEqual([1000]);
    clock.advance(100);
    expect(ticks).toEqual([1000, 1100]);
  });
});

describe('the clock of the process', () => {
  test('calls soon before after, and nothing that was cancelled', async () => {
    const calls: string[] = [];
    const startedMs = systemClock.now();
    await new Promise<void>((resolve) => {
      systemClock.after(20, resolve);
      systemClock.after(5, () => calls.push('after'));
      systemClock.soon(() => calls.push('soon'));
      systemClock.after(1, () => calls.push('cancelled')).cancel();
      systemClock.soon(() => calls.push('cancelled')).cancel();
    });
    expect(calls).toEqual(['soon', 'after']);
    expect(systemClock.now() - startedMs).toBeGreaterThan(15);
    expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1000);
  });
});

describe('the fake clock', () => {
  test('fires timers in order of time, then of setting, each at its time, and those set meanwhile', () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.now()}`);
    clock.after(20, note('b'));
    clock.after(10, () => {
      note('a')();
      clock.after(5, note('inner'));
      clock.soon(note('soon'));
    });
    clock.after(20, note('c'));
    clock.after(30, note('late')).cancel();
    clock.advance(40);
    expect(fired).toEqual(['a@10', 'inner@15', 'b@20', 'c@20']);
    clock.turn();
    expect(fired.at(-1)).toBe('soon@40');
    expect([clock.timerCount, clock.soonCount]).toEqual([0, 0]);
  });

  test('ends one turn at a time', () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    const cancelled = clock.soon(() => fired.push(0));
    clock.soon(() => {
      fired.push(1);
      clock.soon(() => fired.push(2));
    });
    cancelled.cancel();
    clock.turn();
    expect(fired).toEqual([1]);
    clock.turn();
    expect(fired).toEqual([1, 2]);
  });
});
