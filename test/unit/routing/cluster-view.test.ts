import { expect, test } from 'vitest';
import { ClusterView } from '../../../src/routing/cluster-view.ts';
import { LIMITS, nodeView, VERSION, WEIGHTS } from '../../support/node-views.ts';

const OPTIONS = { weights: WEIGHTS, limits: LIMITS, version: VERSION };

test('the way between two regions is the median of what nodes of either tell', () => {
  const view = new ClusterView(
    [
      nodeView('a', { rttMs: { us: 80 } }),
      nodeView('b', { rttMs: { us: 500 } }),
      nodeView('c', { rttMs: { us: 90 } }),
      nodeView('d', { region: 'us', rttMs: { ap: 150 } }),
      nodeView('e', { region: 'ap' }),
    ],
    OPTIONS,
  );

  expect(view.rttMs('eu', 'us')).toBe(90);
  expect(view.rttMs('us', 'eu')).toBe(90);
  expect(view.rttMs('ap', 'us')).toBe(150);
  expect(view.rttMs('eu', 'ap')).toBeUndefined();
  expect(view.rttMs('eu', 'eu')).toBe(0);
});

test('nodes are found by their id, and regions by their nodes', () => {
  const view = new ClusterView([nodeView('a'), nodeView('b', { region: 'us' })], OPTIONS);
  expect(view.get('b')?.view.region).toBe('us');
  expect(view.get('c')).toBeUndefined();
  expect(view.placeOf('b')).toBe(1);
  expect([view.hasRegion('us'), view.hasRegion('ap')]).toEqual([true, false]);
});
