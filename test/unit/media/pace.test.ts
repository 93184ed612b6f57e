import { expect, test } from 'vitest';
import { idleLimitMs, Pace } from '../../../src/media/pace.ts';

test('a source may be idle for half a second, or six of its usual pauses', () => {
  expect([0, 16, 40, 100, 1000].map(idleLimitMs)).toEqual([500, 500, 500, 600, 6000]);
});

test('a pace knows no usual pause before there was one', () => {
  const pace = new Pace(0);
  expect([pace.usualIntervalMs, pace.silentMs(30)]).toEqual([0, 30]);
  pace.arrived(1000);
  expect([pace.usualIntervalMs, pace.silentMs(1000)]).toEqual([0, 0]);
  pace.arrived(1040);
  expect(pace.usualIntervalMs).toBe(40);
});

test('a burst of any length does not shorten it: what counts is the pause between bursts', () => {
  const pace = new Pace(0);
  for (let burst = 0; burst < 200; burst += 1) {
    for (let frame = 0; frame < 50; frame += 1) pace.arrived(burst * 400 + frame * 0.1);
  }
  expect(pace.usualIntervalMs).toBeCloseTo(395.1, 0);
});

test('it follows a change, and one long pause makes little of it', () => {
  const pace = new Pace(0);
  let nowMs = 0;
  const pass = (ms: number, times: number) => {
    for (let time = 0; time < times; time += 1) {
      nowMs += ms;
      pace.arrived(nowMs);
    }
  };
  pass(20, 100);
  expect(pace.usualIntervalMs).toBeCloseTo(20, 6);
  pass(3_600_000, 1);
  expect(pace.usualIntervalMs).toBeLessThan(340);
  pass(50, 200);
  expect(pace.usualIntervalMs).toBeCloseTo(50, 1);
});

test('the time until another source comes is no pause', () => {
  const pace = new Pace(0);
  pace.arrived(0);
  pace.arrived(20);
  pace.restart();
  pace.arrived(4000);
  expect(pace.usualIntervalMs).toBe(20);
  expect(pace.silentMs(4100)).toBe(100);
});
