import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configKeys } from '../../src/config/schema.ts';
import { projectText } from '../support/source-tree.ts';

interface Service {
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const text = projectText('compose.yaml');
const { services } = parse(text, { merge: true }) as { services: Readonly<Record<string, Service>> };

test('without a profile there is one node; with cluster three, and Redis', () => {
  const namesIn = (profile: string | undefined) =>
    Object.keys(services).filter((name) => services[name]?.profiles?.[0] === profile);
  expect(namesIn(undefined)).toEqual(['tideway']);
  expect(namesIn('cluster')).toEqual(['a', 'b', 'c', 'redis']);
});

test('its variables are keys of the configuration', () => {
  const known = configKeys.map(({ env }) => env);
  for (const { environment = {} } of Object.values(services)) {
    expect(known).toEqual(expect.arrayContaining(Object.keys(environment)));
  }
});

test('one node starts without the secret of a cluster: Compose asks for ":?" whatever the profile', () => {
  expect(text.replaceAll(/^ *#.*$/gm, '')).not.toContain(':?');
});
