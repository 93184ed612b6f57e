// Figures over rounds: medians of any number of them, and ratios of those that ran together.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Figures,
  isClientBound,
  medianOf,
  type Row,
  ratioOf,
  spreadOf,
  spreadsOf,
  tidewayRowFor,
} from '../../../bench/fan-out/figures.ts';

function row(key: Partial<Row>, ...figures: Figures[]): Row {
  return {
    ...{ case: 'fan-out', subject: 'tideway', format: 'http-flv', players: 100, mbps: 1 },
    ...{ rounds: figures.map((each) => ({ figures: each, clientBound: false })) },
    ...key,
  };
}

test('a spread is the middle, the least and the most', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(() => spreadOf([])).toThrow(RangeError);
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
      const { median, min, max } = spreadOf(values);
      const below = values.filter((value) => value <= median).length;
      const above = values.filter((value) => value >= median).length;
      return min <= median && median <= max && below * 2 >= values.length && above * 2 >= values.length;
    }),
  );
});

test('a median is of what there is', () => {
  expect(medianOf([undefined, 2, undefined, 4])).toBe(3);
  expect(medianOf([undefined])).toBeUndefined();
});

test('a figure that a round lacks is that of the other rounds', () => {
  expect(spreadsOf(row({}, { a: 1, b: 5 }, { a: 3 }))).toEqual({
    a: { median: 2, min: 1, max: 3 },
    b: { median: 5, min: 5, max: 5 },
  });
});

test('a ratio is that of the rounds, not of the medians', () => {
  const own = row({}, { cpu: 1 }, { cpu: 4 }, { cpu: 9 });
  const floor = row({ subject: 'floor-node' }, { cpu: 1 }, { cpu: 2 }, { cpu: 3 });
  expect(ratioOf(own, floor, 'cpu')).toEqual({ median: 2, min: 1, max: 3 });
  expect(ratioOf(own, floor, 'other')).toBeUndefined();
  expect(ratioOf(own, row({ subject: 'floor-c' }, { cpu: 0 }), 'cpu')).toBeUndefined();
});

test('tideway is held against another of the same size, in the same format where it can be', () => {
  const flv = row({});
  const rtmp = row({ format: 'rtmp' });
  const bigger = row({ players: 500, format: 'rtmp' });
  const nginx = row({ subject: 'nginx-rtmp', format: 'rtmp' });
  expect(tidewayRowFor([bigger, flv, rtmp, nginx], nginx)).toBe(rtmp);
  expect(tidewayRowFor([bigger, flv, nginx], nginx)).toBe(flv);
  expect(tidewayRowFor([bigger, nginx], nginx)).toBeUndefined();
  expect(tidewayRowFor([flv, rtmp], rtmp)).toBeUndefined();
});

test('one client-bound round marks the row', () => {
  expect(isClientBound(row({}, {}))).toBe(false);
  expect(isClientBound({ ...row({}, {}), rounds: [{ figures: {}, clientBound: true }] })).toBe(true);
});
