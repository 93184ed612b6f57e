import { expect, test } from 'vitest';
import { OthersSum } from '../../../src/observe/others-sum.ts';

function told(sum: OthersSum, counts: Readonly<Record<string, number>>, ...named: string[]): number {
  for (const [of, count] of Object.entries(counts)) sum.see(of, count);
  return sum.tell(named);
}

test('the sum of those without a label grows by what each grew by meanwhile', () => {
  const sum = new OthersSum();
  expect(told(sum, { a: 100, b: 5, c: 2 }, 'a')).toBe(7);
  expect(told(sum, { a: 110, b: 6, c: 2 }, 'a')).toBe(8);
});

test('who loses its label brings nothing of what was told by its name; who gets one takes nothing away', () => {
  const sum = new OthersSum();
  told(sum, { a: 100, b: 5 }, 'a');
  expect(told(sum, { a: 103, b: 9 }, 'b')).toBe(8);
  expect(told(sum, { a: 104, b: 20 }, 'b')).toBe(9);
});

test('who is gone stays counted, and who comes again begins anew', () => {
  const sum = new OthersSum();
  told(sum, { a: 4 });
  expect(told(sum, {})).toBe(4);
  expect(told(sum, { a: 3 })).toBe(7);
  expect(told(sum, { a: 1 }), 'one that is another of the same name').toBe(8);
});
