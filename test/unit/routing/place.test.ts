import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NetworkRule, PlaceFinder } from '../../../src/routing/place.ts';

const NOWHERE = { region: '', zone: '' };

const RULES: readonly NetworkRule[] = [
  { network: '10.0.0.0/8', region: 'wide' },
  { network: '10.1.0.0/16', region: 'narrow' },
  { network: '10.1.2.3/32', region: 'one' },
  { network: '172.16.99.99/12', region: 'host-bits' },
  { network: '2001:db8::/32', region: 'six' },
  { network: '2001:db8:0:7::/64', region: 'six-narrow' },
  { network: '::ffff:192.0.2.0/120', region: 'mapped' },
  { network: '::/0', region: 'all-six' },
];

function regionOf(address: string | undefined, networks = RULES): string {
  const { region, from } = new PlaceFinder({ networks, node: NOWHERE }).find({
    query: new URLSearchParams(),
    headers: {},
    address,
  });
  expect(from).toBe(region === '' ? 'unknown' : 'network');
  return region;
}

describe('by its address, somebody is in the region of the smallest network that holds it', () => {
  test.each([
    ['10.200.0.1', 'wide'],
    ['10.1.0.1', 'narrow'],
    ['10.1.2.3', 'one'],
    ['10.1.2.4', 'narrow'],
    ['172.31.255.255', 'host-bits'],
    ['172.32.0.0', ''],
    ['::ffff:10.1.2.3', 'one'],
    ['::FFFF:0a01:0203', 'one'],
    ['192.0.2.255', 'mapped'],
    ['192.0.3.0', ''],
    ['2001:db8::1', 'six'],
    ['2001:DB8:0:7:1:2:3:4', 'six-narrow'],
    ['2001:db8:0:7::%eth0', 'six-narrow'],
    ['2001:db8:0:8::', 'six'],
    ['::1', 'all-six'],
    ['fe80::1%eth0', 'all-six'],
    // Everybody by IPv6 is not everybody.
    ['11.0.0.1', ''],
    ['unknown', ''],
    ['', ''],
    [undefined, ''],
  ])('%s: %s', (address, region) => {
    expect(regionOf(address)).toBe(region);
  });

  test('of IPv4 everybody, too', () => {
    expect(regionOf('8.8.8.8', [{ network: '0.0.0.0/0', region: 'all' }])).toBe('all');
    expect(regionOf('::1', [{ network: '0.0.0.0/0', region: 'all' }])).toBe('');
    expect(regionOf('8.8.8.8', [])).toBe('');
  });

  test('as one who looks at every rule would find', () => {
    const byte = fc.integer({ min: 0, max: 3 });
    const address = fc.tuple(byte, byte, byte, byte);
    const rule = fc.record({ address, length: fc.integer({ min: 0, max: 32 }) });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 20 }), address, (rules, asked) => {
        const named = rules.map(({ address: of, length }, at) => ({
          network: `${of.join('.')}/${length}`,
          region: `r${at}`,
        }));
        const bitsOf = (of: readonly number[]) =>
          of.map((part) => part.toString(2).padStart(8, '0')).join('');
        const holding = rules.flatMap(({ address: of, length }, at) =>
          bitsOf(of).slice(0, length) === bitsOf(asked).slice(0, length) ? [{ at, length }] : [],
        );
        // Of two rules for one network, which the configuration refuses, the later counts here.
        const [best] = holding.sort((a, b) => b.length - a.length || b.at - a.at);
        expect(regionOf(asked.join('.'), named)).toBe(best ? `r${best.at}` : '');
      }),
    );
  });

  test('soon, with a thousand networks', () => {
    const networks = Array.from({ length: 1_000 }, (_, at) => ({
      network:
        at % 2 === 0 ? `10.${at >> 3}.${at % 256}.0/${20 + (at % 9)}` : `2001:db8:${at}::/${40 + (at % 9)}`,
      region: `r${at}`,
    }));
    const places = new PlaceFinder({ networks, node: NOWHERE });
    const clues = { query: new URLSearchParams(), headers: {} };
    const startedMs = performance.now();
    for (let at = 0; at < 2_000; at += 1) {
      places.find({ ...clues, address: `203.0.113.${at % 256}` });
      places.find({ ...clues, address: `2001:db8:ffff:${at}::1` });
    }
    // Some microseconds each; a machine that does other things, too, may take ten times as long.
    expect((performance.now() - startedMs) / 4_000).toBeLessThan(0.1);
  });
});

describe('a place is taken', () => {
  const places = new PlaceFinder({ networks: RULES, regionHeader: 'X-Region', node: NOWHERE });
  const find = (query: string, headers: Record<string, string | string[]> = {}) =>
    places.find({ query: new URLSearchParams(query), headers, address: '10.1.0.1' });

  test.each([
    ['from the query before all else', 'region=eu&zone=eu-1', { 'x-region': 'us' }, 'eu', 'eu-1', 'query'],
    ['from the query without a zone', 'region=eu', {}, 'eu', '', 'query'],
    ['from the header that is trusted', 'zone=eu-1', { 'x-region': 'us' }, 'us', '', 'header'],
    ['from no other header', '', { region: 'us' }, 'narrow', '', 'network'],
    ['not from a query that is no label', 'region=e%20u', { 'x-region': 'us' }, 'us', '', 'header'],
    ['not from a zone that is no label', 'region=eu&zone=%0a', {}, 'eu', '', 'query'],
    ['not from a header that is no label', '', { 'x-region': 'a b' }, 'narrow', '', 'network'],
    ['not from a header that came twice', '', { 'x-region': ['us', 'eu'] }, 'narrow', '', 'network'],
    ['not from a label that is too long', `region=${'x'.repeat(65)}`, {}, 'narrow', '', 'network'],
  ])('%s', (_, query, headers, region, zone, from) => {
    expect(find(query, headers)).toEqual({ region, zone, from });
  });

  test('from no header at all if none is trusted', () => {
    const clues = { query: new URLSearchParams(), headers: { 'x-region': 'us' }, address: undefined };
    expect(new PlaceFinder({ node: NOWHERE }).find(clues)).toEqual({ region: '', zone: '', from: 'unknown' });
  });
});

test('a player that nobody can place is where this node is, as it found its way here; who asks for another is not', () => {
  const places = new PlaceFinder({ networks: RULES, node: { region: 'eu', zone: 'a' } });
  const clues = { query: new URLSearchParams(), headers: {}, address: '203.0.113.9' };

  expect(places.ofPlayer(clues)).toEqual({ region: 'eu', zone: 'a', from: 'node' });
  expect(places.find(clues).from).toBe('unknown');
  expect(places.ofPlayer({ ...clues, query: new URLSearchParams('region=us') }).from).toBe('query');
});
