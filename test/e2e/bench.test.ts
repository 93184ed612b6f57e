// The fan-out benchmark as `npm run bench -- --quick` runs it, smaller still: that it measures what it says in most cases,
// never how fast anything is.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CASE_NAMES } from '../../bench/fan-out/cases/names.ts';
import { Program, type ProgramResult } from '../support/programs.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const COMPILER = join(PROJECT, 'node_modules/typescript/bin/tsc');
const BENCH = join(PROJECT, 'dist-bench/bench/fan-out.js');
/** Those that come from npm, so that they are there (nginx and a C compiler may not be), in one case; then tideway in others. */
const RUNS = [
  ['--subjects', 'tideway,node-media-server', '--cases', 'fan-out'],
  ['--subjects', 'tideway', '--cases', 'join,ingest,relay,slow'],
];
const CASES = CASE_NAMES.filter((name) => RUNS.some(([, , , cases = '']) => cases.split(',').includes(name)));
const RUN_WITHIN_MS = 150_000;

interface Row {
  readonly case: string;
  readonly subject: string;
  readonly delivery: number;
}

describe('a quick run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tideway-bench-test-'));
  const rows: Row[] = [];
  let printed = '';

  beforeAll(async () => {
    const compiled = await node(COMPILER, '-p', join(PROJECT, 'tsconfig.bench.json'));
    expect(compiled, compiled.stdout.toString()).toMatchObject({ code: 0 });
    const small = ['--seconds', '1', '--players', '50', '--slow-seconds', '3', '--churn-minutes', '0.03'];
    for (const [at, run] of RUNS.entries()) {
      const path = join(folder, `${at}.json`);
      const result = await node(BENCH, '--quick', ...small, ...run, '--json', path);
      expect(result, result.stdout.toString() + result.stderr).toMatchObject({ code: 0 });
      rows.push(...JSON.parse(readFileSync(path, 'utf8')).rows);
      printed += result.stdout;
    }
  }, RUN_WITHIN_MS);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('has tideway in each case, and others beside it', () => {
    const casesOf = (subject: string) =>
      new Set(rows.filter((row) => row.subject === subject).map((row) => row.case));
    expect([...casesOf('tideway')]).toEqual(CASES);
    expect(casesOf('node-media-server')).toContain('fan-out');
    expect(printed).toContain('| fan-out | tideway | 50 | 1 |');
  });

  test('writes rows of the promised shape', () => {
    const number = expect.any(Number);
    for (const row of rows) {
      expect(row).toMatchObject({
        ...{ case: expect.any(String), subject: expect.any(String), format: expect.any(String) },
        ...{ players: number, mbps: number, delivery: number, clientBound: expect.any(Boolean) },
        delayMs: { p50: number, p99: number },
        rounds: [expect.objectContaining({ delivery: number })],
      });
      expect(row).toHaveProperty('cpuSecondsPerGB');
      expect(row).toHaveProperty('rssPerPlayerKB');
    }
    expect(rows).toContainEqual(
      expect.objectContaining({ case: 'fan-out', subject: 'tideway', cpuSecondsPerGB: number }),
    );
    expect(rows).toContainEqual(expect.objectContaining({ case: 'relay', bytesOverPayloadPercent: number }));
    expect(rows).toContainEqual(expect.objectContaining({ case: 'slow', frozenClosed: number }));
  });

  test('tideway delivers what it should', () => {
    for (const row of rows.filter(({ subject }) => subject === 'tideway')) {
      expect(row.delivery, JSON.stringify(row)).toBeGreaterThan(0.99);
    }
  });
});

test('a case that is not there is told with what there is, and exit code 2', async () => {
  const { code, stderr } = await node(BENCH, '--cases', 'fan-in');
  expect(code).toBe(2);
  expect(stderr).toContain('--cases: there is no "fan-in"; there are fan-out, ');
});

async function node(...args: readonly string[]): Promise<ProgramResult> {
  await using program = new Program(process.execPath, args);
  return await program.done;
}
