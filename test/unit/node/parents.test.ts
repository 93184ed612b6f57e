// What this node knows of others as parents of a stream.
import { beforeEach, expect, test } from 'vitest';
import type { Candidate } from '../../../src/mesh/candidates.ts';
import { Parents } from '../../../src/node/parents.ts';
import { regionRtts } from '../../../src/node/region-rtts.ts';
import { MAX_RTT_REGIONS } from '../../../src/registry/records.ts';
import type { NodeRecord } from '../../../src/registry/registry.ts';
import { Prices } from '../../../src/routing/prices.ts';
import { nodeRecord } from '../../support/node-record.ts';

const records = new Map<string, NodeRecord>();
const links = new Map<string, { rttMs: number; lossShare: number }>();
const prices = new Prices([{ from: 'us', to: 'eu', price: 0.2 }]);
let parents: Parents;

beforeEach(() => {
  records.clear();
  links.clear();
  records.set('us1', nodeRecord('us1', { region: 'us' }));
  records.set('eu1', nodeRecord('eu1', { region: 'eu' }));
  parents = new Parents(
    { node: 'me', region: 'eu', prices },
    {
      record: (node) => records.get(node),
      quality: (node) => links.get(node),
      rttMs: (from, to) => (from === 'eu' && to === 'us' ? 88 : undefined),
    },
  );
});

const candidate = (node: string, upstream?: string): Candidate => {
  return { node, epoch: 1, hops: upstream === undefined ? 0 : 1, upstream, isOld: false };
};

test('a parent has the round trip and the loss of the link to it', () => {
  links.set('us1', { rttMs: 95, lossShare: 0.1 });
  expect(parents.of(candidate('us1'))).toEqual({
    ...{ node: 'us1', region: 'us', hops: 0, pricePaid: 0, rttMs: 95, lossShare: 0.1 },
    ...{ busy: 0, isDraining: false },
  });
});

test('without a link the round trip is what is usual between the regions; within one nobody knows', () => {
  expect(parents.of(candidate('us1')).rttMs).toBe(88);
  expect(parents.of(candidate('eu1')).rttMs).toBeUndefined();
});

test('it pays for the stream what the way from its own parent costs', () => {
  expect(parents.of(candidate('eu1', 'us1')).pricePaid).toBe(0.2);
  expect(parents.of(candidate('us1', 'eu1')).pricePaid).toBe(0);
  expect(parents.of(candidate('eu1', 'me')).pricePaid).toBe(0);
});

test('its load and its drain are of its record', () => {
  const { load } = nodeRecord('eu1');
  records.set('eu1', nodeRecord('eu1', { region: 'eu', draining: true, load: { ...load, cpu: 0.8 } }));
  expect(parents.of(candidate('eu1'))).toMatchObject({ busy: 0.8, isDraining: true });
});

test('one that nobody knows anything of is as usual; the region of one that beat before is remembered', () => {
  expect(parents.of(candidate('x', 'y'))).toEqual({
    ...{ node: 'x', region: '', hops: 1, pricePaid: 0, rttMs: undefined, lossShare: 0 },
    ...{ busy: 0, isDraining: false },
  });
  parents.of(candidate('us1'));
  records.clear();
  expect(parents.of(candidate('us1')).region).toBe('us');
});

test('a node tells the median of its links into each other region', () => {
  const rtts = regionRtts('eu', [
    ...[90.04, 70, 300].map((rttMs) => ({ region: 'us', rttMs })),
    { region: 'ap', rttMs: 200.26 },
    { region: 'eu', rttMs: 1 },
    { region: '', rttMs: 1 },
  ]);
  expect(rtts).toEqual({ us: 90, ap: 200.3 });
});

test('of too many regions the nearest are told', () => {
  const many = Array.from({ length: 50 }, (_, at) => ({ region: `r${at}`, rttMs: 100 - at }));
  const rtts = regionRtts('eu', many);
  expect(Object.keys(rtts)).toHaveLength(MAX_RTT_REGIONS);
  expect(rtts.r49).toBe(51);
  expect(rtts.r0).toBeUndefined();
});
