import { expect, test } from 'vitest';
import { z } from 'zod';
import { limitOf, readQuery, streamParameter, wholeNumber } from '../../../src/http/api-query.ts';

const FORM = z.strictObject({
  stream: streamParameter.optional(),
  kind: z.enum(['publisher', 'player']).optional(),
  offset: wholeNumber(0, 100).default(0),
  limit: limitOf({ usual: 10, most: 50 }),
});

function read(query: string) {
  return readQuery(new URLSearchParams(query), FORM);
}

function refusal(query: string): [string, string] {
  try {
    read(query);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return [code, message];
  }
  throw new Error(`${query} was read`);
}

test('a query is read by its form, with what it does not say', () => {
  expect(read('')).toEqual({ offset: 0, limit: 10 });
  expect(read('limit=50&stream=live/show&kind=player&offset=100')).toEqual({
    ...{ stream: 'live/show', kind: 'player', offset: 100, limit: 50 },
  });
  expect(read('limit=7&limit=7').limit).toBe(7);
});

test.each([
  ['limt=1', 'api.query', 'this path has no parameter "limt": it takes stream, kind, offset, limit'],
  ['limit=0&limt=1', 'api.query', 'this path has no parameter "limt": it takes stream, kind, offset, limit'],
  ['__proto__=1', 'api.query', expect.stringContaining('"__proto__"')],
  ['constructor=1', 'api.query', expect.stringContaining('"constructor"')],
  [`${'x'.repeat(100)}=1`, 'api.query', expect.stringContaining(`"${'x'.repeat(64)}"`)],
  ['kind=player&kind=publisher', 'route.repeated', '"kind" is given more than once, with different values'],
  ['kind=players', 'api.query', 'kind is publisher or player, not "players"'],
  ['kind=https://x/?tw_sig=hush', 'api.query', 'kind is publisher or player'],
  ['offset=101', 'api.query', 'offset is a whole number from 0 to 100, not "101"'],
  ['limit=51', 'api.limit', 'limit is a whole number from 1 to 50, not "51"'],
  ['limit=1e1', 'api.limit', 'limit is a whole number from 1 to 50, not "1e1"'],
  ['limit=', 'api.limit', 'limit is a whole number from 1 to 50, not ""'],
  ['limit=%2B1', 'api.limit', 'limit is a whole number from 1 to 50, not "+1"'],
  ['stream=show', 'route.stream', 'stream is the key of one stream: stream=app/name, not "show"'],
  ['stream=show?key=hush', 'route.stream', 'stream is the key of one stream: stream=app/name'],
  ['stream=a/b/c', 'route.stream', 'stream is the key of one stream: stream=app/name'],
  ['stream=api/show', 'stream-key.reserved', expect.stringContaining('taken by the node')],
  ['stream=live/..', 'stream-key.invalid', expect.stringContaining('a stream key is app/name')],
])('?%s is refused as %s, with the parameter by name', (query, code, message) => {
  expect(refusal(query)).toEqual([code, message]);
});

test('a path without parameters says so', () => {
  expect(() => readQuery(new URLSearchParams('a=1'), z.strictObject({}))).toThrow('it takes none');
});
