import { expect, test } from 'vitest';
import { sentOnUrl, wasSentHere, withQuery } from '../../../src/base/redirect.ts';

test('who is sent on keeps the query, and has the mark once', () => {
  const query = new URLSearchParams('key=a%2Fb&key=c&x=%20&tw_hop=7&tw_hop=8');
  const url = new URL(sentOnUrl('http://b:8080/live/show.flv', query));
  expect(`${url.origin}${url.pathname}`).toBe('http://b:8080/live/show.flv');
  expect([...url.searchParams]).toEqual([
    ['key', 'a/b'],
    ['key', 'c'],
    ['x', ' '],
    ['tw_hop', '1'],
  ]);
  expect([wasSentHere(url.searchParams), wasSentHere(new URLSearchParams('key=a'))]).toEqual([true, false]);
  expect(query.get('tw_hop')).toBe('7');
});

test('URLs of all protocols take a query, and nothing that would end a line', () => {
  const query = new URLSearchParams({ session: 'a b\r\nX: y' });
  for (const url of ['rtmp://[::1]:1935/live/show', 'ws://h:1/live/show.flv', 'http://h:1/live/show.flv']) {
    expect(withQuery(url, query)).toBe(`${url}?session=a+b%0D%0AX%3A+y`);
  }
});
