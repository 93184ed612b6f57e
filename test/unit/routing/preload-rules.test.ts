import { describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import {
  type AimFacts,
  aimsOfRule,
  nodesFor,
  preloadRuleOf,
  wantsStandby,
} from '../../../src/routing/preload-rules.ts';

test('the first rule that matches counts', () => {
  const rules = [
    { match: 'live/vip*', regions: ['eu', 'us'], copies: 2 },
    { match: 'live/*', regions: ['eu'], copies: 1 },
  ];
  expect(preloadRuleOf(parseStreamKey('live', 'vip1'), rules)).toBe(rules[0]);
  expect(preloadRuleOf(parseStreamKey('live', 'other'), rules)).toBe(rules[1]);
  expect(preloadRuleOf(parseStreamKey('test', 'vip1'), rules)).toBeUndefined();
});

test('the origin is a copy in its own region', () => {
  const rule = (copies: number) => ({ match: '*', regions: ['eu', 'us'], copies });
  expect(aimsOfRule(rule(1), 'eu')).toEqual([{ region: 'us', copies: 1 }]);
  expect(aimsOfRule(rule(3), 'eu')).toEqual([
    { region: 'eu', copies: 2 },
    { region: 'us', copies: 3 },
  ]);
});

describe('nodes for an aim', () => {
  const choosing = (order: readonly string[]) => (except: ReadonlySet<string>) =>
    order.find((node) => !except.has(node));
  const facts = (changes: Partial<AimFacts>): AimFacts => ({
    ...{ asked: [], holders: [], except: [], isFit: () => true, choose: choosing(['a', 'b', 'c', 'd']) },
    ...changes,
  });
  const aim = (copies: number) => ({ region: 'us', copies });

  test('who was asked stays, then who has it anyway, then others', () => {
    expect(nodesFor(aim(3), facts({ asked: ['d'], holders: ['c', 'd'] }))).toEqual(['d', 'c', 'a']);
    expect(nodesFor(aim(1), facts({ asked: ['d'], holders: ['c'] }))).toEqual(['d']);
    expect(nodesFor(aim(1), facts({ asked: ['d', 'c'] }))).toEqual(['d']);
  });

  test('who is not fit, or excepted, is none of them, by whatever way', () => {
    const isFit = (node: string) => node !== 'c';
    expect(nodesFor(aim(4), facts({ asked: ['c'], holders: ['a'], except: ['a'], isFit }))).toEqual([
      'b',
      'd',
    ]);
  });

  test('fewer than asked for, if there are no more, or the same one is named again', () => {
    expect(nodesFor(aim(9), facts({}))).toEqual(['a', 'b', 'c', 'd']);
    expect(nodesFor(aim(2), facts({ choose: () => 'a' }))).toEqual(['a']);
    expect(nodesFor(aim(2), facts({ choose: () => undefined }))).toEqual([]);
  });
});

test('a standby comes at the threshold, and goes when players are fewer than half', () => {
  expect([99, 100].map((players) => wantsStandby(players, 100, false))).toEqual([false, true]);
  expect([49, 50].map((players) => wantsStandby(players, 100, true))).toEqual([false, true]);
  expect(wantsStandby(1_000_000, 0, false)).toBe(false);
  expect(wantsStandby(1_000_000, 0, true)).toBe(false);
});
