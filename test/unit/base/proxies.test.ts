import { expect, test } from 'vitest';
import { Proxies, type ProxyOptions } from '../../../src/base/proxies.ts';

const PROXY = '10.0.0.1';

function proxies(header: ProxyOptions['header'] = 'x-forwarded-for'): Proxies {
  return new Proxies({ networks: ['10.0.0.0/8', 'fd00::/8'], protocol: 'allow', header });
}

test.each([
  ['10.255.0.1', true],
  ['::ffff:10.0.0.1', true],
  ['fd12::1', true],
  ['11.0.0.1', false],
  ['fe80::1', false],
  ['10.0.0.1 ', false],
  ['proxy.example', false],
  [undefined, false],
])('%s is one of a proxy: %s', (address, isOne) => {
  expect(proxies().has(address)).toBe(isOne);
});

test.each([
  ['one that a proxy names', '203.0.113.9', '203.0.113.9'],
  ['the last that is no proxy', '1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
  ['what the client itself wrote counts for nothing', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
  ['with a port', '203.0.113.9:4711', '203.0.113.9'],
  ['IPv6 in brackets', '[2001:db8::7]:4711', '2001:db8::7'],
  ['IPv6 without', '2001:db8::7', '2001:db8::7'],
  ['IPv4 in IPv6', '::ffff:203.0.113.9', '203.0.113.9'],
  ['one inside', '10.0.0.9', '10.0.0.9'],
  ['nobody', '', PROXY],
  ['unknown', 'unknown', PROXY],
  ['what is no address ends it', '203.0.113.9, unknown, 10.0.0.2', '10.0.0.2'],
  ['what is nearly one', '203.0.113.999', PROXY],
])('of X-Forwarded-For: %s', (_what, header, asker) => {
  expect(proxies().askerOf({ 'x-forwarded-for': header }, PROXY)).toBe(asker);
});

test.each([
  ['for=203.0.113.9', '203.0.113.9'],
  ['for=203.0.113.9;proto=https;by=10.0.0.1', '203.0.113.9'],
  ['proto=https; For="[2001:db8::7]:4711"', '2001:db8::7'],
  ['for=1.1.1.1, for=203.0.113.9, for=10.0.0.2', '203.0.113.9'],
  ['for=203.0.113.9, for=_hidden', PROXY],
  ['by=203.0.113.9', PROXY],
])('of Forwarded: %s', (header, asker) => {
  expect(proxies('forwarded').askerOf({ forwarded: header }, PROXY)).toBe(asker);
});

test('of the two headers one counts, and of an address that is no proxy none', () => {
  const both = { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '203.0.113.9' };
  expect(proxies().askerOf(both, PROXY)).toBe('203.0.113.9');
  expect(proxies('forwarded').askerOf(both, PROXY)).toBe('1.1.1.1');
  expect(proxies('none').askerOf(both, PROXY)).toBe(PROXY);
  expect(proxies().askerOf(both, '192.0.2.1')).toBe('192.0.2.1');
});
