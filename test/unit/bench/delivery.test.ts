import { expect, test } from 'vitest';
import { deliveryOf, type Place, type Progress } from '../../../bench/fan-out/delivery.ts';

/** A stream of 1,000 bytes of payload every 10 ms, its frame 1 sent at 0; each in an FLV tag. */
const FRAME_US = 10_000;
const TAG_BYTES = 1015;

function place(number: number, at: number): Place {
  return { number, beforeBytes: (number - 1) * 1000, sentUs: (number - 1) * FRAME_US, at };
}

/** A player of a plain FLV that got all frames from 1 to 1001, 5 ms late, at 10 s. */
function player(changes: Partial<Progress> = {}): Progress {
  return {
    askedUs: 0,
    first: place(1, 300),
    last: place(1001, 300 + 1000 * TAG_BYTES),
    lastUs: 1000 * FRAME_US + 5000,
    bytes: 300 + 1001 * TAG_BYTES,
    isFresh: true,
    isPlain: true,
    ...changes,
  };
}

const AT_US = 10_000_000;

test('players that got every byte have all, to the byte', () => {
  expect(deliveryOf([player(), player()], 1, AT_US)).toBe(1);
  const oneByte = player({ last: place(1001, 299 + 1000 * TAG_BYTES) });
  expect(deliveryOf([oneByte], 1, AT_US)).toBeCloseTo(1 - 1 / 1_015_000, 9);
});

test('a frame that is missing in the middle is missing, however much came behind it', () => {
  const missed = player({ last: place(1001, 300 + 990 * TAG_BYTES) });
  expect(deliveryOf([missed, player()], 1, AT_US)).toBeCloseTo(0.995, 6);
});

test('of framed formats the wire is measured by that of the players that look', () => {
  const framed = player({ isPlain: false, last: place(1001, 300 + 1000 * 1021) });
  expect(deliveryOf([framed], 1.021, AT_US)).toBe(1);
  const half = player({ isPlain: false, last: place(1001, 300 + 500 * 1021) });
  expect(deliveryOf([half], 1.021, AT_US)).toBeCloseTo(0.5, 9);
});

test('being late is no loss, up to a second; then all that was sent is due', () => {
  const lateUs = (ms: number) => ({ lastUs: 1000 * FRAME_US + ms * 1000 });
  expect(deliveryOf([player(lateUs(999))], 1, AT_US)).toBe(1);
  expect(deliveryOf([player(lateUs(2500))], 1, AT_US)).toBeCloseTo(10 / 12.5, 6);
});

test('a player that was lost gets nothing from then on', () => {
  // Half of its time, and half of that since its place was last sought.
  const bytes = 300 + 500 * TAG_BYTES;
  const lost = player({ last: place(251, 300 + 250 * TAG_BYTES), isFresh: false, bytes });
  expect(deliveryOf([player(), lost], TAG_BYTES / 1000, AT_US)).toBeCloseTo(0.75, 6);
  expect(deliveryOf([lost], TAG_BYTES / 1000, AT_US)).toBeCloseTo(0.5, 6);
});

test('a player that never got a frame has nothing of what was due since it asked', () => {
  const waiting = player({ askedUs: 5_000_000, first: undefined, last: undefined, bytes: 0 });
  expect(deliveryOf([player(), waiting], 1, AT_US)).toBeCloseTo(10 / 15, 6);
});

test('without players there is no delivery', () => {
  expect(deliveryOf([], 1, AT_US)).toBe(0);
});
