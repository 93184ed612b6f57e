import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { configKeys } from '../../../src/config/schema.ts';
import { exampleYaml, markdownTable } from '../../support/config-docs.ts';

const projectFile = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

test('names of environment variables and flags are the path of the key', () => {
  const names = configKeys.map(({ path, env, flag }) => `${path} ${env} ${flag}`);
  expect(names).toContain('rtmp.port TIDEWAY_RTMP_PORT --rtmp.port');
  expect(names).toContain('publish.holdMs TIDEWAY_PUBLISH_HOLDMS --publish.holdMs');
  expect(names).toContain('host TIDEWAY_HOST --host');
});

test('no two keys share an environment variable', () => {
  expect(new Set(configKeys.map(({ env }) => env)).size).toBe(configKeys.length);
});

test('every key accepts its own default and has a help text that is a sentence', () => {
  for (const { path, fallback, accepts, help } of configKeys) {
    expect(fallback === undefined || accepts(fallback), path).toBe(true);
    expect(help, path).toMatch(/^[A-Z].*\.$/);
  }
});

test('config.example.yaml has every key of the schema, its help and its default (vitest -u rewrites it)', async () => {
  await expect(exampleYaml()).toMatchFileSnapshot('../../../config.example.yaml');
});

test('config.example.yaml configures nothing but the defaults', () => {
  const newNodeId = () => 'node-1';
  const file = { name: 'config.example.yaml', text: projectFile('config.example.yaml') };
  expect(loadConfig({ file, newNodeId })).toEqual(loadConfig({ newNodeId }));
});

test('docs/configuration.md has a row for every key (vitest -u rewrites the table)', async () => {
  const page = projectFile('docs/configuration.md');
  const start = page.indexOf('| key |');
  const upToDate = page.slice(0, start) + markdownTable() + page.slice(page.indexOf('\n\n', start));
  await expect(upToDate).toMatchFileSnapshot('../../../docs/configuration.md');
});
