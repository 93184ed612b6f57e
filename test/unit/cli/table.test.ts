import { expect, test } from 'vitest';
import { durationText, tableText } from '../../../src/cli/table.ts';

test('columns are as wide as their widest cell, and no line ends in spaces', () => {
  const columns = [{ head: 'NAME' }, { head: 'N', align: 'right' as const }, { head: 'WHERE' }];
  const rows = [
    ['a', '1', 'here'],
    ['longer', '1000', ''],
    ['└ é', '', 'x'],
  ];
  expect(tableText(columns, rows)).toBe(
    ['NAME       N  WHERE', 'a          1  here', 'longer  1000', '└ é           x', ''].join('\n'),
  );
});

test('without rows there is the head', () => {
  expect(tableText([{ head: 'A' }, { head: 'B' }], [])).toBe('A  B\n');
});

test('a cell can not command the terminal', () => {
  expect(tableText([{ head: 'A' }], [['\u001b[2Jx\n\u009b']])).toBe('A\n?[2Jx??\n');
});

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 m'],
  [3_599_999, '59 m'],
  [7_200_000, '2 h'],
  [200_000_000, '2 d'],
])('%i ms is "%s"', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
