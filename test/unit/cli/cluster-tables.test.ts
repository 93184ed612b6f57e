import { expect, test } from 'vitest';
import { nodesText, streamsText } from '../../../src/cli/cluster-tables.ts';
import type { NodeRow } from '../../../src/http/forms/nodes.ts';
import type { ReplicaRow, StreamRow, StreamsAnswer } from '../../../src/http/forms/streams.ts';

const ENVELOPE = { node: 'b', registry: 'up', asOf: '2026-01-01T00:02:00.000Z' } as const;
const LOAD = {
  cpu: 0,
  memory: 0,
  loopBusy: 0,
  loopLagMs: 0,
  sentBytesPerS: 0,
  receivedBytesPerS: 0,
  capacityBytesPerS: 0,
  publishers: 0,
  players: 0,
  streams: 0,
  alarms: 0,
};

function nodeRow(node: string, fields: Partial<NodeRow> = {}): NodeRow {
  return {
    ...{ node, boot: '0'.repeat(16), host: 'h', version: '1.2.3', region: '', zone: '', draining: false },
    ...{ tags: [], rtmpInternal: '', httpInternal: '', rttMs: {} },
    ...{ mesh: [], rtmp: '', http: '', load: LOAD, leaseMs: 3000, self: false, link: null },
    ...fields,
  };
}

function replica(node: string, upstream: string, hops: number): ReplicaRow {
  return { node, upstream, hops, epoch: 4096 };
}

const ORIGIN = {
  node: 'a',
  epoch: 4096,
  state: 'live',
  reason: 'publish',
  since: '2026-01-01T00:00:00.000Z',
} as const;

function streamRow(fields: Partial<StreamRow>): StreamRow {
  return {
    ...{ key: 'live/show', origin: ORIGIN, replicas: [], backup: null, here: null, players: 0 },
    ...{ bitsPerS: null, frameRate: null, video: null, audio: null, history: null },
    ...fields,
  };
}

function shown(...streams: StreamRow[]): string[] {
  const cut = { stale: [], total: streams.length, truncated: false, limit: 1000 };
  const answer: StreamsAnswer = { ...ENVELOPE, ...cut, streams };
  return streamsText(answer).trimEnd().split('\n');
}

/** The tree alone: the column of nodes. */
function treeOf(...replicas: ReplicaRow[]): string[] {
  const [head = '', ...lines] = shown(streamRow({ replicas }));
  const [from, to] = [head.indexOf('NODE'), head.indexOf('ROLE')];
  return lines.map((line) => line.slice(from, to).trimEnd());
}

test('nodes are shown with their state, their link, their load and their addresses', () => {
  const link = {
    ...{ rttMs: 0.42, rttDevMs: 0.1, offsetMs: 5 },
    ...{ lossShare: 0, receivedBytesPerS: 1, sentBytesPerS: 2 },
    dialledBy: 'a',
  };
  const busy = { cpu: 0.123, loopBusy: 0.456, sentBytesPerS: 156_250_000, players: 40, streams: 2 };
  const nodes = [
    nodeRow('a', { leaseMs: null, self: true, load: { ...LOAD, ...busy } }),
    nodeRow('bb', { link, mesh: ['10.0.0.2:7935', 'x:1'], http: '10.0.0.2:8080', region: 'eu', zone: '1' }),
    nodeRow('c', {
      draining: true,
      load: { ...LOAD, sentBytesPerS: 43_000 },
      link: { ...link, rttMs: null },
      zone: '2',
    }),
    nodeRow('d', { leaseMs: 0 }),
  ];
  expect(
    nodesText({ ...ENVELOPE, nodes })
      .trimEnd()
      .split('\n'),
  ).toEqual([
    'NODE  STATE     LINK       STREAMS  PLAYERS   CPU  LOOP          OUT  PLACE  MESH           HTTP           VERSION',
    'a     up        this node        2       40  12 %  46 %  1250 Mbit/s  -      -              -              1.2.3',
    'bb    up        0.4 ms           0        0   0 %   0 %   0.0 Mbit/s  eu/1   10.0.0.2:7935  10.0.0.2:8080  1.2.3',
    'c     draining  linked           0        0   0 %   0 %   0.3 Mbit/s  2      -              -              1.2.3',
    'd     silent    -                0        0   0 %   0 %   0.0 Mbit/s  -      -              -              1.2.3',
  ]);
});

test('a stream is its origin, and below it each replica under the node that it pulls from', () => {
  const here = {
    role: 'replica',
    state: 'live',
    epoch: 4096,
    hops: 1,
    upstream: 'a',
  } as const;
  const lines = shown(
    streamRow({
      replicas: [replica('b', 'a', 1), replica('d', 'a', 1), replica('c', 'b', 2)],
      here: { ...here, path: ['a', 'b'], players: 3, children: 1, standby: 'd' },
      backup: { node: 'e' },
    }),
    streamRow({ key: 'live/held', origin: { ...ORIGIN, state: 'held', reason: 'failover', since: null } }),
  );
  expect(lines).toEqual([
    'STREAM     NODE   ROLE               STATE  EPOCH  HOPS  SINCE  PLAYERS',
    'live/show  a      origin             live    4096     0    2 m',
    '           ├ b    replica                    4096     1               3',
    '           │ └ c  replica                    4096     2',
    '           └ d    replica                    4096     1',
    '           e      backup',
    'live/held  a      origin (failover)  held    4096     0',
  ]);
});

test('players of the node that answers are shown at the origin, too', () => {
  const here = { role: 'origin', state: 'live', epoch: 4096, hops: 0, upstream: null } as const;
  const lines = shown(
    streamRow({
      origin: { ...ORIGIN, node: 'b' },
      here: { ...here, path: ['b'], players: 7, children: 0, standby: null },
    }),
  );
  expect(lines[1]).toMatch(/^live\/show {2}b .* 7$/);
});

test('a replica that the registry does not list is shown if it is the one that answers', () => {
  const here = { role: 'replica', state: 'held', epoch: 4096, hops: null, upstream: null } as const;
  const lines = shown(
    streamRow({ origin: null, here: { ...here, path: [], players: 1, children: 0, standby: null } }),
  );
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/^live\/show {2}- +no origin$/),
    expect.stringMatching(/^ +b +replica +held +4096 +1$/),
  ]);
});

test('a replica of a node that nobody lists stands below the origin', () => {
  expect(treeOf(replica('b', 'gone', 3), replica('c', 'b', 4))).toEqual(['a', '└ b', '  └ c']);
});

test('replicas that name each other are shown once each, and end', () => {
  expect(treeOf(replica('b', 'c', 2), replica('c', 'b', 2)).sort()).toEqual(['a', '  └ c', '└ b'].sort());
  expect(treeOf(replica('b', 'b', 2))).toEqual(['a', '└ b']);
});

test('a long chain of replicas does not end the program', () => {
  const chain = Array.from({ length: 1024 }, (_, at) =>
    replica(`n${at + 1}`, at === 0 ? 'a' : `n${at}`, at + 1),
  );
  expect(treeOf(...chain)).toHaveLength(1025);
});

test('without streams it says so', () => {
  expect(shown()).toEqual(['no streams']);
});
