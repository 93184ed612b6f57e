// What beats say about a link.
import { expect, test } from 'vitest';
import { QualityMeter } from '../../../src/mesh/quality.ts';

/** A beat of a peer whose clock is `offsetMs` ahead: it answers ours of `sentMs` over a way of there and back. */
function exchange(
  meter: QualityMeter,
  { sentMs = 0, thereMs = 0, heldMs = 0, backMs = 0, offsetMs = 0, isTimely = true },
): void {
  const answeredMs = sentMs + thereMs + heldMs;
  const beat = { at: answeredMs + offsetMs, echo: { at: sentMs, heldMs } };
  meter.take(beat, answeredMs + backMs, isTimely);
}

test('there is no quality before an echo', () => {
  const meter = new QualityMeter();
  meter.take({ at: 5 }, 1_000, true);
  expect(meter.quality).toBeUndefined();
});

test('the round trip is without the time for which the peer held the beat', () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 1_000, thereMs: 10, heldMs: 150, backMs: 10 });
  expect(meter.quality).toEqual({ rttMs: 20, rttDevMs: 10, offsetMs: 0 });
});

test("the offset is the peer's clock minus ours", () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 1_000, thereMs: 15, heldMs: 40, backMs: 15, offsetMs: 123_456 });
  expect(meter.quality?.offsetMs).toBeCloseTo(123_456, 6);
});

test('the offset comes from the quickest of the last eight', () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 0, thereMs: 2, backMs: 2, offsetMs: 500 });
  for (let n = 1; n < 8; n += 1) {
    exchange(meter, { sentMs: n * 200, thereMs: 2, backMs: 100, offsetMs: 500 });
  }
  expect(meter.quality?.offsetMs).toBeCloseTo(500, 6);
  // The quick one is forgotten in time: clocks drift.
  exchange(meter, { sentMs: 1_600, thereMs: 2, backMs: 100, offsetMs: 500 });
  expect(meter.quality?.offsetMs).toBeCloseTo(451, 6);
});

test('a steady way has a deviation that goes to nothing; one that jitters has not', () => {
  const steady = new QualityMeter();
  const jittery = new QualityMeter();
  for (let n = 0; n < 60; n += 1) {
    exchange(steady, { sentMs: n * 200, thereMs: 20, backMs: 20 });
    exchange(jittery, { sentMs: n * 200, thereMs: 20, backMs: n % 2 ? 20 : 60 });
  }
  expect(steady.quality?.rttMs).toBeCloseTo(40, 6);
  expect(steady.quality?.rttDevMs).toBeLessThan(0.01);
  expect(jittery.quality?.rttDevMs).toBeGreaterThan(15);
});

test('what came while this process stood still is no sample', () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 0, thereMs: 5, backMs: 5 });
  exchange(meter, { sentMs: 200, thereMs: 5, backMs: 605, isTimely: false });
  expect(meter.quality?.rttMs).toBe(10);
});

test('beats that were under way while the way stood still are no samples; later ones are', () => {
  const meter = new QualityMeter();
  for (let n = 0; n < 20; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 1, backMs: 1 });
  const before = meter.quality;
  // For 2 s nothing passes; then all of it comes at once, to the peer and back.
  for (let n = 20; n < 30; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 6_000 - n * 200, backMs: 1 });
  expect(meter.quality).toEqual(before);
  for (let n = 31; n < 60; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 20, backMs: 20 });
  expect(meter.quality?.rttMs).toBeGreaterThan(30);
});

test.each([
  ['of a beat from the future', { at: 5_000, heldMs: 0 }],
  ['that was held for longer than it is old', { at: 900, heldMs: 200 }],
  ['of long ago', { at: 0, heldMs: 0 }],
])('an echo %s is no sample', (_name, echo) => {
  const meter = new QualityMeter();
  meter.take({ at: 1, echo }, echo.at === 0 ? 60_000 : 1_000, true);
  expect(meter.quality).toBeUndefined();
});

test('the echo says for how long the beat was held', () => {
  const meter = new QualityMeter();
  expect(meter.echo(10)).toBeUndefined();
  meter.take({ at: 77 }, 1_000, true);
  expect(meter.echo(1_180)).toEqual({ at: 77, heldMs: 180 });
});
