import { expect, test } from 'vitest';
import { expectNoSecrets } from '../../support/secrets.ts';

test.each([
  [{ 'publish.secret': 'hush-hush' }, { detail: 'key=hush-hush' }],
  [{ 'auth.keys': 'k2=first-secret,k1=second-secret' }, { nested: { url: 'x second-secret' } }],
  [{ 'registry.url': 'redis://:hush-hush@host:1' }, { event: 'hush-hush' }],
])('a secret of %j in a line is found', (settings, line) => {
  const flags = settings as Record<string, string>;
  expect(() => expectNoSecrets(flags, [{ event: 'a' }, line])).toThrow('a secret of the node is in its log');
  expect(() => expectNoSecrets(flags, [{ event: 'a', host: 'host' }])).not.toThrow();
});

test('what is no secret may be in lines', () => {
  const flags = { 'node.id': 'the-node-id', 'registry.url': 'redis://127.0.0.1:6379' };
  expect(() =>
    expectNoSecrets(flags, [{ node: 'the-node-id', url: 'redis://127.0.0.1:6379' }]),
  ).not.toThrow();
});
