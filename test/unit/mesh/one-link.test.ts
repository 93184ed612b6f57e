// Which of two links stays, seen from both ends.
import { expect, test } from 'vitest';
import { HALF_DEAD_MS, oneLink } from '../../../src/mesh/one-link.ts';

const facts = (dialledBy: string, boot = '1', silentMs = 0) => ({ boot, dialledBy, silentMs });

test('the one that the lower id dialled stays, whichever came first', () => {
  expect(oneLink(facts('b'), facts('a'), ['a', 'b']).stays).toBe('new');
  expect(oneLink(facts('a'), facts('b'), ['a', 'b']).stays).toBe('old');
  expect(oneLink(facts('b'), facts('a'), ['b', 'a']).stays).toBe('new');
  expect(oneLink(facts('a'), facts('b'), ['b', 'a']).stays).toBe('old');
});

test('a node that dials again keeps the link that works', () => {
  expect(oneLink(facts('a'), facts('a'), ['a', 'b'])).toMatchObject({
    stays: 'old',
    why: { code: 'mesh.duplicate' },
  });
});

test('a silent link gives way to whoever dials', () => {
  const silent = HALF_DEAD_MS + 1;
  expect(oneLink(facts('a', '1', silent), facts('a'), ['a', 'b']).stays).toBe('new');
  expect(oneLink(facts('a', '1', silent), facts('b'), ['a', 'b']).stays).toBe('new');
});

test('a new process of a node replaces the old one, whoever dialled', () => {
  for (const dialledBy of ['a', 'b']) {
    expect(oneLink(facts('a', '1'), facts(dialledBy, '2'), ['a', 'b'])).toMatchObject({
      stays: 'new',
      why: { code: 'mesh.restarted' },
    });
  }
});
