import { expect, test } from 'vitest';
import { OthersSum } from '../../../src/observe/others-sum.ts';

const named = (of: string, count: number) => ({ of, count, isNamed: true });
const other = (of: string, count: number) => ({ of, count, isNamed: false });

test('the sum of those without a label grows by what each grew by meanwhile', () => {
  const sum = new OthersSum();
  expect(sum.tell([named('a', 100), other('b', 5), other('c', 2)])).toBe(7);
  expect(sum.tell([named('a', 110), other('b', 6), other('c', 2)])).toBe(8);
});

test('who loses its label brings nothing of what was told by its name; who gets one takes nothing away', () => {
  const sum = new OthersSum();
  sum.tell([named('a', 100), other('b', 5)]);
  expect(sum.tell([other('a', 103), named('b', 9)])).toBe(8);
  expect(sum.tell([other('a', 104), named('b', 20)])).toBe(9);
});

test('who is gone stays counted, and who comes again begins anew', () => {
  const sum = new OthersSum();
  sum.tell([other('a', 4)]);
  expect(sum.tell([])).toBe(4);
  expect(sum.tell([other('a', 3)])).toBe(7);
  expect(sum.tell([other('a', 1)]), 'one that is another of the same name').toBe(8);
});
