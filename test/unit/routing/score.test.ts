import { describe, expect, test } from 'vitest';
import { isCompatible, limitOf, scoreOf, scoreParts } from '../../../src/routing/score.ts';
import { LIMITS, nodeView, VERSION, WEIGHTS } from '../../support/node-views.ts';

const POLICY = { limits: LIMITS, version: VERSION };
const NOTHING = { players: 0, bytesPerS: 0 };
const HERE = { rttMs: 0, priceShare: 0, stream: 'here' } as const;
const EU = { region: 'eu', zone: 'a' };

describe('limits', () => {
  test.each([
    [{ draining: true }, 'draining'],
    [{ version: '2.0.0' }, 'version'],
    [{ load: { cpu: 0.91 } }, 'cpu'],
    [{ load: { memory: 0.91 } }, 'memory'],
    [{ load: { sentBytesPerS: 119_000_000 } }, 'bandwidth'],
    [{ load: { loopBusy: 0.96 } }, 'loop'],
    [{ load: { loopLagMs: 501 } }, 'loop'],
    [
      { load: { cpu: 0.9, memory: 0.9, sentBytesPerS: 118_000_000, loopBusy: 0.95, loopLagMs: 500 } },
      undefined,
    ],
  ])('%o may not be chosen: %s', (changes, reason) => {
    expect(limitOf(nodeView('a', changes), POLICY, undefined)).toBe(reason);
  });

  test('a limit that was met is left 5 % below it', () => {
    expect(limitOf(nodeView('a', { load: { cpu: 0.87 } }), POLICY, 'cpu')).toBe('cpu');
    expect(limitOf(nodeView('a', { load: { cpu: 0.87 } }), POLICY, 'memory')).toBeUndefined();
    expect(limitOf(nodeView('a', { load: { cpu: 0.85 } }), POLICY, 'cpu')).toBeUndefined();
  });

  test('a node that has as many players as it may have takes none more', () => {
    const policy = { ...POLICY, limits: { ...LIMITS, players: 10 } };
    expect(limitOf(nodeView('a', { load: { players: 9 } }), policy, undefined)).toBeUndefined();
    expect(limitOf(nodeView('a', { load: { players: 10 } }), policy, undefined)).toBe('players');
  });

  test('a node of unknown capacity is taken for one of 1 Gbit/s', () => {
    const load = { capacityBytesPerS: 0, sentBytesPerS: 119_000_000 };
    expect(limitOf(nodeView('a', { load }), POLICY, undefined)).toBe('bandwidth');
  });

  test.each([
    ['1.2.0', '1.9.3', true],
    ['1.2.0', '2.0.0', false],
    ['0.1.0', '0.1.7', true],
    ['0.1.0', '0.2.0', false],
    ['dev', 'dev', true],
    ['dev', '1.0.0', false],
  ])('%s and %s understand each other: %s', (a, b, expected) => {
    expect(isCompatible(a, b)).toBe(expected);
  });
});

describe('parts of a score', () => {
  test('the busier of CPU and event loop counts', () => {
    const node = nodeView('a', { load: { cpu: 0.2, loopBusy: 0.7 } });
    expect(scoreParts(node, NOTHING, EU, HERE).cpu).toBe(0.7);
  });

  test('a promise counts as bandwidth, and as the CPU that it will take', () => {
    const node = nodeView('a', { load: { cpu: 0.2, sentBytesPerS: 12_500_000 } });
    const { cpu, bandwidth } = scoreParts(node, { players: 50, bytesPerS: 12_500_000 }, EU, HERE);

    expect(bandwidth).toBeCloseTo(0.2, 9);
    expect(cpu).toBeCloseTo(0.225, 9);
  });

  test.each([
    ['eu', 'a', 0],
    ['eu', 'b', 0.2],
    ['us', 'a', 1],
  ])('a node in %s/%s is as far from eu/a as %d', (region, zone, place) => {
    expect(scoreParts(nodeView('a', { region, zone }), NOTHING, EU, HERE).place).toBe(place);
  });

  test('who is nowhere is near to all', () => {
    const nowhere = { region: '', zone: '' };
    const { place, link } = scoreParts(nodeView('a'), NOTHING, nowhere, { ...HERE, rttMs: undefined });
    expect([place, link]).toEqual([0, 0]);
  });

  test.each([
    [0, 0],
    [100, 0.5],
    [900, 1],
    [undefined, 0.5],
  ])('a round trip of %s ms counts %d', (rttMs, link) => {
    expect(scoreParts(nodeView('a'), NOTHING, EU, { ...HERE, rttMs }).link).toBe(link);
  });

  test('the score is the weighted sum', () => {
    const parts = { cpu: 0.1, memory: 0.2, bandwidth: 0.3, place: 1, link: 0.5, price: 0.4, stream: 0.5 };
    expect(scoreOf(parts, WEIGHTS)).toBeCloseTo(0.1 + 0.1 + 0.3 + 2 + 0.25 + 0.2 + 0.15, 9);
  });
});
