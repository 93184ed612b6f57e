// The table and the JSON of a run, and what is said of each bar.
import { expect, test } from 'vitest';
import { verdictsOf } from '../../../bench/fan-out/bars.ts';
import type { Figures, Row } from '../../../bench/fan-out/figures.ts';
import { jsonRow, nested, short, tableOf } from '../../../bench/fan-out/report.ts';

function row(key: Partial<Row>, ...figures: Figures[]): Row {
  return {
    ...{ case: 'fan-out', subject: 'tideway', format: 'http-flv', players: 100, mbps: 1 },
    ...{ rounds: figures.map((each) => ({ figures: each, clientBound: false })) },
    ...key,
  };
}

const OWN = row({}, { cpuSecondsPerGB: 2, 'delayMs.p50': 10, 'delayMs.p99': 20, delivery: 1 });
const FLOOR = row({ subject: 'floor-node' }, { cpuSecondsPerGB: 1.6, delivery: 1, serverCore: 0.25 });

test('the table has a line each, with ratios and what has no column', () => {
  const lines = tableOf([OWN, FLOOR]).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[2]).toBe('| fan-out | tideway | 100 | 1 | 2 | 10 | 20 | 1 | n/a |  |  |');
  expect(lines[3]).toBe(
    '| fan-out | floor-node | 100 | 1 | 1.60 | n/a | n/a | 1 | n/a | CPU x 1.25 | serverCore 0.250 |',
  );
});

test('several rounds show their least and most, and a client-bound one is marked', () => {
  const rounds = [2, 4, 3].map((cpuSecondsPerGB) => ({ figures: { cpuSecondsPerGB }, clientBound: true }));
  expect(tableOf([{ ...OWN, rounds }])).toContain(
    '| 3 (2..4) | n/a | n/a | n/a | n/a |  | **client-bound** |',
  );
});

test('a row of the JSON has every promised field, and null for what was not measured', () => {
  expect(jsonRow([OWN, FLOOR], FLOOR)).toEqual({
    ...{ case: 'fan-out', subject: 'floor-node', format: 'http-flv', players: 100, mbps: 1 },
    ...{ cpuSecondsPerGB: 1.6, delayMs: null, delivery: 1, rssPerPlayerKB: null, serverCore: 0.25 },
    clientBound: false,
    tidewayRatio: { cpuSecondsPerGB: { median: 1.25, min: 1.25, max: 1.25 } },
    rounds: [{ cpuSecondsPerGB: 1.6, delivery: 1, serverCore: 0.25, clientBound: false }],
  });
  expect(jsonRow([OWN], OWN)).toMatchObject({ delayMs: { p50: 10, p99: 20 } });
});

test('names with a dot are nested', () => {
  expect(nested({ 'a.b': 1, c: 2, 'a.d': 3 })).toEqual({ a: { b: 1, d: 3 }, c: 2 });
});

test('numbers keep what can be read', () => {
  expect([0, 1234.5, 12.34, 1.234, 0.98765, 0.1234, 100].map(short)).toEqual([
    '0',
    '1235',
    '12.3',
    '1.23',
    '0.9877',
    '0.123',
    '100',
  ]);
});

test('each bar is told of each row that it is about', () => {
  const [own, floor] = [OWN, FLOOR].map((of) => ({ ...of, players: 500 }));
  const at = 'fan-out, 500 of 1 Mbit/s';
  expect(verdictsOf([own, floor].filter((of) => of !== undefined))).toEqual([
    {
      text: 'CPU s/GB, tideway over the floor in Node <= 1.15',
      where: at,
      ...{ value: 1.25, isMet: false },
    },
    { text: 'delay p50 ms <= 20', where: at, value: 10, isMet: true },
    { text: 'delay p99 ms <= 50', where: at, value: 20, isMet: true },
    { text: 'delivery >= 0.995', where: at, value: 1, isMet: true },
  ]);
});

test('frozen players are judged by how many were closed and by what the others noticed', () => {
  const slow = row(
    { case: 'slow', players: 50 },
    { 'delayMs.p99': 30, p99WithoutFrozenMs: 10, frozenClosed: 49 },
    { 'delayMs.p99': 12, p99WithoutFrozenMs: 10, frozenClosed: 50 },
    { 'delayMs.p99': 10, p99WithoutFrozenMs: 10, frozenClosed: 50 },
  );
  expect(verdictsOf([slow]).map(({ value, isMet }) => [value, isMet])).toEqual([
    [1.2, true],
    [1, true],
  ]);
});
