import { expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load.ts';

const HASH = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

function problems(tokens: string): readonly string[] {
  try {
    loadConfig({ env: { TIDEWAY_API_TOKENS: tokens } });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('tokens of the API are read from text, and from a list of a file', () => {
  const expected = [
    { name: 'eva', role: 'operator', sha256: HASH },
    { name: 'grafana', role: 'viewer', sha256: OTHER },
  ];
  const env = { TIDEWAY_API_TOKENS: `eva=operator:${HASH}, grafana=viewer:${OTHER}` };
  expect(loadConfig({ env }).api.tokens).toEqual(expected);
  const rows = expected.map(
    ({ name, role, sha256 }) => `    - { name: ${name}, role: ${role}, sha256: ${sha256} }`,
  );
  const text = ['api:', '  tokens:', ...rows].join('\n');
  expect(loadConfig({ file: { name: 'config.yaml', text } }).api.tokens).toEqual(expected);
});

test.each([
  `eva=operator:${HASH.slice(1)}`,
  `eva=owner:${HASH}`,
  `eva:${HASH}`,
  `eva=operator:${HASH},eva=viewer:${OTHER}`,
  `eva=operator:${HASH},otto=viewer:${HASH}`,
  `loopback=viewer:${HASH}`,
  `api.token=viewer:${HASH}`,
])('"%s" is refused, and not repeated', (tokens) => {
  const [problem = '', ...more] = problems(tokens);
  expect(problem).toMatch(/^api\.tokens \(TIDEWAY_API_TOKENS\): this value \(not shown\) is not allowed/);
  expect(problem).not.toContain(HASH);
  expect(more).toEqual([]);
});

test('a node that wants a token of everybody, and knows none, is refused', () => {
  expect(() => loadConfig({ flags: { 'api.requireToken': 'true' } })).toThrow(
    'api.requireToken: nobody has a token',
  );
  const flags = { 'api.requireToken': 'true', 'api.tokens': `eva=viewer:${HASH}` };
  expect(loadConfig({ flags }).api.requireToken).toBe(true);
});
