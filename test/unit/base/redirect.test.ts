import { expect, test } from 'vitest';
import { sentOnUrl, sessionBrought, wasSentHere, withQuery } from '../../../src/base/redirect.ts';

test('who is sent on keeps the query, and has the mark and its session once', () => {
  const query = new URLSearchParams('key=a%2Fb&key=c&x=%20&tw_hop=7&tw_hop=8&tw_session=x&tw_session=y');
  const url = new URL(sentOnUrl('http://b:8080/live/show.flv', { query, session: 'abc123def456' }));
  expect(`${url.origin}${url.pathname}`).toBe('http://b:8080/live/show.flv');
  expect([...url.searchParams]).toEqual([
    ['key', 'a/b'],
    ['key', 'c'],
    ['x', ' '],
    ['tw_hop', '1'],
    ['tw_session', 'abc123def456'],
  ]);
  expect(sessionBrought(url.searchParams)).toBe('abc123def456');
  expect([wasSentHere(url.searchParams), wasSentHere(new URLSearchParams('key=a'))]).toEqual([true, false]);
  expect(query.get('tw_hop')).toBe('7');
});

test('URLs of all protocols take a query, and nothing that would end a line', () => {
  const query = new URLSearchParams({ session: 'a b\r\nX: y' });
  for (const url of ['rtmp://[::1]:1935/live/show', 'ws://h:1/live/show.flv', 'http://h:1/live/show.flv']) {
    expect(withQuery(url, query)).toBe(`${url}?session=a+b%0D%0AX%3A+y`);
  }
});

test.each(['', 'short', 'abc123def4567', 'ABC123DEF456', 'abc123def45\n', '<b>123def45'])(
  'a session that no node can have given is none: %j',
  (given) => {
    expect(sessionBrought(new URLSearchParams({ tw_session: given }))).toBeUndefined();
  },
);
