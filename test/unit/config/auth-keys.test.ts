import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load.ts';

const KEYS = 'k2=second-secret-of-sixteen,k1=first=secret=of=sixteen';

function problems(flags: Record<string, string>): readonly string[] {
  try {
    loadConfig({ flags });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('rules and keys are text, or lists in the file', () => {
  const flags = { 'auth.keys': KEYS, 'auth.publish': 'live/*=signed, test/*=open' };
  const { auth } = loadConfig({ flags });
  expect(auth.keys).toEqual([
    { id: 'k2', secret: 'second-secret-of-sixteen' },
    { id: 'k1', secret: 'first=secret=of=sixteen' },
  ]);
  expect(auth.publish).toEqual([
    { match: 'live/*', allow: ['signed'] },
    { match: 'test/*', allow: ['open'] },
  ]);
  const text = `
auth:
  keys: [{ id: k1, secret: first-secret-of-sixteen }]
  jwt: { secret: token-secret-of-sixteen }
  play:
    - { match: 'live/*', allow: [signed, jwt] }
    - { match: '*', allow: none }
`;
  expect(loadConfig({ file: { name: 'config.yaml', text } }).auth.play).toEqual([
    { match: 'live/*', allow: ['signed', 'jwt'] },
    { match: '*', allow: ['none'] },
  ]);
});

describe('what is refused', () => {
  test.each([
    ['a way that is not known', { 'auth.publish': '*=token' }, /auth\.publish .*is not allowed/],
    ['the publish secret for players', { 'auth.play': '*=secret' }, /auth\.play .*is not allowed/],
    ['open beside another way', { 'auth.publish': '*=open/signed' }, /auth\.publish .*is not allowed/],
    ['a way twice', { 'auth.publish': '*=jwt/jwt' }, /auth\.publish .*is not allowed/],
    ['a rule without a way', { 'auth.publish': 'live/*' }, /auth\.publish .*is not allowed/],
    ['no rule', { 'auth.publish': ' ' }, /auth\.publish .*is not allowed/],
    ['an id twice', { 'auth.keys': 'k=aaaaaaaaaaaaaaaa,k=bbbbbbbbbbbbbbbb' }, /auth\.keys .*\(not shown\)/],
    ['a short secret', { 'auth.keys': 'k=short' }, /auth\.keys .*\(not shown\)/],
    ['signed without keys', { 'auth.play': 'a/*=signed' }, /auth\.play: a\/\*=signed needs auth\.keys/],
    ['jwt without a key', { 'auth.play': '*=jwt' }, /needs auth\.jwt\.secret or auth\.jwt\.publicKeyFile/],
    ['secret without one', { 'auth.publish': '*=secret' }, /needs publish\.secret/],
    [
      'a secret that no rule asks for',
      { 'auth.publish': '*=signed', 'auth.keys': KEYS, 'publish.secret': 'hush-hush' },
      /publish\.secret: .*add secret to a rule/,
    ],
    [
      'two kinds of key for tokens',
      { 'auth.jwt.secret': 'token-secret-of-sixteen', 'auth.jwt.publicKeyFile': '/key.pem' },
      /auth\.jwt: .*not both/,
    ],
  ])('%s', (_what, flags, message) => {
    const found = problems(flags).join('\n');
    expect(found).toMatch(message);
    expect(found).not.toMatch(/hush|sixteen/);
  });
});
