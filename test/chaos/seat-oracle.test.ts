// Each rule for what a player sees can be broken, and is then told once; what is no one's fault breaks none.
import { beforeEach, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { FrameCheck } from '../support/frame-check.ts';
import { payloadOf } from '../support/media.ts';
import { numberedPayload, PLANS, Schedule } from '../support/numbered-media.ts';
import { SeatOracle, STARVED_MS } from './seat-oracle.ts';
import type { Rule } from './violation.ts';

const START_MS = 1_000;
let told: { rule: Rule; detail: string }[] = [];
let oracle = new SeatOracle('a seat', () => {});
let check = new FrameCheck();

beforeEach(() => {
  told = [];
  oracle = new SeatOracle('a seat', (rule, detail) => told.push({ rule, detail }));
  check = new FrameCheck();
  oracle.look(START_MS, { check, onAir: { session: 1, node: 'a', sinceMs: START_MS }, hasWay: true });
});

test('frames that come whole, once, in order break nothing, and are counted', () => {
  play(1, 1, 30);
  look(4_000);
  expect(told).toEqual([]);
  expect(oracle.frames).toBe(30);
});

test('frames of the players before count, too', () => {
  play(1, 1, 10);
  look(2_000);
  check = new FrameCheck();
  play(1, 11, 14, { timeMs: 2_000 });
  look(2_500);
  expect(oracle.frames).toBe(14);
});

test('a frame that comes twice is told once', () => {
  play(1, 1, 10);
  play(1, 10, 10, { timeMs: 900 });
  look(2_000);
  look(2_050);
  expect(rules()).toEqual(['once-in-order']);
  expect(told[0]?.detail).toContain('a seat: frame 10 of session 1 came again');
});

test('an older session that comes after a newer one is told', () => {
  play(2, 1, 10);
  play(1, 11, 20, { timeMs: 1_000 });
  look(2_000);
  expect(rules()).toContain('epoch-never-falls');
});

test('frames that are missing break a rule while there was a way', () => {
  play(1, 1, 10);
  look(2_000);
  play(1, 13, 20, { timeMs: 1_200 });
  look(2_100);
  expect(rules()).toEqual(['no-loss']);
  expect(oracle.lost).toEqual({ withWay: 2, withoutWay: 0 });
});

test('frames may be missing after a long time without a way', () => {
  play(1, 1, 10);
  look(2_000);
  look(2_050, { hasWay: false });
  look(11_000, { hasWay: false });
  play(1, 60, 70, { timeMs: 1_200, atMs: 11_000 });
  look(11_050);
  expect(told).toEqual([]);
  expect(oracle.lost).toEqual({ withWay: 0, withoutWay: 49 });
});

test('a time without a way that was over before excuses nothing', () => {
  play(1, 1, 10);
  look(2_000);
  look(2_050, { hasWay: false });
  look(11_000, { hasWay: false });
  look(11_040);
  play(1, 11, 20, { timeMs: 1_000, atMs: 11_050 });
  look(12_000);
  play(1, 23, 24, { timeMs: 2_200, atMs: 12_050 });
  look(12_100);
  expect(rules()).toEqual(['no-loss']);
  expect(oracle.lost).toEqual({ withWay: 2, withoutWay: 0 });
});

test('a session that follows another has to come from its first frame on', () => {
  play(1, 1, 10);
  look(2_000);
  play(2, 4, 10, { timeMs: 1_000 });
  look(2_100);
  expect(rules()).toContain('no-loss');
  expect(oracle.lost).toEqual({ withWay: 3, withoutWay: 0 });
});

test('who has a way and gets nothing for four seconds is told of once, and again the next time', () => {
  play(1, 1, 10);
  look(2_000);
  look(START_MS + 900 + STARVED_MS);
  expect(told).toEqual([]);
  look(START_MS + 950 + STARVED_MS);
  look(START_MS + 1_000 + STARVED_MS);
  expect(rules()).toEqual(['no-starving']);
  play(1, 11, 11, { timeMs: 1_000, atMs: 6_100 });
  look(6_100);
  look(6_200 + STARVED_MS);
  expect(rules()).toEqual(['no-starving', 'no-starving']);
});

test('who has no way waits for nobody; the wait begins once there is one', () => {
  play(1, 1, 10);
  look(2_000);
  look(2_100, { hasWay: false });
  look(20_000, { hasWay: false });
  look(20_100);
  look(20_100 + STARVED_MS);
  expect(told).toEqual([]);
  look(20_200 + STARVED_MS);
  expect(rules()).toEqual(['no-starving']);
});

test('the newest session has to come, frames of the one before do not count', () => {
  play(1, 1, 10);
  look(2_000);
  const onAir = { session: 2, node: 'b', sinceMs: 2_000 };
  play(1, 11, 100, { timeMs: 1_000, atMs: 2_000 });
  look(2_100 + STARVED_MS, { onAir });
  expect(rules()).toEqual(['no-starving']);
});

test('a wait that ends is a gap', () => {
  play(1, 1, 10);
  look(2_000);
  look(2_800);
  play(1, 11, 11, { timeMs: 1_000, atMs: 2_850 });
  look(2_860);
  expect(oracle.gapsMs).toEqual([900]);
});

function rules(): Rule[] {
  return told.map(({ rule }) => rule);
}

function look(
  nowMs: number,
  given: { hasWay?: boolean; onAir?: { session: number; node: string; sinceMs: number } } = {},
) {
  const { hasWay = true, onAir = { session: check.session, node: 'a', sinceMs: START_MS } } = given;
  oracle.look(nowMs, { check, onAir, hasWay });
}

/** Frames of a session, one each 100 ms from `timeMs` on; the first is sent and comes at START_MS unless told. */
function play(session: number, from: number, to: number, { timeMs = 0, atMs = START_MS } = {}): void {
  const schedule = new Schedule(PLANS['10 frames/s']);
  if (check.frames === 0) check.saw(FrameKind.video, 0, payloadOf('avc header', 1), atMs);
  for (let frame = schedule.next(); frame.id <= to; frame = schedule.next()) {
    if (frame.id < from) continue;
    const named = frame.id === from && check.frames === 0 ? { ...frame, name: 'avc key' as const } : frame;
    const lateMs = (frame.id - from) * 100;
    check.saw(frame.kind, timeMs + lateMs, numberedPayload(named, session, atMs), atMs + lateMs);
  }
}
