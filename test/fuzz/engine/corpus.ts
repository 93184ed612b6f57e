// Inputs on disk: those that fuzzing starts from, and those that once broke something. Each is a file of bytes.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Find } from './fuzzer.ts';

/** From the project's root, where npm and vitest run. */
const CORPUS = 'test/fuzz/corpus';

export interface CorpusFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** In order of name. */
export function corpusOf(target: string): CorpusFile[] {
  const folder = join(CORPUS, target);
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Writes a find as two files, its bytes and what is known of it; answers the path of the bytes. */
export function writeFind(folder: string, target: string, seed: number, { input, reason, at }: Find): string {
  mkdirSync(folder, { recursive: true });
  const digest = createHash('sha256').update(input).digest('hex').slice(0, 12);
  const path = join(folder, `${target}-${digest}`);
  writeFileSync(`${path}.bin`, input);
  writeFileSync(`${path}.json`, `${JSON.stringify({ target, seed, reason, at }, null, 2)}\n`);
  return `${path}.bin`;
}
