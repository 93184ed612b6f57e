import { expect, test } from 'vitest';
import { hostOf, isAnyAddress, isLoopback } from '../../../src/base/address.ts';

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

test('a door at 0.0.0.0 or :: listens on every address', () => {
  expect(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'].every(isAnyAddress)).toBe(true);
  expect(['127.0.0.1', '::1', '10.0.0.0', 'localhost', ''].some(isAnyAddress)).toBe(false);
});

test('the host of an address is what stands before the port', () => {
  expect(['a:1', '10.0.0.7:7935', '[::1]:7935'].map(hostOf)).toEqual(['a', '10.0.0.7', '[::1]']);
});
