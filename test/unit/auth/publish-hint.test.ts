import { expect, test } from 'vitest';
import { publishHint } from '../../../src/auth/publish-hint.ts';
import type { Way } from '../../../src/auth/rules.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';

const KEY = parseStreamKey('live', 'show');

test.each<[Way[], string, RegExp | null]>([
  [['open'], '', null],
  [['secret', 'signed'], '?key=YOUR-PUBLISH-SECRET', /secret.*YOUR-PUBLISH-SECRET/],
  [['signed', 'jwt'], '?OUTPUT-OF-TIDEWAY-SIGN', /"tideway sign publish live\/show".*OUTPUT-OF-TIDEWAY-SIGN/],
  [['jwt'], '?tw_token=YOUR-TOKEN', /token.*YOUR-TOKEN/],
  [['webhook'], '', /own server says who/],
  [['none'], '', /no rule.*live\/show/i],
  [[], '', /no rule.*live\/show/i],
])('who may publish by %j is told the first way, and what to put in its place', (ways, append, note) => {
  const hint = publishHint(KEY, ways);
  expect([hint.stream, hint.append]).toEqual(['live/show', append]);
  if (note === null) expect(hint.note).toBeNull();
  else expect(hint.note).toMatch(note);
});
