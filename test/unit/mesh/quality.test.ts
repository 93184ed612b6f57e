// What beats say about a link.
import { expect, test } from 'vitest';
import { QualityMeter } from '../../../src/mesh/quality.ts';
import { numbersFrom } from '../../support/mesh-bytes.ts';

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
  expect(meter.quality(1_000)).toBeUndefined();
});

test('the round trip is without the time for which the peer held the beat', () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 1_000, thereMs: 10, heldMs: 150, backMs: 10 });
  expect(meter.quality(1_170)).toEqual({ rttMs: 20, rttDevMs: 10, offsetMs: 0, errorMs: 10 });
});

test("the offset is the peer's clock minus ours", () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 1_000, thereMs: 15, heldMs: 40, backMs: 15, offsetMs: 123_456 });
  expect(meter.quality(1_100)?.offsetMs).toBeCloseTo(123_456, 6);
});

/** Beats each 200 ms, for so long. */
function run(
  meter: QualityMeter,
  { fromMs = 0, forMs = 0, ...how }: Parameters<typeof exchange>[1] & { fromMs?: number; forMs?: number },
  offsetAt: (sentMs: number) => number = () => 500,
): number {
  let sentMs = fromMs;
  for (; sentMs < fromMs + forMs; sentMs += 200) {
    exchange(meter, { ...how, sentMs, offsetMs: offsetAt(sentMs) });
  }
  return sentMs;
}

test.each([
  ['back', { thereMs: 1, backMs: 81 }],
  ['there', { thereMs: 81, backMs: 1 }],
  ['both ways', { thereMs: 81, backMs: 81 }],
])('the offset stays when the way becomes slower %s, and its error is known to grow', (_name, how) => {
  const meter = new QualityMeter();
  let nowMs = run(meter, { forMs: 10_000, thereMs: 1, backMs: 1 });
  nowMs = run(meter, { fromMs: nowMs, forMs: 600_000, ...how });
  const quality = meter.quality(nowMs);
  expect(quality?.offsetMs).toBeCloseTo(500, 6);
  expect(quality?.rttMs).toBeCloseTo(how.thereMs + how.backMs, 6);
  // 50 ppm of ten minutes.
  expect(quality?.errorMs).toBeGreaterThan(30);
  expect(quality?.errorMs).toBeLessThan(32);
});

test('of a way that is slower for good, the offset is taken once drift may have made up for it', () => {
  const meter = new QualityMeter();
  let nowMs = run(meter, { forMs: 1_000, thereMs: 1, backMs: 1 });
  nowMs = run(meter, { fromMs: nowMs, forMs: 1_000_000, thereMs: 1, backMs: 81 });
  expect(meter.quality(nowMs)?.offsetMs).toBeCloseTo(460, 6);
  expect(meter.quality(nowMs)?.errorMs).toBeCloseTo(41, 1);
});

test('the offset follows clocks that drift, within the error that it tells', () => {
  const meter = new QualityMeter();
  const offsetAt = (ms: number) => 500 + ms * 30e-6;
  const next = numbersFrom(7);
  for (let sentMs = 0; sentMs < 3_600_000; sentMs += 200) {
    const [thereMs, backMs] = [1 + (next() % 20), 1 + (next() % 20)];
    exchange(meter, { sentMs, thereMs, backMs, offsetMs: offsetAt(sentMs) });
    const quality = meter.quality(sentMs + 50);
    const wrongMs = Math.abs((quality?.offsetMs ?? 0) - offsetAt(sentMs));
    if (wrongMs > (quality?.errorMs ?? 0)) throw new Error(`wrong by ${wrongMs} ms at ${sentMs}`);
  }
  expect(meter.quality(3_600_000)?.errorMs).toBeLessThan(4);
});

test('a steady way has a deviation that goes to nothing; one that jitters has not', () => {
  const steady = new QualityMeter();
  const jittery = new QualityMeter();
  for (let n = 0; n < 60; n += 1) {
    exchange(steady, { sentMs: n * 200, thereMs: 20, backMs: 20 });
    exchange(jittery, { sentMs: n * 200, thereMs: 20, backMs: n % 2 ? 20 : 60 });
  }
  const nowMs = 12_000;
  expect(steady.quality(nowMs)?.rttMs).toBeCloseTo(40, 6);
  expect(steady.quality(nowMs)?.rttDevMs).toBeLessThan(0.01);
  expect(jittery.quality(nowMs)?.rttDevMs).toBeGreaterThan(15);
});

test('what came while this process stood still is no sample', () => {
  const meter = new QualityMeter();
  exchange(meter, { sentMs: 0, thereMs: 5, backMs: 5 });
  exchange(meter, { sentMs: 200, thereMs: 5, backMs: 605, isTimely: false });
  expect(meter.quality(1_000)?.rttMs).toBe(10);
});

test('beats that were under way while the way stood still are no samples; later ones are', () => {
  const meter = new QualityMeter();
  for (let n = 0; n < 20; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 1, backMs: 1 });
  const before = meter.quality(4_000);
  // For 2 s nothing passes; then all of it comes at once, to the peer and back.
  for (let n = 20; n < 30; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 6_000 - n * 200, backMs: 1 });
  expect(meter.quality(4_000)).toEqual(before);
  for (let n = 31; n < 60; n += 1) exchange(meter, { sentMs: n * 200, thereMs: 20, backMs: 20 });
  expect(meter.quality(12_000)?.rttMs).toBeGreaterThan(30);
});

test.each([
  ['of a beat from the future', { at: 5_000, heldMs: 0 }],
  ['that was held for longer than it is old', { at: 900, heldMs: 200 }],
  ['of long ago', { at: 0, heldMs: 0 }],
])('an echo %s is no sample', (_name, echo) => {
  const meter = new QualityMeter();
  meter.take({ at: 1, echo }, echo.at === 0 ? 60_000 : 1_000, true);
  expect(meter.quality(60_000)).toBeUndefined();
});

test('the echo says for how long the beat was held', () => {
  const meter = new QualityMeter();
  expect(meter.echo(10)).toBeUndefined();
  meter.take({ at: 77 }, 1_000, true);
  expect(meter.echo(1_180)).toEqual({ at: 77, heldMs: 180 });
});
