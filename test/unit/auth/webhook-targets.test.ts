import { describe, expect, test } from 'vitest';
import { isAddressOrNetwork } from '../../../src/auth/networks.ts';
import { WebhookTargets } from '../../../src/auth/webhook-targets.ts';

const targets = new WebhookTargets([]);

describe('a webhook does not go to', () => {
  test.each([
    ['this machine', '127.0.0.1'],
    ['this machine, by another of its addresses', '127.255.255.254'],
    ['any address', '0.0.0.0'],
    ['the metadata of a cloud', '169.254.169.254'],
    ['the metadata of a cloud by IPv6', 'fd00:ec2::254'],
    ['the metadata of a cloud, mapped', '::ffff:169.254.169.254'],
    ['the same in hexadecimal', '::ffff:a9fe:a9fe'],
    ['the same written out', '0:0:0:0:0:FFFF:A9FE:A9FE'],
    ['the same in brackets', '[::ffff:a9fe:a9fe]'],
    ['the same, IPv4-compatible', '::a9fe:a9fe'],
    ['the same by NAT64', '64:ff9b::a9fe:a9fe'],
    ['the same by local NAT64', '64:ff9b:1::a9fe:a9fe'],
    ['the same by 6to4', '2002:a9fe:a9fe::1'],
    ['Teredo', '2001:0:a9fe:a9fe::1'],
    ['what Azure tells its machines', '168.63.129.16'],
    ['the same, mapped', '::ffff:168.63.129.16'],
    ['a private network', '10.0.0.1'],
    ['a private network', '172.31.255.255'],
    ['a private network', '192.168.1.1'],
    ['the network of a carrier', '100.64.0.1'],
    ['a network of benchmarks', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['this machine by IPv6', '::1'],
    ['any address of IPv6', '::'],
    ['one link', 'fe80::1'],
    ['one link, with its zone', 'fe80::1%eth0'],
    ['unique local', 'fc00::1'],
    ['multicast of IPv6', 'ff02::1'],
    ['an example', '2001:db8::1'],
    ['what is no address', 'localhost'],
    ['a number', '2130706433'],
    ['octal', '0177.0.0.1'],
    ['nothing', ''],
  ])('%s: %s', (_what, address) => {
    expect(targets.allows(address)).toBe(false);
  });
});

test('it goes to public addresses, and to networks that are listed', () => {
  for (const address of [
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '168.63.129.17',
    '2606:4700::1111',
    '::ffff:1.1.1.1',
  ]) {
    expect(targets.allows(address), address).toBe(true);
  }
  const listed = new WebhookTargets(['127.0.0.0/8', 'fd00:1::/32']);
  expect(['127.0.0.1', '::ffff:127.0.0.1', 'fd00:1::7'].every((address) => listed.allows(address))).toBe(
    true,
  );
  expect(
    ['10.0.0.1', '169.254.169.254', 'fd00:ec2::254', '::1'].some((address) => listed.allows(address)),
  ).toBe(false);
});

test('networks are written in one form only', () => {
  for (const text of ['10.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32', '0.0.0.0/0']) {
    expect(isAddressOrNetwork(text), text).toBe(true);
  }
  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    'fe80::1%1',
    '::ffff:1.1.1.1',
    '/8',
    '',
  ]) {
    expect(isAddressOrNetwork(text), text).toBe(false);
  }
});
