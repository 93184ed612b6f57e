import { expect, test } from 'vitest';
import { parseRedisUrl } from '../../../src/registry/redis-url.ts';

const one = { host: 'redis-1', port: 6379 };

test.each([
  ['redis://redis-1', { place: { is: 'server', ...one }, db: 0 }],
  ['redis://redis-1:7000/3', { place: { is: 'server', host: 'redis-1', port: 7000 }, db: 3 }],
  ['redis://[::1]:7000', { place: { is: 'server', host: '::1', port: 7000 }, db: 0 }],
  ['rediss://redis-1', { place: { is: 'server', ...one }, db: 0, tls: {} }],
  ['redis://:p%40ss@redis-1', { place: { is: 'server', ...one }, db: 0, password: 'p@ss' }],
  ['redis://tw:pass@redis-1', { place: { is: 'server', ...one }, db: 0, username: 'tw', password: 'pass' }],
  [
    'redis://s1/2?sentinel=main&hosts=s2:26380,s3',
    {
      place: {
        is: 'sentinel',
        name: 'main',
        sentinels: [
          { host: 's1', port: 26379 },
          { host: 's2', port: 26380 },
          { host: 's3', port: 26379 },
        ],
      },
      db: 2,
    },
  ],
  [
    'redis://redis-1?cluster=yes&hosts=redis-2:7000',
    { place: { is: 'cluster', nodes: [one, { host: 'redis-2', port: 7000 }] } },
  ],
])('%s is read', (url, target) => {
  expect(parseRedisUrl(url)).toEqual(target);
});

test.each([
  'redis-1:6379',
  'http://redis-1',
  'redis://',
  'redis://redis-1/first',
  'redis://redis-1?hosts=redis-2',
  'redis://redis-1/1?cluster=yes',
  'redis://redis-1?cluster=yes&sentinel=main',
  'redis://redis-1?timeout=3',
  'redis://redis-1?cluster=yes&hosts=a%20b',
  'redis://redis-1?cluster=yes&hosts=redis-2:70000',
])('%s is refused', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ code: 'registry.url' }));
});

test('a refusal does not repeat the password', () => {
  expect(() => parseRedisUrl('redis://tw:secret@redis-1/first')).not.toThrow(/secret/);
});
