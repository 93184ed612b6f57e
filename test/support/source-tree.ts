// The project's own source, parsed: for tests that hold it to its rules.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A node of the syntax tree (ESTree, with TypeScript); fields are looked at one by one. */
export interface SyntaxNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface SourceFile {
  /** From the project's root, with slashes: `src/base/clock.ts`. */
  readonly path: string;
  /** The folder right under src: `base`, `format`. */
  readonly folder: string;
  /** Top-level statements. */
  readonly body: readonly SyntaxNode[];
  /** What it imports or re-exports, types included: packages by name, own files by path. */
  readonly imports: readonly string[];
}

/** All of src, in order of path. */
export function readSourceTree(): SourceFile[] {
  return projectFiles('src')
    .filter((path) => path.endsWith('.ts'))
    .map(parse)
    .sort((a, b) => a.path.localeCompare(b.path));
}

/** What is below a folder of the project, from its root, with slashes. */
export function projectFiles(folder: string): string[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' }).map(
    (name) => `${folder}/${name.split(sep).join('/')}`,
  );
}

/** A file of the project, as text. */
export function projectText(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

function parse(path: string): SourceFile {
  const body = parseAst(projectText(path), { lang: 'ts' }).body as unknown as SyntaxNode[];
  const imports = body.flatMap((statement) =>
    [...nodesIn(statement)]
      .filter(({ type }) => /^(Import|Export).*Declaration$|^ImportExpression$|^TSImportType$/.test(type))
      .flatMap(({ source }) => textOf(source) ?? [])
      .map((name) => (name.startsWith('.') ? posix.join(dirname(path), name) : name)),
  );
  return { path, folder: relative('src', path).split('/')[0] ?? '', body, imports };
}

/** The node and everything below it. */
export function* nodesIn(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) {
    for (const item of value) yield* nodesIn(item);
  } else if (typeof value === 'object' && value !== null) {
    if ('type' in value && typeof value.type === 'string') yield value as SyntaxNode;
    yield* nodesIn(Object.values(value));
  }
}

/** The value of a string literal, if it is one. */
export function textOf(node: unknown): string | undefined {
  const value = isNode(node) && node.type === 'Literal' ? node.value : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The name of an identifier, if it is one. */
export function nameOf(node: unknown): string | undefined {
  const name = isNode(node) && node.type === 'Identifier' ? node.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value;
}
