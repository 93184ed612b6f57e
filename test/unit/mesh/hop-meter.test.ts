import { describe, expect, test } from 'vitest';
import { HopMeter } from '../../../src/mesh/hop-meter.ts';

const EPOCH = 4_096;

/** A hop that a stream comes over: a frame each `everyMs`, a beat each 200 ms, both on one way and in order. */
class Hop {
  readonly meter = new HopMeter(0);
  epoch = EPOCH;
  seq = 0;
  /** What comes, in order: when, and what. */
  readonly #way: { atMs: number; come: (nowMs: number) => void }[] = [];
  #told = 0;
  #lastAtMs = 0;
  nowMs = 0;
  /** Which frames the peer leaves out. */
  leavesOut: (seq: number) => boolean = () => false;
  /** How long a frame waits at the peer before it is sent, so that the beat goes before it. */
  heldMs = 0;

  run(forMs: number, how: { everyMs: number; delayMs: (nowMs: number) => number }): void {
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs; this.nowMs += 1) {
      const delayMs = how.delayMs(this.nowMs);
      if (this.nowMs % how.everyMs === 0) this.#frame(delayMs);
      if (this.nowMs % 200 === 0) this.#beat(delayMs);
      this.#arrive();
    }
  }

  #cameMs = 0;

  #frame(delayMs: number): void {
    this.seq += 1;
    this.#cameMs = this.nowMs;
    const { epoch, seq } = this;
    if (this.leavesOut(seq)) return;
    this.#send(delayMs + this.heldMs, (nowMs) => this.meter.arrived(epoch, seq, nowMs));
  }

  #beat(delayMs: number): void {
    if (this.seq === this.#told) return;
    this.#told = this.seq;
    const { epoch, seq } = this;
    const cameMs = this.#cameMs;
    // It passes frames that are held, as they are not on the way yet.
    this.#send(this.heldMs > 0 ? 0 : delayMs, () => this.meter.told({ epoch, seq }, cameMs));
  }

  #send(delayMs: number, come: (nowMs: number) => void): void {
    const atMs = this.heldMs > 0 ? this.nowMs + delayMs : Math.max(this.#lastAtMs, this.nowMs + delayMs);
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    this.#way.push({ atMs, come });
    this.#way.sort((a, b) => a.atMs - b.atMs);
  }

  #arrive(): void {
    while ((this.#way[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) {
      this.#way.shift()?.come(this.nowMs);
    }
  }
}

describe.each([
  ['25 frames a second', 40],
  ['70 frames a second', 14],
  ['one frame a second', 1_000],
])('at %s', (_name, everyMs) => {
  test('the delay is that of the way, and without jitter on an even one', () => {
    const hop = new Hop();
    hop.run(10_000, { everyMs, delayMs: () => 30 });
    expect(hop.meter.delayMs(hop.nowMs)).toBeCloseTo(30, 6);
    expect(hop.meter.jitterMs).toBeCloseTo(0, 6);
    expect(hop.meter.awaitedMs).toBeUndefined();
  });

  test('80 ms more are seen to within 10 ms after three seconds, and are gone as soon', () => {
    const hop = new Hop();
    hop.run(5_000, { everyMs, delayMs: () => 1 });
    hop.run(3_000, { everyMs, delayMs: () => 81 });
    expect(hop.meter.delayMs(hop.nowMs)).toBeGreaterThan(71);
    expect(hop.meter.delayMs(hop.nowMs)).toBeLessThanOrEqual(81);
    hop.run(3_200, { everyMs, delayMs: () => 1 });
    expect(hop.meter.delayMs(hop.nowMs)).toBeLessThan(11);
  });

  test('frames that wait at the peer are late by that, though the beat goes before them', () => {
    const hop = new Hop();
    hop.heldMs = 120;
    hop.run(8_000, { everyMs, delayMs: () => 5 });
    expect(hop.meter.smoothedMs).toBeCloseTo(125, 0);
  });
});

