import { expect, test } from 'vitest';
import { idleLimitMs } from '../../../src/media/pace.ts';
import {
  isAhead,
  StreamWatch,
  SwitchBrake,
  silenceLimitMs,
  WATCH_EVERY_MS,
} from '../../../src/mesh/failure-detector.ts';

const EPOCH = 7;

/** Looks as often as a node does, from one time to another; when it was no longer fine, and what it was then. */
function lookUntilIll(
  watch: StreamWatch,
  from: number,
  to: number,
  { seq, usualMs }: { seq: number; usualMs: number },
): { atMs: number; health: string } | undefined {
  for (let atMs = from; atMs <= to; atMs += WATCH_EVERY_MS) {
    const health = watch.look(atMs, { epoch: EPOCH, seq }, usualMs, 0);
    if (health !== 'fine') return { atMs, health };
  }
  return undefined;
}

test('a link may be silent for 300 ms, and longer where round trips differ', () => {
  expect([0, 25, 50, 100].map(silenceLimitMs)).toEqual([300, 300, 400, 600]);
});

test('a stream may be idle for half a second, or six of its usual intervals', () => {
  expect([0, 16, 40, 100, 1000].map(idleLimitMs)).toEqual([500, 500, 500, 600, 6000]);
});

test('a peer that has frames and sends none for 300 ms is stuck', () => {
  const watch = new StreamWatch(0);
  watch.arrived(1000);
  watch.peerAt({ epoch: EPOCH, seq: 11 });
  expect(lookUntilIll(watch, 1040, 3000, { seq: 10, usualMs: 40 })).toEqual({ atMs: 1360, health: 'stuck' });
});

test('a peer that sends, however late, is not stuck', () => {
  const watch = new StreamWatch(0);
  for (let atMs = 0; atMs < 10_000; atMs += 250) {
    watch.arrived(atMs);
    watch.peerAt({ epoch: EPOCH, seq: 1000 });
    expect(lookUntilIll(watch, atMs + 1, atMs + 249, { seq: 10, usualMs: 40 })).toBeUndefined();
  }
});

test('a head that was told before its frame came accuses nobody afterwards', () => {
  const watch = new StreamWatch(0);
  watch.peerAt({ epoch: EPOCH, seq: 11 });
  expect(watch.look(100, { epoch: EPOCH, seq: 10 }, 1000, 0)).toBe('fine');
  watch.arrived(150);
  expect(lookUntilIll(watch, 160, 4000, { seq: 11, usualMs: 1000 })).toBeUndefined();
});

test('a stream of one frame a second is idle after six seconds, one of 25 after half a second', () => {
  for (const [usualMs, idleMs] of [
    [1000, 6000],
    [40, 500],
  ] as const) {
    const watch = new StreamWatch(0);
    watch.arrived(0);
    watch.peerAt({ epoch: EPOCH, seq: 10 });
    const ill = lookUntilIll(watch, 0, 10_000, { seq: 10, usualMs });
    expect(ill?.health).toBe('idle');
    expect(ill?.atMs).toBeGreaterThan(idleMs);
    expect(ill?.atMs).toBeLessThanOrEqual(idleMs + WATCH_EVERY_MS);
  }
});

test('time in which we stood still ourselves counts for nobody', () => {
  const watch = new StreamWatch(0);
  watch.arrived(1000);
  watch.peerAt({ epoch: EPOCH, seq: 11 });
  expect(watch.look(1040, { epoch: EPOCH, seq: 10 }, 40, 0)).toBe('fine');
  expect(watch.look(6040, { epoch: EPOCH, seq: 10 }, 40, 4960)).toBe('fine');
  expect(watch.look(6280, { epoch: EPOCH, seq: 10 }, 40, 0)).toBe('fine');
  expect(watch.look(6360, { epoch: EPOCH, seq: 10 }, 40, 0)).toBe('stuck');
});

test('a place is ahead by its epoch, then by its seq', () => {
  expect(isAhead({ epoch: 2, seq: 0 }, { epoch: 1, seq: 99 })).toBe(true);
  expect(isAhead({ epoch: 1, seq: 99 }, { epoch: 2, seq: 0 })).toBe(false);
  expect(isAhead({ epoch: 1, seq: 2 }, { epoch: 1, seq: 2 })).toBe(false);
  expect(isAhead({ epoch: 1, seq: 2 }, undefined)).toBe(true);
  expect(isAhead({ epoch: 0, seq: 0 }, undefined)).toBe(false);
});

test('one switch blocks the next for two seconds', () => {
  const brake = new SwitchBrake();
  expect(brake.isOn(0)).toBe(false);
  brake.pull(1000);
  expect([1000, 2999, 3000].map((nowMs) => brake.isOn(nowMs))).toEqual([true, true, false]);
});
