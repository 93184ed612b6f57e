// What the cases of the benchmark reckon, apart from running: steps, drift, growth, a hop's bytes; the machine's texts; the
// command line.
import { expect, test } from 'vitest';
import { driftOf } from '../../../bench/fan-out/cases/churn.ts';
import { watched } from '../../../bench/fan-out/cases/ingest.ts';
import { isHeld, stepsTo } from '../../../bench/fan-out/cases/most-players.ts';
import { CASE_NAMES } from '../../../bench/fan-out/cases/names.ts';
import { hopFigures } from '../../../bench/fan-out/cases/relay.ts';
import { growth } from '../../../bench/fan-out/cases/slow.ts';
import { coreList, coresOf, coreTicks, pinned } from '../../../bench/fan-out/machine.ts';
import { readOptions } from '../../../bench/fan-out/options.ts';
import type { CrowdReport } from '../../../bench/fan-out/orders.ts';

test('the steps to the most players grow by a quarter and end there', () => {
  expect(stepsTo(1_000)).toEqual([500, 625, 782, 1_000]);
  expect(stepsTo(300)).toEqual([180, 225, 300]);
  expect(stepsTo(1)).toEqual([1]);
});

test('a step is held when nobody was lost and all was delivered in time', () => {
  const none = { count: 0, p50: 0, p99: 0, max: 0 };
  const crowd: CrowdReport = {
    ...{ id: 1, lost: 0, bytes: 1, delivery: 0.995, delayMs: none, joinMs: none },
    ...{ longestPauseMs: 0, spanMs: 1, cpuMs: 1 },
  };
  expect(isHeld({ crowd })).toBe(true);
  expect(isHeld({ crowd: { ...crowd, delivery: 0.9949 } })).toBe(false);
  expect(isHeld({ crowd: { ...crowd, lost: 1 } })).toBe(false);
  expect(isHeld({ crowd: { ...crowd, delayMs: { ...none, p99: 1_001 } } })).toBe(false);
});

test('ten streams are watched, evenly among all', () => {
  expect(watched(3)).toEqual([0, 1, 2]);
  expect(watched(100)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
});

test('drift is the end against what comes right after the first minute', () => {
  const rising = Array.from({ length: 120 }, (_, at) => (at < 60 ? 500 : 1_000));
  expect(driftOf([...rising, ...Array.from({ length: 60 }, () => 1_100)], 1_000)).toEqual({
    rssDriftPercent: expect.closeTo(10),
    rssMB: 1_100 / 1_024,
    rssMostMB: 1_100 / 1_024,
  });
  expect(driftOf([1, 2, 3], 500)).toEqual({});
});

test('growth is at most and in the end', () => {
  expect(growth(1_024, [2_048, 4_096, 3_072])).toEqual({ rssPeakGrowthMB: 3, rssGrowthMB: 2 });
  expect(growth(undefined, [1])).toEqual({});
});

test('a hop is told with and without what passes anyway', () => {
  const idle = { bytesPerS: 100, cpuPerS: 0.01 };
  expect(hopFigures({ received: 1_030_000, payload: 1_000_000, spanS: 100, idle, cpuSeconds: 2 })).toEqual({
    cpuSecondsPerGB: expect.closeTo(2_000),
    cpuSecondsPerGBWithoutIdle: expect.closeTo(1_000),
    bytesOverPayloadPercent: expect.closeTo(3),
    bytesOverPayloadWithoutIdlePercent: expect.closeTo(2),
    idleBytesPerS: 100,
  });
});

test('two cores part server and load, more part publishers and players too, one parts nothing', () => {
  expect(coresOf([0])).toEqual({ server: undefined, crowd: undefined, publisher: undefined });
  expect(coresOf([2, 5])).toEqual({ server: 2, crowd: 5, publisher: 5 });
  expect(coresOf([0, 1, 2, 3])).toEqual({ server: 0, crowd: 3, publisher: 2 });
  expect(coreList('0-2,5')).toEqual([0, 1, 2, 5]);
  expect(pinned(3, ['node', 'x'])).toEqual(['taskset', '-c', '3', 'node', 'x']);
  expect(pinned(undefined, ['node', 'x'])).toEqual(['node', 'x']);
});

test('the ticks of a core are those of its line', () => {
  const stat = 'cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 1 2 3 4 5 6 7 8 0 0\ncpu10 0 0 0 1 0 0 0 0 0 0\n';
  expect(coreTicks(1, stat)).toEqual({ total: 36, idle: 9 });
  expect(coreTicks(2, stat)).toBeUndefined();
  expect(coreTicks(undefined, stat)).toBeUndefined();
});

test('a quick run is short, and what is given wins over it', () => {
  expect(readOptions([])).toMatchObject({ rounds: 3, seconds: 10, churnMinutes: 10, cases: CASE_NAMES });
  expect(readOptions(['--quick', '--seconds', '1', '--cases', 'join,slow'])).toMatchObject({
    ...{ rounds: 1, seconds: 1, isQuick: true, cases: ['join', 'slow'] },
  });
  expect(readOptions(['--help'])).toBeUndefined();
  expect(() => readOptions(['--cases', 'jion'])).toThrow('--cases: there is no "jion"');
  expect(() => readOptions(['--players', '0'])).toThrow('--players: "0" is no number above 0');
});
