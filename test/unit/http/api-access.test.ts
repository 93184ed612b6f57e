import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { ApiAccess, type ApiRequest, isLoopbackAddress } from '../../../src/http/api-access.ts';

const TOKEN = 'correct-horse-battery';
const open = new ApiAccess({ token: undefined });
const guarded = new ApiAccess({ token: TOKEN });

function request(
  headers: Record<string, string> = {},
  remoteAddress: string | undefined = '127.0.0.1',
): ApiRequest {
  return { remoteAddress, headers: { host: '127.0.0.1:8080', ...headers } };
}

/** The code of a refusal; undefined: it was let in. */
function verdict(access: ApiAccess, asked: ApiRequest): string | undefined {
  try {
    access.check(asked);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each(['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.3'])(
  '%s is this machine',
  (address) => {
    expect(isLoopbackAddress(address)).toBe(true);
    expect(verdict(open, request({}, address))).toBeUndefined();
  },
);

test.each([
  '10.0.0.1',
  '128.0.0.1',
  '::ffff:10.0.0.1',
  '::',
  '::2',
  'fe80::1',
  '1127.0.0.1',
  '127.0.0.1.evil.test',
])('%s is another machine', (address) => {
  expect(isLoopbackAddress(address)).toBe(false);
  expect(verdict(open, request({}, address))).toBe('api.loopback-only');
  expect(verdict(guarded, request({}, address))).toBe('api.token');
});

test('a socket without an address is not believed', () => {
  expect(isLoopbackAddress(undefined)).toBe(false);
});

test.each(['x-forwarded-for', 'X-Real-IP', 'Forwarded', 'Via', 'x-forwarded-host', 'x-forwarded-proto'])(
  'a request with %s comes from who knows where',
  (name) => {
    expect(verdict(open, request({ [name.toLowerCase()]: '127.0.0.1' }))).toBe('api.loopback-only');
    expect(verdict(open, request({ [name.toLowerCase()]: '' }))).toBe('api.loopback-only');
  },
);

test('what comes by a proxy is not of this machine, whatever its address and headers say', () => {
  const proxied = { ...request({}), isProxied: true };
  expect(verdict(open, proxied)).toBe('api.loopback-only');
  expect(verdict(guarded, proxied)).toBe('api.token');
  expect(verdict(open, { ...proxied, isProxied: false })).toBeUndefined();
});

test.each(['localhost', 'LOCALHOST:8080', '127.0.0.1', '10.1.2.3:80', '[::1]', '[::1]:8080'])(
  'the host "%s" is asked for by this machine',
  (host) => {
    expect(verdict(open, request({ host }))).toBeUndefined();
  },
);

test.each([
  'evil.test',
  'evil.test:8080',
  'localhost.evil.test',
  '127.0.0.1.evil.test',
  '::1',
  '[evil]',
  '[::1',
  '',
])('the host "%s" may be a name that was made to point here', (host) => {
  expect(verdict(open, request({ host }))).toBe('api.loopback-only');
});

test('a request without a host is refused', () => {
  expect(verdict(open, { remoteAddress: '127.0.0.1', headers: {} })).toBe('api.loopback-only');
});

test('the token lets in from anywhere, through a proxy and by any name', () => {
  const headers = {
    host: 'tideway.example',
    'x-forwarded-for': '10.0.0.9',
    authorization: `Bearer ${TOKEN}`,
  };
  expect(verdict(guarded, request(headers, '10.0.0.1'))).toBeUndefined();
  expect(verdict(guarded, request({ authorization: `bearer   ${TOKEN} ` }, '10.0.0.1'))).toBeUndefined();
});

test.each([`Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, 'Bearer ', 'Bearer', '', TOKEN, `Basic ${TOKEN}`])(
  'the authorization "%s" is refused, also on this machine',
  (authorization) => {
    expect(verdict(guarded, request({ authorization }))).toBe('api.token');
  },
);

test('a node without a token takes none for one, and answers its own machine whatever it shows', () => {
  expect(verdict(open, request({ authorization: 'Bearer undefined' }, '10.0.0.1'))).toBe('api.loopback-only');
  expect(verdict(open, request({ authorization: `Bearer ${TOKEN}` }))).toBeUndefined();
});

test('this machine needs no token', () => {
  expect(verdict(guarded, request())).toBeUndefined();
});

test('a guarded route answers nobody but who may ask, and says how to come in', () => {
  const answered: string[] = [];
  const headers = new Map<string, string>();
  const route = guarded.guard({
    methods: ['GET'],
    matches: (path) => path === '/api/v1/nodes',
    handle: (_request, _response, { pathname }) => void answered.push(pathname),
  });
  const ask = (remoteAddress: string) => {
    const asked = { socket: { remoteAddress }, headers: request().headers };
    const response = { setHeader: (name: string, value: string) => headers.set(name, value) };
    const url = new URL('http://node/api/v1/nodes');
    return route.handle(asked as IncomingMessage, response as unknown as ServerResponse, url);
  };

  expect(() => ask('10.0.0.1')).toThrow(expect.objectContaining({ code: 'api.token' }));
  expect(headers).toEqual(new Map([['WWW-Authenticate', 'Bearer realm="tideway"']]));
  void ask('127.0.0.1');
  expect([route.isPrivate, route.matches('/api/v1/nodes'), answered]).toEqual([
    true,
    true,
    ['/api/v1/nodes'],
  ]);
});
