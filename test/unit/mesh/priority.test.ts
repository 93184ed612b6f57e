import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { priorityOf } from '../../../src/mesh/priority.ts';

const KEY = parseStreamKey('live', 'vip-one');

test('the first rule that matches gives the level, and none gives 0', () => {
  const rules = [
    { match: 'live/vip*', level: 5 },
    { match: 'live/*', level: 1 },
    { match: '*', level: -3 },
  ];
  expect(priorityOf(KEY, rules)).toBe(5);
  expect(priorityOf(parseStreamKey('live', 'other'), rules)).toBe(1);
  expect(priorityOf(parseStreamKey('test', 'other'), rules)).toBe(-3);
  expect(priorityOf(KEY, rules.slice(3))).toBe(0);
});

test.each([
  ['live/vip-one', true],
  ['*', true],
  ['l*e/*-*e', true],
  ['*vip*', true],
  ['live/vip-one*', true],
  ['live/vip', false],
  ['vip*', false],
  ['*vip', false],
  ['live/vip-o*one', false],
  ['LIVE/*', false],
  ['live.vip-one', false],
])('%s is like live/vip-one: %s', (match, is) => {
  expect(priorityOf(KEY, [{ match, level: 1 }])).toBe(is ? 1 : 0);
});

test('matches what a regular expression would', () => {
  const text = (alphabet: string) =>
    fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 12 }).map((chars) => chars.join(''));
  fc.assert(
    fc.property(text('ab'), text('ab*'), (name, glob) => {
      const key = parseStreamKey('a', name);
      const pattern = new RegExp(`^a/${glob.replaceAll('*', '.*')}$`);
      expect(priorityOf(key, [{ match: `a/${glob}`, level: 1 }])).toBe(pattern.test(key) ? 1 : 0);
    }),
  );
});
