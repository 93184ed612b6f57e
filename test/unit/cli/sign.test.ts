import { describe, expect, test } from 'vitest';
import { checkSigned } from '../../../src/auth/signed-url.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { type Invocation, parseInvocation } from '../../../src/cli/invocation.ts';
import { signed } from '../../../src/cli/sign.ts';
import { loadConfig } from '../../../src/config/load.ts';

const NOW_MS = 1_800_000_000_500;
const KEYS = 'k2=second-secret-of-sixteen,k1=first-secret-of-sixteen';
const CONFIG = loadConfig({ flags: { 'auth.keys': KEYS } });

function order(...argv: string[]): Extract<Invocation, { run: 'sign' }> {
  const invocation = parseInvocation(['sign', ...argv]);
  if (invocation.run !== 'sign') throw new Error(`it runs ${invocation.run}`);
  return invocation;
}

function printed(...argv: string[]): string {
  return signed(order(...argv), CONFIG, NOW_MS);
}

test('what it prints lets in, as long as it says', () => {
  const query = new URLSearchParams(
    printed('publish', 'live/cam', '--expires', '30m', '--address', '10.0.0.0/8'),
  );
  expect([...query.keys()]).toEqual(['tw_exp', 'tw_kid', 'tw_ip', 'tw_sig']);
  expect(query.get('tw_exp')).toBe(String(1_800_000_000 + 1_800));
  const request = {
    action: 'publish',
    key: parseStreamKey('live', 'cam'),
    query,
    address: '10.1.2.3',
  } as const;
  checkSigned(request, CONFIG.auth.keys ?? [], { nowWallMs: NOW_MS, maxAheadS: 3_600 });
});

test('it makes URLs of doors, signs with the first key or the one that is asked for, and shows none', () => {
  expect(printed('play', 'live/cam', '--url', 'rtmp://h:1/')).toMatch(
    /^rtmp:\/\/h:1\/live\/cam\?tw_exp=\d+&tw_kid=k2&tw_sig=/,
  );
  expect(printed('play', 'live/cam', '--url', 'wss://h')).toMatch(/^wss:\/\/h\/live\/cam\.flv\?tw_exp=/);
  expect(printed('play', 'live/cam', '--key-id', 'k1')).toMatch(/&tw_kid=k1&/);
  expect(printed('play', 'live/cam')).not.toMatch(/secret/);
});

describe('it says what is wrong', () => {
  test.each([
    [['play'], /sign what/],
    [[], /sign of what/],
    [['watch', 'live/cam'], /sign what/],
    [['play', 'live/cam', 'more'], /takes one/],
    [['play', 'cam'], /stream key/],
    [['play', 'live/cam', '--expires', '1w'], /--expires wants/],
    [['play', 'live/cam', '--expires', '0s'], /--expires wants/],
    [['play', 'live/cam', '--address', 'home'], /--address wants/],
    [['play', 'live/cam', '--url', 'rtmp://h/live'], /--url wants/],
    [['play', 'live/cam', '--auth.keys', 'k=secret'], /no such flag/],
  ])('of %j', (argv, message) => {
    expect(() => order(...argv)).toThrow(message);
  });

  test('where there is no such key, or it would be refused', () => {
    expect(() => printed('play', 'live/cam', '--key-id', 'k3')).toThrow('auth.keys has k2, k1');
    expect(() => printed('play', 'live/cam', '--expires', '31d')).toThrow('auth.maxSeconds');
    expect(() => signed(order('play', 'live/cam'), loadConfig(), NOW_MS)).toThrow('there is no key');
  });
});
