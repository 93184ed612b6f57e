import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import { NamedStreams } from '../../../src/observe/named-streams.ts';

const keyOf = (name: string) => parseStreamKey('live', name);

function valuesOf(values: Readonly<Record<string, number>>): Map<StreamKey, number> {
  return new Map(Object.entries(values).map(([name, value]) => [keyOf(name), value]));
}

function told(named: NamedStreams, values: Readonly<Record<string, number>>, total: number) {
  const series: Record<string, number> = {};
  for (const { labels, value } of named.samples(valuesOf(values), total)) {
    series[labels?.stream?.replace('live/', '') ?? ''] = value;
  }
  return series;
}

test('those with the highest values have names first, and keep them', () => {
  const named = new NamedStreams(2);
  expect(told(named, { a: 1, b: 5, c: 3 }, 9)).toEqual({ b: 5, c: 3, other: 1 });
  expect(told(named, { a: 100, b: 6, c: 3 }, 109)).toEqual({ b: 6, c: 3, other: 100 });
});

test('a name that is free goes to another, which counts from there; what was told stays where it was', () => {
  const named = new NamedStreams(1);
  expect(told(named, { a: 10, b: 4 }, 14)).toEqual({ a: 10, other: 4 });
  expect(told(named, { b: 6 }, 16), 'a is gone').toEqual({ b: 0, other: 6 });
  expect(told(named, { b: 7, c: 2 }, 19)).toEqual({ b: 1, other: 8 });
  expect(told(named, { b: 9, a: 1 }, 22), 'it has come back').toEqual({ b: 3, other: 9 });
});

test('a stream that is new when it is named has all its bytes', () => {
  const named = new NamedStreams(2);
  expect(told(named, { a: 10 }, 10)).toEqual({ a: 10, other: 0 });
  expect(told(named, { a: 11, b: 8 }, 19)).toEqual({ a: 11, b: 8, other: 0 });
});

test('a stream that was gone between two looks goes on from where it was', () => {
  const named = new NamedStreams(1);
  expect(told(named, { a: 10 }, 10)).toEqual({ a: 10, other: 0 });
  expect(told(named, { a: 3 }, 15)).toEqual({ a: 13, other: 2 });
  expect(told(named, { a: 4 }, 16)).toEqual({ a: 14, other: 2 });
});

test('none is named where none may be', () => {
  expect(told(new NamedStreams(0), { a: 10 }, 10)).toEqual({ other: 10 });
});

test('whatever comes and goes, no series goes down while it is told, and their increases are all that was sent', () => {
  const turn = fc.record({
    sent: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat(100)),
    gone: fc.subarray(['a', 'b', 'c', 'd', 'e']),
  });
  fc.assert(
    fc.property(fc.nat(4), fc.array(turn, { maxLength: 20 }), (max, turns) => {
      const named = new NamedStreams(max);
      const values: Record<string, number> = {};
      let total = 0;
      let increases = 0;
      let before: Record<string, number> = {};
      for (const { sent, gone } of turns) {
        for (const name of gone) delete values[name];
        for (const [name, bytes] of Object.entries(sent)) {
          values[name] = (values[name] ?? 0) + bytes;
          total += bytes;
        }
        const now = told(named, values, total);
        expect(Object.keys(now).length).toBeLessThanOrEqual(max + 1);
        for (const [name, value] of Object.entries(now)) {
          expect(value).toBeGreaterThanOrEqual(before[name] ?? 0);
          increases += value - (before[name] ?? 0);
        }
        before = now;
      }
      expect(increases).toBe(total);
    }),
  );
});