test('an uneven way has a jitter of about its mean deviation', () => {
  const hop = new Hop();
  hop.run(60_000, { everyMs: 200, delayMs: (nowMs) => (nowMs % 400 === 0 ? 20 : 60) });
  expect(hop.meter.delayMs(hop.nowMs)).toBeGreaterThan(33);
  expect(hop.meter.delayMs(hop.nowMs)).toBeLessThan(47);
  expect(hop.meter.jitterMs).toBeGreaterThan(15);
  expect(hop.meter.jitterMs).toBeLessThan(25);
});

test('while nothing comes of what the peer has, the delay grows; a stall that is over is forgotten in seconds', () => {
  const meter = new HopMeter(0);
  meter.arrived(EPOCH, 1, 1_001);
  meter.told({ epoch: EPOCH, seq: 1 }, 1_000);
  for (let seq = 2; seq <= 6; seq += 1) meter.told({ epoch: EPOCH, seq }, seq * 200 + 800);
  expect(meter.awaitedMs).toBe(1_200);
  expect(meter.delayMs(1_300)).toBe(100);
  expect(meter.delayMs(2_200)).toBe(1_000);
  expect(meter.smoothedMs).toBe(1);
  for (let seq = 2; seq <= 6; seq += 1) meter.arrived(EPOCH, seq, 2_200);
  expect(meter.awaitedMs).toBeUndefined();
  // 1,000, 800 ... 200 ms: it is the delay of a second, and not of the last moment.
  expect(meter.delayMs(2_200)).toBeGreaterThan(250);
  expect(meter.delayMs(2_200)).toBeLessThan(500);
});

test('what the peer had before the stream was granted says nothing', () => {
  const meter = new HopMeter(5_000);
  meter.arrived(EPOCH, 7, 5_010);
  meter.told({ epoch: EPOCH, seq: 7 }, 4_100);
  expect([meter.smoothedMs, meter.awaitedMs]).toEqual([undefined, undefined]);
  meter.told({ epoch: EPOCH, seq: 8 }, 5_100);
  meter.arrived(EPOCH, 8, 5_105);
  expect(meter.delayMs(6_000)).toBe(5);
});

test('frames that were told and left out are no samples, and nobody waits for them', () => {
  const hop = new Hop();
  hop.leavesOut = (seq) => seq % 3 !== 0;
  hop.run(10_000, { everyMs: 40, delayMs: () => 25 });
  expect(hop.meter.smoothedMs).toBeCloseTo(25, 6);
  const meter = new HopMeter(0);
  meter.told({ epoch: EPOCH, seq: 5 }, 10);
  meter.arrived(EPOCH, 6, 900);
  expect([meter.smoothedMs, meter.awaitedMs]).toEqual([undefined, undefined]);
});

test('a new epoch begins its own numbers; what was awaited of the old one is not', () => {
  const meter = new HopMeter(0);
  meter.arrived(EPOCH, 900, 1_010);
  meter.told({ epoch: EPOCH, seq: 901 }, 1_100);
  meter.arrived(EPOCH + 1, 1, 1_300);
  meter.told({ epoch: EPOCH, seq: 902 }, 1_200);
  expect([meter.smoothedMs, meter.awaitedMs]).toEqual([undefined, undefined]);
  meter.told({ epoch: EPOCH + 1, seq: 1 }, 1_292);
  expect(meter.delayMs(1_300)).toBe(8);
});

test('a clock that is known badly makes no delay below zero', () => {
  const meter = new HopMeter(0);
  meter.arrived(EPOCH, 1, 1_000);
  meter.told({ epoch: EPOCH, seq: 1 }, 1_004);
  expect(meter.delayMs(1_010)).toBe(0);
});

test('a peer that tells frames without end, and sends none, costs nothing', () => {
  const meter = new HopMeter(0);
  for (let seq = 1; seq <= 1_000_000; seq += 1) meter.told({ epoch: EPOCH, seq }, seq);
  expect(meter.awaitedMs).toBe(1);
  meter.arrived(EPOCH, 1_000_000, 2_000_000);
  expect([meter.awaitedMs, meter.smoothedMs]).toEqual([undefined, undefined]);
});
