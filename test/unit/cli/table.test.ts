import { expect, test } from 'vitest';
import { paintFor } from '../../../src/cli/paint.ts';
import { tableText } from '../../../src/cli/table.ts';

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

test('colours take no room', () => {
  const paint = paintFor({ isTTY: true }, {});
  const rows = [
    [{ text: 'silent', tone: 'bad' as const }, 'x'],
    ['up', ''],
  ];
  expect(tableText([{ head: 'STATE' }, { head: 'N', align: 'right' }], rows, paint)).toBe(
    ['\u001b[1mSTATE\u001b[0m   \u001b[1mN\u001b[0m', '\u001b[31msilent\u001b[0m  x', 'up', ''].join('\n'),
  );
});
