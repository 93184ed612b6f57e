import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { Decisions, MAX_DECISIONS } from '../../../src/routing/decisions.ts';
import { Prices } from '../../../src/routing/prices.ts';
import { type RouteAsk, Router } from '../../../src/routing/router.ts';
import { SESSION_MS } from '../../../src/routing/sessions.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { LIMITS, nodeView, VERSION, WEIGHTS } from '../../support/node-views.ts';

const KEY = parseStreamKey('live', 'show');
const ASK: RouteAsk = {
  ...{ kind: 'play', stream: KEY, place: { region: 'eu', zone: '' }, holders: undefined },
  ...{ door: undefined, session: undefined, bytesPerS: undefined },
};

let clock: FakeClock;
let decisions: Decisions;
let router: Router;

beforeEach(() => {
  clock = new FakeClock();
  decisions = new Decisions(() => clock.wallMs());
  let turn = 0;
  router = new Router(
    { self: 'a', weights: WEIGHTS, limits: LIMITS, prices: new Prices(), version: VERSION },
    {
      clock,
      decisions,
      random: () => {
        turn += 1;
        return (turn * 0.618_033_988) % 1;
      },
    },
  );
});

describe('a burst', () => {
  test('spreads, though the load that nodes tell is of before', () => {
    router.setNodes(['a', 'b', 'c', 'd'].map((node) => nodeView(node)));
    const counts = new Map<string, number>();
    for (let ask = 0; ask < 400; ask += 1) {
      const { node = '' } = router.route(ASK);
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(count).toBeGreaterThan(80);
    expect(counts.size).toBe(4);
  });

  test('of asks that nobody follows makes no node look full', () => {
    router.setNodes([nodeView('a', { load: { sentBytesPerS: 100_000_000 } })]);
    for (let ask = 0; ask < 10_000; ask += 1) expect(router.route(ASK).node).toBe('a');
    expect(router.unmet).toBe(0);
  });

  test('what was promised fades as beats show it', () => {
    const idle = nodeView('b', { load: { cpu: 0.02 } });
    router.setNodes([nodeView('a'), nodeView('b', { draining: true })]);
    for (let ask = 0; ask < 40; ask += 1) router.route(ASK);
    router.setNodes([nodeView('a'), idle]);
    expect(router.route(ASK).node).toBe('b');
    clock.pass(6_000);
    expect(router.route(ASK).node).toBe('a');

    router.setNodes([nodeView('a'), idle]);
    expect(router.reservationCount).toBe(2);
    clock.pass(30_000);
    router.setNodes([nodeView('a'), idle]);
    expect(router.reservationCount).toBe(0);
  });

  test('goes along with its node when nodes come and go', () => {
    router.setNodes([nodeView('a'), nodeView('b', { draining: true })]);
    for (let ask = 0; ask < 100; ask += 1) router.route(ASK);
    router.setNodes([nodeView('new', { draining: true }), nodeView('b'), nodeView('a')]);
    expect(router.route(ASK).node).toBe('b');
  });

  test('nodes that are gone are promised nothing', () => {
    router.setNodes([nodeView('a'), nodeView('b')]);
    for (let ask = 0; ask < 10; ask += 1) router.route(ASK);
    router.setNodes([nodeView('a')]);
    expect(router.reservationCount).toBe(1);
  });
});

describe('a session', () => {
  test('that comes back goes where it was, though another is better by now', () => {
    router.setNodes([nodeView('a'), nodeView('b')]);
    const { node = '' } = router.route({ ...ASK, session: 's' });
    const busy = nodeView(node, { load: { cpu: 0.8 } });
    router.setNodes([busy, nodeView(node === 'a' ? 'b' : 'a')]);
    clock.pass(60_000);

    expect(router.route({ ...ASK, session: 's' }).node).toBe(node);
    expect(router.route({ ...ASK, session: 'other' }).node).not.toBe(node);
    clock.pass(SESSION_MS);
    expect(router.route({ ...ASK, session: 's' }).node).not.toBe(node);
  });

  test('that was taken in here without being sent anywhere comes back here', () => {
    router.tookIn('s');
    router.setNodes([nodeView('a', { load: { cpu: 0.8 } }), nodeView('b')]);
    expect(router.route({ ...ASK, session: 's' }).node).toBe('a');
    expect(router.tables).toContainEqual({ table: 'routing_sessions', entries: 1, limit: 100_000 });
  });
});

describe('the record of decisions', () => {
  test('has the newest first, and those of one stream', () => {
    router.setNodes([nodeView('a')]);
    const other = parseStreamKey('live', 'other');
    router.route(ASK);
    clock.pass(5);
    router.route({ ...ASK, stream: other });

    expect(decisions.list(10).map(({ id, decision }) => [id, decision.stream])).toEqual([
      [1, other],
      [0, KEY],
    ]);
    expect(decisions.list(10, KEY)).toMatchObject([
      { atWallMs: clock.wallMs() - 5, decision: { node: 'a', why: 'the best (score 0.000)' } },
    ]);
    expect(decisions.list(1)).toHaveLength(1);
  });

  test('forgets the oldest', () => {
    for (let ask = 0; ask < MAX_DECISIONS + 3; ask += 1) router.route(ASK);
    const all = decisions.list(2 * MAX_DECISIONS);
    expect(all).toHaveLength(MAX_DECISIONS);
    expect(all[0]?.id).toBe(MAX_DECISIONS + 2);
    expect(all.at(-1)?.id).toBe(3);
    expect(decisions.count).toBe(MAX_DECISIONS + 3);
  });
});

test('a limit that a node met holds in the next view, until it is well below', () => {
  router.setNodes([nodeView('a', { load: { cpu: 0.91 } })]);
  router.setNodes([nodeView('a', { load: { cpu: 0.88 } })]);
  expect(router.ownLimit()).toBe('cpu');
  router.setNodes([nodeView('a', { load: { cpu: 0.8 } })]);
  expect(router.ownLimit()).toBeUndefined();
});

test('alternatives are the next best', () => {
  router.setNodes(['a', 'b', 'c', 'd', 'e'].map((node, at) => nodeView(node, { load: { cpu: at * 0.15 } })));
  const { node, alternatives } = router.route(ASK);
  expect(alternatives).toEqual(['a', 'b', 'c', 'd', 'e'].filter((one) => one !== node).slice(0, 3));
});
