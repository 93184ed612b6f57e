import { expect, test } from 'vitest';
import { flushesOf, formatRecord, parseRecord, recordMs } from '../../../bench/fan-out/flush-record.ts';
import type { Flush } from '../../../bench/fan-out/orders.ts';

test('a record is the flushes of one format, from its first one on, and those to most players', () => {
  const flush = (format: string, atMs: number, players: number) => ({
    format,
    atMs,
    players,
    bytes: atMs * 10,
  });
  const events = [flush('rtmp', 1, 9), flush('http-flv', 100.5, 9), flush('http-flv', 110, 1)];
  expect(flushesOf([...events, flush('http-flv', 120.50049, 8)], 'http-flv')).toEqual([
    [0, 1005],
    [20, 1205.0049],
  ]);
  expect(flushesOf([flush('rtmp', 5, 2)], 'http-flv')).toEqual([]);
  expect(flushesOf([], 'http-flv')).toEqual([]);
});

test('a record is read as it was written', () => {
  const flushes: Flush[] = [
    [0, 30_615],
    [33.25, 4000],
    [66.5, 386],
  ];
  expect(parseRecord(formatRecord(flushes))).toEqual(flushes);
  expect(recordMs(flushes)).toBeCloseTo(99.75, 6);
});

test.each(['', '0 100\n', '0 100\n5 x\n', '9 100\n5 100\n', '0 0\n5 100\n', '0 100\n5 99999999\n'])(
  'a record of %j is refused',
  (text) => {
    expect(() => parseRecord(text)).toThrow(/record|flush/);
  },
);
