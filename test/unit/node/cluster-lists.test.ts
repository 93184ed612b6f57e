import { beforeEach, describe, expect, test } from 'vitest';
import type { AlarmRow, EventRow } from '../../../src/http/forms/alarms.ts';
import type { StaleNode } from '../../../src/http/forms/common.ts';
import { MAX_ROWS, type QuestionArgs, type QuestionKind } from '../../../src/http/forms/questions.ts';
import type { SessionRow } from '../../../src/http/forms/sessions.ts';
import type { TrafficRow } from '../../../src/http/forms/traffic.ts';
import type { NodesTold } from '../../../src/node/cluster-ask.ts';
import { ClusterLists } from '../../../src/node/cluster-lists.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const ENVELOPE = { node: 'a', registry: 'up', asOf: '2026-01-01T00:00:00.000Z' } as const;

let clock: FakeClock;
let rows: unknown[];
let total: number | undefined;
let stale: StaleNode[];
let asked: string[];
let lists: ClusterLists;

beforeEach(() => {
  clock = new FakeClock();
  [rows, total, stale, asked] = [[], undefined, [], []];
  const answer = async <K extends QuestionKind>(): Promise<NodesTold<K>> => {
    return { rows: rows as NodesTold<K>['rows'], total: total ?? rows.length, stale };
  };
  lists = new ClusterLists({
    ...{ clock, node: 'a', envelope: () => ENVELOPE, trafficWindowMs: 3_600_000 },
    ask: {
      all: <K extends QuestionKind>(kind: K, args: QuestionArgs<K>) => {
        asked.push(`all ${kind} ${JSON.stringify(args)}`);
        return answer<K>();
      },
      some: <K extends QuestionKind>(nodes: readonly string[], kind: K, args: QuestionArgs<K>) => {
        asked.push(`${nodes} ${kind} ${JSON.stringify(args)}`);
        return answer<K>();
      },
    },
  });
});

function at(second: number): string {
  return new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString();
}

function session(id: string, second: number): SessionRow {
  return { id, node: 'b', since: at(second) } as SessionRow;
}

test('sessions of all nodes are told newest first, as many as are wanted, with how many there are', async () => {
  rows = [session('old', 1), session('new', 3), session('mid', 2)];
  total = 7;
  stale = [{ node: 'c', why: 'no-answer' }];
  const answer = await lists.sessions({ kind: 'player', limit: 2 }, 'r');
  expect(answer).toMatchObject({ ...ENVELOPE, stale, total: 7, truncated: true });
  expect(answer.sessions.map(({ id }) => id)).toEqual(['new', 'mid']);
  expect(asked).toEqual(['all sessions {"kind":"player","limit":2}']);
  await lists.sessions({ node: 'b', state: 'ended', limit: 2 }, 'r');
  expect(asked[1]).toBe('b sessions {"state":"ended","limit":2}');
});

test('the same question within half a second is asked once; an order to end somebody always is', async () => {
  await Promise.all([lists.links({}, 'r'), lists.links({}, 'r')]);
  await lists.links({ node: 'b' }, 'r');
  expect(asked).toEqual(['all links {}', 'b links {}']);
  clock.advance(500);
  await lists.links({}, 'r');
  expect(asked.length).toBe(3);
  await Promise.all([lists.kick('abcd', 'r'), lists.kick('abcd', 'r')]);
  expect(asked.slice(3)).toEqual(['all kick {"id":"abcd"}', 'all kick {"id":"abcd"}']);
});

test('an id that no node could have made is nobody, and no node is asked for it', async () => {
  for (const id of ['abc', 'ABCD', '', 'x'.repeat(33), '<script>']) {
    expect(await lists.session(id, 'r')).toEqual({ session: undefined, stale: [] });
    expect(await lists.kick(id, 'r')).toEqual({ session: undefined, stale: [] });
  }
  expect(asked).toEqual([]);
});

test('a session that nobody has is told with who did not answer', async () => {
  stale = [{ node: 'c', why: 'no-link' }];
  expect(await lists.session('abcd', 'r')).toEqual({ session: undefined, stale: ['c'] });
});

