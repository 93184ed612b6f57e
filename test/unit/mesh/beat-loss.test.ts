// What counts as the loss of a peer's beats.
import { expect, test } from 'vitest';
import { BeatLoss } from '../../../src/mesh/beat-loss.ts';
import { OwnTime, PULSE_MS } from '../../../src/mesh/own-time.ts';

/** Beats each 200 ms from 200 on, up to and with `untilMs`. */
function beats(
  loss: BeatLoss,
  fromMs: number,
  untilMs: number,
  lateMs: (n: number) => number = () => 0,
): void {
  for (let n = 0; fromMs + n * 200 <= untilMs; n += 1) loss.heard(fromMs + n * 200 + lateMs(n));
}

test('beats that come in time are no loss, nor are those that jitter by less than their interval', () => {
  const steady = new BeatLoss(0);
  const jittery = new BeatLoss(0);
  beats(steady, 200, 20_000);
  beats(jittery, 200, 20_000, (n) => (n % 2) * 190);
  expect([steady.share(20_100), jittery.share(20_100)]).toEqual([0, 0]);
});

test('each beat that is a whole interval late is one of the fifty of ten seconds', () => {
  const loss = new BeatLoss(0);
  beats(loss, 200, 4_000);
  // Those of 4,200 to 5,800 come at once, with the one of 6,000, as TCP does it.
  for (let n = 0; n < 10; n += 1) loss.heard(6_000);
  beats(loss, 6_200, 8_000);
  expect(loss.share(8_000)).toBeCloseTo(9 / 50, 9);
});

test('a silence counts while it lasts, and never for more than everything', () => {
  const loss = new BeatLoss(0);
  beats(loss, 200, 4_000);
  expect([4_399, 4_400, 5_000].map((ms) => loss.share(ms))).toEqual([0, 1 / 50, 4 / 50]);
  expect(loss.share(60_000)).toBe(1);
});

test('what was lost is forgotten after ten seconds', () => {
  const loss = new BeatLoss(0);
  loss.heard(1_000);
  beats(loss, 1_200, 12_000);
  expect(loss.share(11_000)).toBeCloseTo(4 / 50, 9);
  expect(loss.share(11_001)).toBe(0);
});

test('time for which nothing was read here is excused', () => {
  const loss = new BeatLoss(0);
  beats(loss, 200, 1_000);
  loss.excuse(9_000);
  loss.heard(9_100);
  expect(loss.share(9_200)).toBe(0);
});

test('a process that stood still lost nothing', () => {
  const own = new OwnTime(0);
  const loss = new BeatLoss(0);
  let nowMs = 0;
  const run = (untilMs: number) => {
    for (; nowMs < untilMs; nowMs += PULSE_MS) {
      own.pulse(nowMs);
      own.polled();
      if (nowMs % 200 === 0) loss.heard(own.at(nowMs));
    }
  };
  run(2_000);
  nowMs += 3_000; // Stopped; what came meanwhile is read after the first pulse.
  own.pulse(nowMs);
  for (let n = 0; n < 15; n += 1) loss.heard(own.at(nowMs));
  run(8_000);
  expect(loss.share(own.seenMs(nowMs))).toBe(0);
});
