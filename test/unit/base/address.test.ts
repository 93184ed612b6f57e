import { expect, test } from 'vitest';
import { addressGroup, hostOf, isAnyAddress, isLoopback, isPrivate } from '../../../src/base/address.ts';

test.each([
  ...['127.0.0.1', '127.8.0.1', '127.1', '::1', '[::1]', '0:0:0:0:0:0:0:1'],
  ...['::ffff:127.0.0.1', '[::FFFF:127.0.0.1]', '::ffff:7f00:1', '0:0:0:0:0:ffff:7f00:1'],
  ...['localhost', 'LOCALHOST', 'localhost.', 'cam.localhost'],
])('%s is the machine itself', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each([
  ...['10.0.0.7', '1.127.0.1', '127.example.com', '0.0.0.0', '::', '[::]', '2001:db8::1', '::1:1', '::11'],
  ...['::ffff:10.0.0.7', '::ffff:7f:1', 'localhost.example.com', 'notlocalhost', ''],
])('%s is not', (host) => {
  expect(isLoopback(host)).toBe(false);
});

test.each([
  ...['10.0.0.7', '172.16.0.1', '172.31.255.1', '192.168.1.1', '169.254.3.4', '100.64.0.1', '100.127.9.9'],
  ...['::ffff:10.0.0.7', 'fd00::1', '[fc12:3::4]', 'fe80::1', 'FEBF::1'],
])('%s is an address of a network of its own', (host) => {
  expect(isPrivate(host)).toBe(true);
});

test.each([
  ...['11.0.0.7', '172.15.0.1', '172.32.0.1', '192.169.1.1', '100.63.0.1', '100.128.0.1', '203.0.113.9'],
  ...['10.example.com', 'fd.example.com', '2001:db8::1', 'fec0::1', '127.0.0.1', ''],
])('%s is none', (host) => {
  expect(isPrivate(host)).toBe(false);
});

test('a door at 0.0.0.0 or :: listens on every address', () => {
  expect(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'].every(isAnyAddress)).toBe(true);
  expect(['127.0.0.1', '::1', '10.0.0.0', 'localhost', ''].some(isAnyAddress)).toBe(false);
});

test('the host of an address is what stands before the port', () => {
  expect(['a:1', '10.0.0.7:7935', '[::1]:7935'].map(hostOf)).toEqual(['a', '10.0.0.7', '[::1]']);
});

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::FFFF:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:5::', '2001:db8:0:0::/64'],
  ['2001:0db8:0001::9', '2001:db8:1:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s is of %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
