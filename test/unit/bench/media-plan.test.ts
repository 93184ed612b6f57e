import { expect, test } from 'vitest';
import { blankPayload, GOP_MS, MediaPlan, PlanWalk } from '../../../bench/fan-out/media-plan.ts';
import { classify } from '../../../src/format/codec.ts';
import { FrameKind } from '../../../src/format/frame.ts';

test.each([0.1, 0.3, 1, 4, 20])('a plan of %d Mbit/s keeps its rate within 1 percent', (mbps) => {
  const walk = new PlanWalk(new MediaPlan(mbps));
  while (walk.dueMs < 50 * GOP_MS) walk.next();
  const rate = (walk.beforeBytes * 8) / (walk.dueMs * 1000);
  expect(Math.abs(rate / mbps - 1)).toBeLessThan(0.01);
});

test('frames are due one after the other, and key frames every two seconds', () => {
  const walk = new PlanWalk(new MediaPlan(1));
  const keysMs: number[] = [];
  let video = 0;
  let audio = 0;
  for (let number = 1, lastMs = 0; walk.dueMs < 10_000; number += 1) {
    expect(walk.number).toBe(number);
    expect(walk.dueMs).toBeGreaterThanOrEqual(lastMs);
    lastMs = walk.dueMs;
    if (walk.isKey) keysMs.push(walk.dueMs);
    if (walk.kind === FrameKind.video) video += 1;
    else audio += 1;
    walk.next();
  }
  expect(keysMs).toEqual([0, 2000, 4000, 6000, 8000]);
  expect({ video, audio }).toEqual({ video: 250, audio: 431 });
});

test('a key frame weighs eight deltas', () => {
  const { keyBytes, deltaBytes, audioBytes } = new MediaPlan(1);
  expect(keyBytes / deltaBytes).toBeCloseTo(8, 1);
  expect({ deltaBytes, audioBytes }).toEqual({ deltaBytes: 3824, audioBytes: 372 });
});

test('servers see decoder set-up, key frames, deltas and samples', () => {
  const [metadata, ...headers] = new MediaPlan(1).setUp();
  expect(metadata?.payload.includes('onMetaData')).toBe(true);
  expect(headers.map(({ kind, payload }) => classify(kind, payload))).toEqual(['header', 'header']);
  expect(classify(FrameKind.video, blankPayload(FrameKind.video, true, 500))).toBe('key');
  expect(classify(FrameKind.video, blankPayload(FrameKind.video, false, 500))).toBe('delta');
  expect(classify(FrameKind.audio, blankPayload(FrameKind.audio, false, 500))).toBe('sample');
});

test('rates that no stream has are refused', () => {
  expect(() => new MediaPlan(0)).toThrow(RangeError);
  expect(() => new MediaPlan(Number.NaN)).toThrow(RangeError);
});
