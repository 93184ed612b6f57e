// Whatever grows is to show how full it is: each Map and Set that an object keeps has a row in docs/metrics.md.
import { expect, test } from 'vitest';
import { nameOf, nodesIn, projectText, readSourceTree, type SyntaxNode } from '../../support/source-tree.ts';

/** What they keep is of a command, or of the start. */
const NOT_OF_A_NODE = ['config', 'cli'];

const files = readSourceTree().filter(({ folder }) => !NOT_OF_A_NODE.includes(folder));
const rows = [...projectText('docs/metrics.md').matchAll(/^\| `(\S+\.ts)` `(#?\w+)` \| ([^|]+) \|$/gm)];

test('docs/metrics.md says of each Map and Set where it shows, and of no other', () => {
  const kept = files.flatMap(({ path, body }) => [...nodesIn(body)].flatMap((node) => tableIn(node, path)));
  const listed = rows.map(([, path, name]) => `${path} ${name}`);
  expect(
    kept.filter((each) => !listed.includes(each)),
    'rows to add',
  ).toEqual([]);
  // Rows and counts can be named, too.
  const own = files.flatMap(({ path, body }) => [...nodesIn(body)].flatMap((node) => propertyIn(node, path)));
  expect(
    listed.filter((each) => !own.includes(each)),
    'rows of what is no more',
  ).toEqual([]);
});

test('a table that docs/metrics.md names is one of the source, and each of the source is named', () => {
  const named = rows.flatMap(([, , , where = '']) =>
    [...where.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name),
  );
  const known = files.flatMap(({ path }) =>
    [...projectText(path).matchAll(/\btable: '(\w+)'/g)].map(([, name = '']) => name),
  );
  const others = ['other', 'stream', ...named.filter((name) => name.startsWith('tideway_'))];
  expect(named.filter((name) => !known.includes(name) && !others.includes(name))).toEqual([]);
  // The log that it is of says which one.
  expect(known.filter((name) => !named.includes(name))).toEqual(['quiet_log']);
});

/** `mesh/links.ts #open` of a property that is made as `new Map(…)` or `new Set(…)`. */
function tableIn(node: SyntaxNode, path: string): string[] {
  const [value] = nodesIn(node.value);
  const isTable = value?.type === 'NewExpression' && /^(Map|Set)$/.test(nameOf(value.callee) ?? '');
  return isTable ? propertyIn(node, path) : [];
}

function propertyIn(node: SyntaxNode, path: string): string[] {
  if (node.type !== 'PropertyDefinition') return [];
  const [key] = nodesIn(node.key);
  return [`${path.replace('src/', '')} ${key?.type === 'PrivateIdentifier' ? '#' : ''}${key?.name}`];
}
