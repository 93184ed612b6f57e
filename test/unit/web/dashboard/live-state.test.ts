// What the page knows by what it was told.
import { describe, expect, test } from 'vitest';
import type { NodeRow } from '../../../../src/http/forms/nodes.ts';
import {
  EMPTY,
  FRESH_MS,
  isStale,
  type LiveEvent,
  type LiveState,
  lastingAlarms,
  liveEvent,
  told,
} from '../../../../web/dashboard/live-state.ts';
import { alarmOf, eventOf, MadeUpCluster } from '../../../support/made-up-cluster.ts';

const asOf = '2026-01-01T00:00:00Z';

function reached(...events: LiveEvent[]): LiveState {
  return events.reduce((state, event) => told(state, event, 5000), EMPTY);
}

function row(node: string, players = 0): NodeRow {
  const [made] = MadeUpCluster.rows(1);
  if (!made) throw new Error('no row');
  return { ...made, node, load: { ...made.load, players } };
}

const hello: LiveEvent = { name: 'hello', data: { node: 'a', version: '1', asOf } };
const nodes = (changed: NodeRow[], gone: string[] = []): LiveEvent => ({
  name: 'nodes',
  data: { asOf, changed, gone },
});

test('only events that are known, and are JSON, are taken', () => {
  expect(liveEvent('hello', '{"node":"a"}')).toEqual({ name: 'hello', data: { node: 'a' } });
  for (const [name, text] of [
    ['message', '{}'],
    ['toString', '{}'],
    ['__proto__', '{}'],
    ['status', '{'],
  ]) {
    expect(liveEvent(name ?? '', text ?? '')).toBeUndefined();
  }
});

describe('nodes', () => {
  test('those that changed are put in the place of what was known, and those that are gone are taken away', () => {
    const state = reached(hello, nodes([row('a'), row('b'), row('c')]), nodes([row('b', 7)], ['c', 'never']));
    expect([...state.nodes.values()].map(({ node, load }) => [node, load.players])).toEqual([
      ['a', 0],
      ['b', 7],
    ]);
  });

  test('after a new connection the first are all: who was not told again is gone', () => {
    const before = reached(hello, nodes([row('a'), row('b')]));
    const reconnected = told(before, hello, 6000);
    expect([...reconnected.nodes.keys()]).toEqual(['a', 'b']);
    expect([...told(reconnected, nodes([row('b')]), 6000).nodes.keys()]).toEqual(['b']);
  });

  test('each status makes a sample of each node, and of what is gone none is kept', () => {
    const status = { name: 'status', data: {} } as LiveEvent;
    let state = reached(hello, nodes([row('a', 1), row('b', 2)]), status, nodes([row('a', 3)], ['b']));
    for (let second = 0; second < 200; second += 1) state = told(state, status, 5000);
    expect([...state.loads.keys()]).toEqual(['a']);
    expect(state.loads.get('a')).toHaveLength(120);
    expect(state.loads.get('a')?.at(-1)?.players).toBe(3);
  });
});

describe('alarms', () => {
  test('of a node that was started anew, and counts from the beginning, are none of those that it had', () => {
    const alarm = alarmOf('live/a', '1');
    const state = reached(
      { name: 'alarm', data: { ...alarm, until: asOf } },
      { name: 'alarm', data: { ...alarm, since: '2026-01-02T00:00:00Z' } },
    );
    expect([...state.alarms.values()].map(({ until }) => until)).toEqual([asOf, null]);
  });

  test('one that ends is kept with its end, and those of two nodes with one id are two', () => {
    const alarm = alarmOf('live/a', '1');
    const state = reached(
      hello,
      { name: 'alarm', data: alarm },
      { name: 'alarm', data: { ...alarm, node: 'other' } },
      { name: 'alarm', data: { ...alarm, until: asOf } },
    );
    expect(lastingAlarms(state.alarms).map(({ node }) => node)).toEqual(['other']);
    expect(state.alarms.size).toBe(2);
  });

  test('one that ended while nobody listened lasts no more after a new connection', () => {
    const state = reached(
      hello,
      { name: 'alarm', data: alarmOf('live/a', '1') },
      { name: 'alarm', data: { ...alarmOf('live/a', '2'), until: asOf } },
      hello,
    );
    expect(lastingAlarms(state.alarms)).toEqual([]);
    expect(state.alarms.size).toBe(1);
  });

  test('the newest are kept when there are too many', () => {
    const many = Array.from(
      { length: 600 },
      (_, at): LiveEvent => ({
        name: 'alarm',
        data: alarmOf('live/a', String(at)),
      }),
    );
    const ids = [...reached(hello, ...many).alarms.values()].map(({ id }) => id);
    expect(ids).toHaveLength(500);
    expect([ids[0], ids.at(-1)]).toEqual(['100', '599']);
  });
});

test('events are kept newest first, within a bound', () => {
  const many = Array.from(
    { length: 600 },
    (_, at): LiveEvent => ({
      name: 'event',
      data: eventOf(at, 'play.start'),
    }),
  );
  const { events } = reached(hello, ...many);
  expect(events).toHaveLength(500);
  expect(events[0]?.id).toBe(599);
});

test('what was told is stale once nothing more came for a while, and what never was is', () => {
  expect(isStale(EMPTY, 0)).toBe(true);
  const state = told(EMPTY, hello, 10_000);
  expect(isStale(state, 10_000 + FRESH_MS)).toBe(false);
  expect(isStale(state, 10_001 + FRESH_MS)).toBe(true);
});
