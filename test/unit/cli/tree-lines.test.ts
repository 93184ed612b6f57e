import { expect, test } from 'vitest';
import { type TreeNode, treeOf } from '../../../src/cli/tree-lines.ts';

function lines(...rows: TreeNode[]): string[] {
  return treeOf(rows, 'a').map(({ branch, row }) => `${branch}${row.node}`);
}

test('each node stands below the one that it pulls from, depth first', () => {
  expect(
    lines(
      { node: 'b', upstream: 'a' },
      { node: 'e', upstream: 'a' },
      { node: 'c', upstream: 'b' },
      { node: 'd', upstream: 'c' },
    ),
  ).toEqual(['├ b', '│ └ c', '│   └ d', '└ e']);
});

test('who pulls from nobody, or from a node that nobody lists, stands below the origin', () => {
  expect(lines({ node: 'b', upstream: null }, { node: 'c', upstream: 'gone' })).toEqual(['├ b', '└ c']);
});

test('nodes that name each other are each shown once', () => {
  expect(lines({ node: 'b', upstream: 'c' }, { node: 'c', upstream: 'b' })).toEqual(['└ b', '  └ c']);
});

test('a long chain does not end the program', () => {
  const chain = Array.from({ length: 1024 }, (_, at) => ({
    node: `n${at}`,
    upstream: at === 0 ? 'a' : `n${at - 1}`,
  }));
  expect(lines(...chain)).toHaveLength(1024);
});
