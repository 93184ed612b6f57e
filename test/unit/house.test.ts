// The rules of the house (docs/architecture.md), held against the source itself.
import { expect, test } from 'vitest';
import {
  nameOf,
  nodesIn,
  projectFiles,
  projectText,
  readSourceTree,
  type SourceFile,
  type SyntaxNode,
  textOf,
} from '../support/source-tree.ts';

const DOORS = ['rtmp', 'flv', 'mesh', 'http'];
const DECIDERS = ['media', 'registry', 'routing', 'auth', 'observe'];

/** What the files of a folder may import besides their own folder and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  format: ['base'],
  ...Object.fromEntries(DECIDERS.map((folder) => [folder, ['format', 'base']])),
  ...Object.fromEntries(DOORS.map((folder) => [folder, [...DECIDERS, 'format', 'base']])),
  config: ['base'],
  node: [...DOORS, ...DECIDERS, 'format', 'base', 'config'],
  cli: ['node', ...DOORS, ...DECIDERS, 'format', 'base', 'config'],
};

const IMPURE_PACKAGES =
  /^(node:(net|tls|dgram|https?|http2|timers(\/.*)?|fs(\/.*)?|child_process|process)|pino)$/;
const IMPURE_NAMES = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'process',
  'console',
]);
const CODE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$/;

const files = readSourceTree();

test('imports point one way', () => {
  const wrong = files.flatMap((file) =>
    ownImports(file)
      .filter((path) => folderOf(path) !== file.folder)
      .filter((path) => !MAY_IMPORT[file.folder]?.includes(folderOf(path)))
      .map((path) => `${file.path} imports ${path}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself, over whatever way round', () => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) cycles.push([...way.slice(start), path].join(' -> '));
    const file = byPath.get(path);
    if (start >= 0 || done.has(path) || !file) return;
    for (const next of ownImports(file)) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  expect(cycles).toEqual([]);
});

test('format is pure: no socket, file, timer, clock, process or log', () => {
  const wrong = files
    .filter(({ folder }) => folder === 'format')
    .flatMap((file) => [
      ...file.imports
        .filter((name) => IMPURE_PACKAGES.test(name))
        .map((name) => `${file.path} imports ${name}`),
      ...[...nodesIn(file.body)].flatMap((node) => {
        const impure = impureName(node);
        return impure === undefined ? [] : [`${file.path} uses ${impure}`];
      }),
    ]);
  expect(wrong).toEqual([]);
});

test('nothing at module level can change', () => {
  const wrong = files.flatMap((file) =>
    file.body.flatMap((statement) => mutableNames(statement).map((name) => `${file.path}: ${name}`)),
  );
  expect(wrong).toEqual([]);
});

test('exports have names', () => {
  const wrong = files.filter(({ body }) => body.some(({ type }) => type === 'ExportDefaultDeclaration'));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test('a file says first what it owns', () => {
  const wrong = files.filter(({ path }) => !/^(#!.*\n)?\/\/ \S/.test(projectText(path)));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test('a file in base serves at least two folders', () => {
  const wrong = files
    .filter(({ folder }) => folder === 'base')
    .flatMap(({ path }) => {
      const users = new Set(
        files.filter(({ imports }) => imports.includes(path)).map(({ folder }) => folder),
      );
      users.delete('base');
      return users.size >= 2 ? [] : [`${path} serves ${[...users].join(', ') || 'nobody'}`];
    });
  expect(wrong).toEqual([]);
});

test('docs/errors.md lists every code that the source uses, and no other', () => {
  const listed = [...projectText('docs/errors.md').matchAll(/^\| `([^`]+)` \|/gm)].map(
    ([, code]) => code ?? '',
  );
  const used = new Map(files.flatMap((file) => codesIn(file).map((code) => [code, file.path] as const)));
  const written = new Set(
    files.flatMap(({ body }) => [...nodesIn(body)].flatMap((node) => textOf(node) ?? [])),
  );

  expect(
    [...used].filter(([code]) => !CODE.test(code)).map(([code, path]) => `${path}: ${code}`),
    'codes are words and hyphens, joined by dots',
  ).toEqual([]);
  expect(
    [...used].filter(([code]) => !listed.includes(code)).map(([code, path]) => `| \`${code}\` | (${path})`),
    'codes to add to docs/errors.md',
  ).toEqual([]);
  expect(
    listed.filter((code) => !written.has(code)),
    'codes of docs/errors.md that no source has',
  ).toEqual([]);
  expect(listed, 'codes in alphabetical order, once each').toEqual([...new Set(listed)].sort());
});

test('docs/events.md lists every event that is logged, and no other', () => {
  const listed = [...projectText('docs/events.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, event]) => event);
  const logged = new Set(files.flatMap(eventsIn));
  expect([...logged].sort()).toEqual([...listed].sort());
});

test('docs/architecture.md names each file of the source once, and none that is gone', () => {
  const named = namedFiles(projectText('docs/architecture.md')).filter((path) => /^(src|web)\//.test(path));
  const matches = (pattern: string, path: string) =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`).test(path);
  const paths = [
    ...files.map(({ path }) => path),
    ...projectFiles('web/dashboard').filter((path) => /\.tsx?$/.test(path)),
    ...projectFiles('src/registry/lua'),
  ];
  expect(
    paths.filter((path) => named.filter((pattern) => matches(pattern, path)).length !== 1),
    'files without a row, or with two',
  ).toEqual([]);
  expect(
    named.filter((pattern) => !paths.some((path) => matches(pattern, path))),
    'rows of files that are gone',
  ).toEqual([]);
});

test('each runtime package has its reason in docs/decisions, and docs/security.md counts those that come with them', () => {
  const decided = projectText('docs/decisions/0002-runtime-packages.md');
  const { dependencies } = JSON.parse(projectText('package.json')) as { dependencies: object };
  const names = Object.keys(dependencies);
  expect(names.filter((name) => !decided.includes(`\n| \`${name}\` |`))).toEqual([]);

  const lock = JSON.parse(projectText('package-lock.json')) as { packages: Record<string, LockedPackage> };
  // One with an `os` is a native build, of which each platform gets its own.
  const installed = Object.entries(lock.packages).filter(([path, { dev, os }]) => path !== '' && !dev && !os);
  const [, counted] = /(\d+) packages with all that\s+these need/.exec(projectText('docs/security.md')) ?? [];
  expect(Number(counted)).toBe(installed.length);
});

interface LockedPackage {
  readonly dev?: true;
  readonly os?: readonly string[];
}

/** The names in front of each row of the drawn tree, from the project's root: `src/base/clock.ts`, `src/registry/lua/*.lua`. */
function namedFiles(architecture: string): string[] {
  const named: string[] = [];
  let folder = '';
  for (const [, drawn = ''] of architecture.matchAll(/^```\n(.*?)^```/gms)) {
    for (const line of drawn.split('\n')) {
      const [, head, names = ''] =
        /^([\w/-]+\/)?\s*((?:[\w*./-]+\.(?:tsx?|lua)(?:, ?|$|(?= )))*)/.exec(line) ?? [];
      if (head !== undefined) folder = /^(web|bench|test)\//.test(head) ? head : `src/${head}`;
      named.push(...names.split(/, ?/).flatMap((name) => (name === '' ? [] : `${folder}${name}`)));
    }
  }
  return named;
}

