// What a site tells nft and libfaketime, and the names that it gives.
import { expect, test } from 'vitest';
import { cutRules } from './cut-rules.ts';
import { isLeftOf, siteName } from './site-name.ts';
import { clockText } from './wall-clocks.ts';

test('a cut is both ways, by peer, and of Redis by its ports only', () => {
  const rules = cutRules({
    peers: new Map([
      ['10.77.1.12', 'swallow'],
      ['10.77.1.13', 'reset'],
    ]),
    redis: 'reset',
    redisHost: '10.77.1.1',
    redisPorts: [6379, 26379],
  });
  expect(rules.split('\n').map((line) => line.trim())).toEqual([
    'table inet tideway-cuts',
    'delete table inet tideway-cuts',
    'table inet tideway-cuts {',
    'chain in {',
    'type filter hook input priority 0;',
    'ip saddr 10.77.1.12 drop',
    'ip saddr 10.77.1.13 tcp flags & rst == 0 reject with tcp reset',
    'ip saddr 10.77.1.1 tcp sport { 6379, 26379 } tcp flags & rst == 0 reject with tcp reset',
    '}',
    'chain out {',
    'type filter hook output priority 0;',
    'ip daddr 10.77.1.12 drop',
    'ip daddr 10.77.1.13 tcp flags & rst == 0 reject with tcp reset',
    'ip daddr 10.77.1.1 tcp dport { 6379, 26379 } tcp flags & rst == 0 reject with tcp reset',
    '}',
    '}',
    '',
  ]);
});

test('without a cut there is no rule', () => {
  const rules = cutRules({ peers: new Map(), redis: undefined, redisHost: '10.77.1.1', redisPorts: [6379] });
  expect(rules).not.toMatch(/saddr|daddr/);
});

test('a clock is told as seconds with a sign', () => {
  expect([0, 1_500, -250, 3_600_000].map(clockText)).toEqual([
    '+0.000\n',
    '+1.500\n',
    '-0.250\n',
    '+3600.000\n',
  ]);
});

test('names are short, differ, and say when their owner is gone', () => {
  const [one, other] = [siteName(), siteName()];
  expect(one).not.toBe(other);
  expect(`twc4194304-99a`.length).toBeLessThan(16);
  expect(
    [one, `${one}a`, 'twc4194304-3', 'twc4194304-3e', 'twc4194304', 'eth0', 'my-twc4194304-3'].map(isLeftOf),
  ).toEqual([false, false, true, true, false, false, false]);
});
