import { expect, test } from 'vitest';
import { PublisherPace } from '../../../src/media/publisher-pace.ts';

const LIMITS = { maxMbps: 8, maxFramesPerSecond: 100 };
/** Of a second at the limit. */
const BYTES_PER_S = 1_000_000;

/** When a publisher that sends so much for so long is told, s; undefined: never. */
function toldAfterS(of: { framesPerS: number; bytesPerS: number; forS: number }): number | undefined {
  const pace = new PublisherPace(() => LIMITS, 0);
  const { framesPerS, bytesPerS, forS } = of;
  for (let at = 1; at <= framesPerS * forS; at += 1) {
    const nowMs = (at * 1000) / framesPerS;
    if (pace.take(bytesPerS / framesPerS, nowMs)) return nowMs / 1000;
  }
  return undefined;
}

test('at its limit a publisher goes on for ever', () => {
  expect(toldAfterS({ framesPerS: 100, bytesPerS: BYTES_PER_S, forS: 600 })).toBeUndefined();
});

test('twice the bytes, or twice the frames, are told after the burst of 10 s', () => {
  expect(toldAfterS({ framesPerS: 50, bytesPerS: 2 * BYTES_PER_S, forS: 60 })).toBeCloseTo(10, 0);
  expect(toldAfterS({ framesPerS: 200, bytesPerS: BYTES_PER_S / 10, forS: 60 })).toBeCloseTo(10, 0);
});

test('what was held up on the way may come at once, if it is no more than 10 s of it', () => {
  const pace = new PublisherPace(() => LIMITS, 0);
  const reasons = Array.from({ length: 1_000 }, () => pace.take(BYTES_PER_S / 100, 0));
  expect(reasons.filter((why) => why !== undefined)).toEqual([]);
  expect(pace.take(1, 0)).toEqual({
    code: 'publish.too-fast',
    message: 'the publisher sends more than 8 Mbit/s (publish.maxMbps) for 10 s',
  });
});

test('the reason names the limit that it is', () => {
  const pace = new PublisherPace(() => ({ maxMbps: 1_000, maxFramesPerSecond: 1 }), 0);
  const [why] = Array.from({ length: 11 }, () => pace.take(1, 0)).filter((reason) => reason !== undefined);
  expect(why?.message).toContain('1 frames a second (publish.maxFramesPerSecond)');
});

test('a pause gives no more than the burst', () => {
  const pace = new PublisherPace(() => LIMITS, 0);
  for (let at = 0; at < 1_000; at += 1) expect(pace.take(0, 3_600_000)).toBeUndefined();
  expect(pace.take(0, 3_600_000)?.code).toBe('publish.too-fast');
});

test('a limit that is lowered counts at once', () => {
  let limits = LIMITS;
  const pace = new PublisherPace(() => limits, 0);
  limits = { maxMbps: 8, maxFramesPerSecond: 1 };
  const over = Array.from({ length: 11 }, (_, at) => pace.take(1, at));
  expect([over.slice(0, 10).some((why) => why), over[10]?.code]).toEqual([false, 'publish.too-fast']);
});