/** The second argument of `log.info(fields, 'event')` and its like, also of `log[level](…)`. */
function eventsIn({ body }: SourceFile): string[] {
  return [...nodesIn(body)].flatMap((node) => {
    if (node.type !== 'CallExpression' || !Array.isArray(node.arguments) || node.arguments.length !== 2)
      return [];
    const [callee] = nodesIn(node.callee);
    const receiver = callee?.type === 'MemberExpression' ? JSON.stringify(callee.object) : '';
    return /[lL]og(ger)?"/.test(receiver) ? (textOf(node.arguments[1]) ?? []) : [];
  });
}

function ownImports(file: SourceFile): string[] {
  return file.imports.filter((name) => name.startsWith('src/'));
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** What the node takes from the outside world: a call to it, a member of it, `Date.now()` or `new Date()`. */
function impureName(node: SyntaxNode): string | undefined {
  const root = nameOf(node.type === 'MemberExpression' ? node.object : node.callee);
  if (root === undefined) return undefined;
  if (root !== 'Date') return IMPURE_NAMES.has(root) ? root : undefined;
  if (node.type === 'MemberExpression') return nameOf(node.property) === 'now' ? 'Date.now' : undefined;
  return Array.isArray(node.arguments) && node.arguments.length === 0 ? 'the time of day' : undefined;
}

/** Names that a top-level statement declares and that can change: `let`, or a Map, Set or array not typed readonly. */
function mutableNames(statement: SyntaxNode): string[] {
  const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
  const [outer] = nodesIn(declaration);
  if (outer?.type !== 'VariableDeclaration') return [];
  return (outer.declarations as SyntaxNode[]).flatMap((declarator) => {
    const [id] = nodesIn(declarator.id);
    const [init] = nodesIn(declarator.init);
    const name = nameOf(id) ?? '(several)';
    if (outer.kind !== 'const') return [name];
    const typed = id?.typeAnnotation;
    return (typed ? isOpenType(typed) : init && isCollection(init)) ? [name] : [];
  });
}

/** `new Map(…)`, `new Set(…)`, `[]`, `{}`: made without a type that is readonly, or empty, to be filled. */
function isCollection(init: SyntaxNode): boolean {
  if (init.type === 'NewExpression') return /^(Weak)?(Map|Set)$/.test(nameOf(init.callee) ?? '');
  const inside = init.type === 'ArrayExpression' ? init.elements : init.properties;
  return Array.isArray(inside) && inside.length === 0 && /^(Array|Object)Expression$/.test(init.type);
}

/** A type annotation that is a `Map` or `Set` that can be written to. */
function isOpenType(annotation: unknown): boolean {
  const [, type] = nodesIn(annotation);
  return type?.type === 'TSTypeReference' && /^(Weak)?(Map|Set)$/.test(nameOf(type.typeName) ?? '');
}

/** Codes of errors (`new SomeError('code', …)`) and of reasons (`{ code: 'code', message: … }`). */
function codesIn(file: SourceFile): string[] {
  return [...nodesIn(file.body)].flatMap((node) => {
    if (
      node.type === 'NewExpression' &&
      /^(Tideway|Wire|Config|Problem)Error$/.test(nameOf(node.callee) ?? '')
    ) {
      const [code] = (node.arguments as SyntaxNode[] | undefined) ?? [];
      return textsIn(code);
    }
    if (node.type !== 'ObjectExpression') return [];
    const properties = node.properties as SyntaxNode[];
    const value = (name: string) => properties.find(({ key }) => nameOf(key) === name)?.value;
    return value('message') === undefined ? [] : textsIn(value('code'));
  });
}

/** The string literals that an expression may come to: `'a'`, or both of `x ? 'a' : 'b'`. */
function textsIn(expression: unknown): string[] {
  const [node] = nodesIn(expression);
  if (node?.type === 'ConditionalExpression')
    return [...textsIn(node.consequent), ...textsIn(node.alternate)];
  return textOf(node) === undefined ? [] : [textOf(node) ?? ''];
}