test('alarms that last come before those that ended, each newest first', async () => {
  const alarm = (id: string, since: number, until: number | null) => {
    return { id, since: at(since), until: until === null ? null : at(until) } as AlarmRow;
  };
  rows = [alarm('e1', 1, 9), alarm('l1', 2, null), alarm('e2', 3, 8), alarm('l2', 4, null)];
  total = 4;
  const { alarms, ...head } = await lists.alarms({ limit: 3 }, 'r');
  expect(alarms.map(({ id }) => id)).toEqual(['l2', 'l1', 'e1']);
  expect(head).toMatchObject({ total: 4, truncated: true });
});

test('events of all nodes are told newest first, those of one moment by their ids', async () => {
  const event = (id: number, second: number) => ({ id, node: 'b', time: at(second) }) as EventRow;
  rows = [event(5, 1), event(9, 2), event(7, 1)];
  total = 3;
  const { events, ...head } = await lists.events({ limit: 10 }, 'r');
  expect(events.map(({ id }) => id)).toEqual([9, 7, 5]);
  expect(head).toMatchObject({ total: 3, truncated: false });
});

test('decisions are those of this node, unless those of all are asked for', async () => {
  await lists.decisions({ scope: 'node', limit: 50 }, 'r');
  await lists.decisions({ scope: 'cluster', limit: 50 }, 'r');
  expect(asked).toEqual(['a decisions {"limit":50}', 'all decisions {"limit":50}']);
});

describe('traffic', () => {
  const line = (fields: Partial<TrafficRow>): TrafficRow => ({
    ...{ node: 'a', stream: 'live/x', protocol: 'mesh', direction: 'out', region: 'us', ownRegion: 'eu' },
    ...{ bytes: 10, windowBytes: 1, cost: 0.5, windowCost: 0.25, ...fields },
  });

  beforeEach(() => {
    rows = [
      line({}),
      line({ stream: 'live/y', windowBytes: 5 }),
      line({ node: 'b', region: 'eu', cost: 0, windowCost: 0 }),
      line({ node: 'b', direction: 'in', region: null, protocol: 'rtmp', bytes: 100, windowBytes: 50 }),
    ];
  });

  test('is summed up by what is asked for, the most of the window first', async () => {
    const told = async (by: 'node' | 'stream' | 'protocol' | 'regions' | 'all') => {
      const { rows: sums } = await lists.traffic({ by, limit: 10 }, 'r');
      return sums.map(({ bytes, windowBytes, cost, windowCost, ...names }) => [
        Object.values(names).map(String).join(' '),
        ...[bytes, windowBytes, cost, windowCost],
      ]);
    };
    expect(await told('node')).toEqual([
      ['b eu in', 100, 50, 0.5, 0.25],
      ['a eu out', 20, 6, 1, 0.5],
      ['b eu out', 10, 1, 0, 0],
    ]);
    expect(await told('stream')).toEqual([
      ['live/x in', 100, 50, 0.5, 0.25],
      ['live/y out', 10, 5, 0.5, 0.25],
      ['live/x out', 20, 2, 0.5, 0.25],
    ]);
    expect((await told('protocol')).map(([names, bytes]) => [names, bytes])).toEqual([
      ['rtmp in', 100],
      ['mesh out', 30],
    ]);
    expect((await told('regions')).map(([names, bytes]) => [names, bytes])).toEqual([
      ['eu null in', 100],
      ['eu us out', 20],
      ['eu eu out', 10],
    ]);
    expect((await told('all')).length).toBe(4);
  });

  test('is asked whole, and cut behind the sum', async () => {
    const answer = await lists.traffic({ by: 'all', stream: undefined, limit: 1 }, 'r');
    expect(answer).toMatchObject({ windowMs: 3_600_000, by: 'all', total: 4, truncated: true });
    expect(answer.rows.length).toBe(1);
    expect(asked).toEqual([`all traffic {"limit":${MAX_ROWS}}`]);
  });
});
