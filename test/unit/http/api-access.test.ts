import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Role } from '../../../src/base/role.ts';
import {
  type AccessRules,
  ApiAccess,
  type ApiRequest,
  isLoopbackAddress,
} from '../../../src/http/api-access.ts';
import { accessBy } from '../../support/api-access.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const TOKEN = 'correct-horse-battery';
const open = accessBy();
/** Its clock stands far from any limit. */
let guarded = accessBy({ token: TOKEN });
beforeEach(() => {
  guarded = accessBy({ token: TOKEN });
});

function request(
  headers: Record<string, string> = {},
  remoteAddress: string | undefined = '127.0.0.1',
): ApiRequest {
  return { remoteAddress, headers: { host: '127.0.0.1:8080', ...headers } };
}

/** The code of a refusal; undefined: it was let in. */
function verdict(access: ApiAccess, asked: ApiRequest): string | undefined {
  try {
    access.identify(asked);
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

function named(name: string, role: Role, token: string) {
  return { name, role, sha256: createHash('sha256').update(token).digest('hex') };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('tokens of which only the hash is known', () => {
  const access = accessBy({
    token: TOKEN,
    tokens: [named('grafana', 'viewer', 'token-of-grafana'), named('eva', 'operator', 'token-of-eva')],
  });

  test.each([
    ['token-of-grafana', 'grafana', 'viewer'],
    ['token-of-eva', 'eva', 'operator'],
    [TOKEN, 'api.token', 'admin'],
  ])('"%s" is that of %s, a %s', (token, name, role) => {
    expect(access.identify(request(bearer(token), '10.0.0.1'))).toEqual({ name, role });
  });

  test('a hash is no token', () => {
    const { sha256 } = named('eva', 'operator', 'token-of-eva');
    expect(verdict(access, request(bearer(sha256), '10.0.0.1'))).toBe('api.token');
  });

  test.each<[Role, Role, string | undefined]>([
    ['viewer', 'viewer', undefined],
    ['viewer', 'operator', 'api.role'],
    ['viewer', 'admin', 'api.role'],
    ['operator', 'viewer', undefined],
    ['operator', 'operator', undefined],
    ['operator', 'admin', 'api.role'],
    ['admin', 'admin', undefined],
  ])('a %s asks for what takes a %s: %s', (role, needed, code) => {
    const check = () => access.check({ name: 'x', role }, needed);
    if (code === undefined) expect(check).not.toThrow();
    else {
      expect(check).toThrow(expect.objectContaining({ code }));
      expect(check).toThrow(`takes the role ${needed}, and the token "x" is of a ${role}`);
    }
  });
});

test('this machine is an admin, unless it needs a token, too', () => {
  expect(open.identify(request())).toEqual({ name: 'loopback', role: 'admin' });
  const strict = accessBy({ token: TOKEN, requireToken: true });
  expect(verdict(strict, request())).toBe('api.token');
  expect(verdict(strict, request(bearer(TOKEN)))).toBeUndefined();
});

test('who shows wrong tokens is not looked at for a while, a right one included; others are', () => {
  const clock = new FakeClock();
  const access = accessBy({ token: TOKEN }, clock);
  const guesses = (count: number, from: string) =>
    Array.from({ length: count }, (_, at) => verdict(access, request(bearer(`guess-${at}`), from)));
  expect(guesses(12, '10.0.0.1')).toEqual([
    ...new Array<string>(10).fill('api.token'),
    ...['api.too-many-tries', 'api.too-many-tries'],
  ]);
  expect(verdict(access, request(bearer(TOKEN), '10.0.0.1'))).toBe('api.too-many-tries');
  expect(verdict(access, request(bearer(TOKEN), '10.0.0.2'))).toBeUndefined();
  clock.advance(10_000);
  expect(verdict(access, request(bearer(TOKEN), '10.0.0.1'))).toBeUndefined();
  expect(guesses(2, '10.0.0.1')).toEqual(['api.token', 'api.too-many-tries']);
});

test('who was let in is judged again by the rules as they are now, and that is no try and no request', () => {
  const clock = new FakeClock();
  const eva = (role: Role, token = 'token-of-eva') => [named('eva', role, token)];
  const base = { token: TOKEN, requireToken: false, requestsPerSecond: 1 };
  let rules: AccessRules = { ...base, tokens: eva('operator') };
  const access = new ApiAccess({ clock, rules: () => rules });
  const [local, holder] = [request(), request(bearer('token-of-eva'), '10.0.0.1')];
  const admitted = () => [local, holder].map((asked) => access.stillAdmits(asked, 'operator'));
  expect(admitted()).toEqual([true, true]);
  rules = { ...base, tokens: eva('viewer') };
  expect([admitted(), access.stillAdmits(holder, 'viewer')]).toEqual([[true, false], true]);
  rules = { ...base, tokens: eva('operator', 'another-token-of-eva') };
  expect(admitted()).toEqual([true, false]);
  rules = { ...base, tokens: [] };
  expect(admitted()).toEqual([true, false]);
  rules = { requireToken: false, requestsPerSecond: 1 };
  expect(admitted()).toEqual([true, false]);
  rules = { ...base, requireToken: true };
  expect(admitted()).toEqual([false, false]);
  expect(access.tables.map(({ entries }) => entries)).toEqual([0, 0]);
});

test('right tokens cost no tries', () => {
  const access = accessBy({ token: TOKEN }, new FakeClock());
  for (let at = 0; at < 50; at += 1) access.identify(request(bearer(TOKEN), '10.0.0.1'));
  expect(access.tables).toContainEqual({ table: 'api_tries', entries: 0, limit: 4_097 });
});

test('a host that guesses from many addresses of its own network is one that guesses', () => {
  const access = accessBy({ token: TOKEN }, new FakeClock());
  const codes = Array.from({ length: 11 }, (_, at) =>
    verdict(access, request(bearer('guess'), `2001:db8:1:2::${at + 1}`)),
  );
  expect(codes.at(-1)).toBe('api.too-many-tries');
  expect(verdict(access, request(bearer('guess'), '2001:db8:1:3::1'))).toBe('api.token');
});

test('a token that asks too often waits, and nobody else does', () => {
  const clock = new FakeClock();
  const rules = { token: TOKEN, tokens: [named('eva', 'viewer', 'token-of-eva')], requestsPerSecond: 5 };
  const access = accessBy(rules, clock);
  const ask = (headers: Record<string, string>, from: string) => verdict(access, request(headers, from));
  const codes = Array.from({ length: 21 }, (_, at) => ask(bearer('token-of-eva'), `10.0.0.${at}`));
  expect([codes.lastIndexOf(undefined), codes.at(-1)]).toEqual([19, 'api.too-many-requests']);
  expect(ask(bearer(TOKEN), '10.0.0.1')).toBeUndefined();
  clock.advance(200);
  expect(ask(bearer('token-of-eva'), '10.0.0.1')).toBeUndefined();
  expect(ask(bearer('token-of-eva'), '10.0.0.1')).toBe('api.too-many-requests');
});

test('an address without a token is told too often that it needs one; this machine may go on', () => {
  const access = accessBy({ token: TOKEN, requestsPerSecond: 1 }, new FakeClock());
  const codes = Array.from({ length: 5 }, () => verdict(access, request({}, '10.0.0.1')));
  expect(codes).toEqual([...new Array<string>(4).fill('api.token'), 'api.too-many-requests']);
  const local = Array.from({ length: 50 }, () => verdict(access, request()));
  expect(new Set(local)).toEqual(new Set([undefined]));
});
