import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { Slices } from '../../../src/base/slices.ts';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import type { StreamsQuery } from '../../../src/http/cluster-api.ts';
import type { StaleNode } from '../../../src/http/forms/common.ts';
import type { LinkRow } from '../../../src/http/forms/nodes.ts';
import type { QuestionArgs, QuestionKind } from '../../../src/http/forms/questions.ts';
import type { NodeStream } from '../../../src/http/forms/streams.ts';
import type { AskNodes, NodesTold } from '../../../src/node/cluster-ask.ts';
import { ClusterState, LOOKUPS_AT_ONCE, MAX_REPLICA_ROWS } from '../../../src/node/cluster-state.ts';
import { FRESH_MS } from '../../../src/node/shared-looks.ts';
import type {
  Lookup,
  NodeRecord,
  NodeSeen,
  OriginRecord,
  ReplicaRecord,
} from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { nodeRecord } from '../../support/node-record.ts';
import { settle } from '../../support/settle.ts';
import { OPEN_HINT } from '../../support/state-answers.ts';

const BOOT = '0123456789abcdef';
const WALL_MS = Date.UTC(2026, 0, 1);
const SINCE = '2026-01-01T00:00:00.000Z';

function keyOf(name: string): StreamKey {
  return parseStreamKey('live', name);
}

function recordOf(node: string): NodeRecord {
  return nodeRecord(node, { boot: BOOT, mesh: [`${node}:7935`], region: 'eu' });
}

function originOf(node: string): OriginRecord {
  const fixed = {
    publisher: 'p',
    reason: 'publish',
    state: 'live',
    sinceWallMs: WALL_MS,
    leaseMs: 9000,
  } as const;
  return { node, boot: BOOT, epoch: 4096, ...fixed };
}

function replicaOf(node: string, upstream: string, hops: number): ReplicaRecord {
  return { node, boot: BOOT, epoch: 4096, hops, upstream, leaseMs: 9000 };
}

/** A registry of made-up streams, which counts, and answers when it is told to. */
class FakeRegistry {
  state = 'up';
  keys: StreamKey[] = [];
  readonly found = new Map<StreamKey, Partial<Lookup>>();
  listings = 0;
  lookups = 0;
  /** Lookups that wait for `open`. */
  waiting: (() => void)[] = [];
  mostWaiting = 0;
  isHolding = false;
  failure: TidewayError | undefined;
  failingKey: StreamKey | undefined;

  async streams(limit: number): Promise<readonly StreamKey[]> {
    this.listings += 1;
    if (this.failure && !this.failingKey) throw this.failure;
    return this.keys.slice(0, limit);
  }

  async lookup(key: StreamKey): Promise<Lookup> {
    this.lookups += 1;
    if (this.isHolding) {
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
        this.mostWaiting = Math.max(this.mostWaiting, this.waiting.length);
      });
    }
    if (this.failure && (this.failingKey ?? key) === key) throw this.failure;
    const none = { origin: undefined, replicas: [], backup: undefined, highestEpoch: 0, ageMs: 0 };
    return { key, ...none, ...this.found.get(key) };
  }

  /** Lets all that wait go on. */
  open(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }

  registryWallMs(): number {
    return WALL_MS + 5000;
  }
}

/** What nodes answer; it remembers what they were asked. */
class FakeNodes implements AskNodes {
  readonly asked: string[] = [];
  readonly rows: { [K in QuestionKind]?: NodesTold<K>['rows'] } = {};
  stale: StaleNode[] = [];

  async all<K extends QuestionKind>(kind: K, args: QuestionArgs<K>): Promise<NodesTold<K>> {
    this.asked.push(`all ${kind} ${JSON.stringify(args)}`);
    const rows = (this.rows[kind] ?? []) as NodesTold<K>['rows'];
    return { rows, total: rows.length, stale: this.stale };
  }

  async some<K extends QuestionKind>(
    nodes: readonly string[],
    kind: K,
    args: QuestionArgs<K>,
  ): Promise<NodesTold<K>> {
    this.asked.push(`${nodes} ${kind} ${JSON.stringify(args)}`);
    const rows = (this.rows[kind] ?? []) as NodesTold<K>['rows'];
    return { rows, total: rows.length, stale: [] };
  }
}

let clock: FakeClock;
let registry: FakeRegistry;
let nodes: FakeNodes;
let others: NodeSeen[];
let links: Map<string, LinkRow>;
let state: ClusterState;

beforeEach(() => {
  clock = new FakeClock();
  registry = new FakeRegistry();
  nodes = new FakeNodes();
  others = [];
  links = new Map();
  state = new ClusterState({
    ...{ clock, registry, node: 'b', version: '1.2.3', ask: nodes },
    slices: new Slices({ clock: systemClock }),
    self: () => recordOf('b'),
    others: () => others,
    link: (node) => links.get(node),
    notReady: () => undefined,
    trouble: () => undefined,
    rtmpPort: () => 1935,
    publishHint: () => OPEN_HINT,
  });
});

/** The first rows of the list. */
function streams(limit: number, query: Partial<StreamsQuery> = {}) {
  return state.streams({ sort: 'key', offset: 0, limit, ...query }, 'request');
}

function toldBy(node: string, name: string, fields: Partial<NodeStream> = {}): NodeStream {
  return {
    ...{ key: `live/${name}`, node, role: 'origin', state: 'live', epoch: 4096, hops: 0, upstream: null },
    ...{ path: [node], players: 0, children: 0, standby: null, since: SINCE },
    ...{ bitsPerS: 1_000, frameRate: 25, video: 'avc', audio: 'aac', ...fields },
  };
}

function pulledBy(node: string, path: string[], name: string, fields: Partial<NodeStream> = {}): NodeStream {
  const way = { hops: path.length, upstream: path.at(-1) ?? null, path: [...path, node] };
  return toldBy(node, name, { role: 'replica', ...way, ...fields });
}

function away(): TidewayError {
  registry.state = 'down';
  return new TidewayError('registry.unavailable', 'Redis is away');
}

describe('nodes', () => {
  test('are this one and the others, by name, with their leases and links', () => {
    const bytes = { receivedBytesPerS: 10, sentBytesPerS: 20 };
    const link: LinkRow = {
      rttMs: 1,
      rttDevMs: 0.5,
      offsetMs: -3,
      lossShare: 0.02,
      ...bytes,
      dialledBy: 'a',
    };
    others = [
      { record: recordOf('c'), leaseMs: 0 },
      { record: recordOf('a'), leaseMs: 2500.4 },
      { record: recordOf('b'), leaseMs: 1 },
    ];
    links.set('a', link);
    const answer = state.nodes();
    expect(answer).toMatchObject({ node: 'b', registry: 'up', asOf: '2026-01-01T00:00:05.000Z' });
    expect(
      answer.nodes.map(({ node, self, leaseMs, link: told }) => ({ node, self, leaseMs, link: told })),
    ).toEqual([
      { node: 'a', self: false, leaseMs: 2500, link },
      { node: 'b', self: true, leaseMs: null, link: null },
      { node: 'c', self: false, leaseMs: 0, link: null },
    ]);
    expect(registry.listings).toBe(0);
  });

  test('say so while the registry is away', () => {
    registry.state = 'trying';
    expect(state.nodes()).toMatchObject({ registry: 'away', nodes: [{ node: 'b' }] });
  });
});

describe('the sums', () => {
  test('are of nodes that beat, whole and by region, and silent ones are only counted', () => {
    const load = { ...recordOf('x').load, players: 5, publishers: 1, streams: 2, sentBytesPerS: 100 };
    others = [
      { record: { ...recordOf('a'), load, draining: true, region: 'us' }, leaseMs: 2500 },
      { record: { ...recordOf('c'), load }, leaseMs: 2500 },
      { record: { ...recordOf('d'), load }, leaseMs: 0 },
    ];
    clock.advance(1_500);
    const { cluster, ...own } = state.status();
    expect(own).toEqual({
      ...{ node: 'b', registry: 'up', asOf: '2026-01-01T00:00:05.000Z', version: '1.2.3', uptimeMs: 1_500 },
      ...{ notReady: null, trouble: null, rtmpPort: 1935, publishHint: OPEN_HINT },
    });
    expect(cluster).toMatchObject({
      nodes: { up: 2, draining: 1, silent: 1 },
      ...{ players: 10, publishers: 2, streams: 4, sentBytesPerS: 200, alarms: 0 },
      regions: [
        { region: 'eu', nodes: 2, players: 5, streams: 2, sentBytesPerS: 100 },
        { region: 'us', nodes: 1, players: 5, streams: 2, sentBytesPerS: 100 },
      ],
    });
  });
});

describe('streams', () => {
  beforeEach(() => {
    others = ['a', 'c', 'd'].map((node) => ({ record: recordOf(node), leaseMs: 2500 }));
  });

  test('are what all nodes tell of them, by name, without a look into the registry for each', async () => {
    registry.keys = [keyOf('two'), keyOf('one')];
    nodes.rows.streams = [
      toldBy('b', 'two', { state: 'held', players: 1, audio: null }),
      toldBy('a', 'one', { bitsPerS: 5_000, reason: 'publish' }),
      pulledBy('c', ['a', 'b'], 'one', { players: 2 }),
      pulledBy('b', ['a'], 'one', { players: 3, children: 1, standby: 'c' }),
      pulledBy('d', ['a'], 'one', { role: 'backup' }),
    ];
    expect(await streams(1000)).toEqual({
      ...{ node: 'b', registry: 'up', asOf: '2026-01-01T00:00:05.000Z', limit: 1000 },
      ...{ stale: [], total: 2, truncated: false },
      streams: [
        {
          key: 'live/one',
          origin: { node: 'a', epoch: 4096, state: 'live', reason: 'publish', since: SINCE },
          replicas: [
            { node: 'b', hops: 1, upstream: 'a', epoch: 4096 },
            { node: 'd', hops: 1, upstream: 'a', epoch: 4096 },
            { node: 'c', hops: 2, upstream: 'b', epoch: 4096 },
          ],
          backup: { node: 'd' },
          here: {
            ...{ role: 'replica', state: 'live', epoch: 4096, hops: 1, upstream: 'a', path: ['a', 'b'] },
            ...{ players: 3, children: 1, standby: 'c' },
          },
          ...{ players: 5, bitsPerS: 5_000, frameRate: 25, video: 'avc', audio: 'aac', history: null },
        },
        {
          key: 'live/two',
          origin: { node: 'b', epoch: 4096, state: 'held', reason: null, since: SINCE },
          ...{ replicas: [], backup: null },
          here: {
            ...{ role: 'origin', state: 'held', epoch: 4096, hops: 0, upstream: null, path: ['b'] },
            ...{ players: 1, children: 0, standby: null },
          },
          ...{ players: 1, bitsPerS: 1_000, frameRate: 25, video: 'avc', audio: null, history: null },
        },
      ],
    });
    expect([nodes.asked, registry.lookups]).toEqual([['all streams {}'], 0]);
  });

  test('of a node that did not answer are completed from the registry, and the node is named', async () => {
    registry.keys = [keyOf('far'), keyOf('one')];
    registry.found.set(keyOf('far'), { origin: originOf('d') });
    registry.found.set(keyOf('one'), {
      origin: { ...originOf('a'), reason: 'failover' },
      replicas: [replicaOf('d', 'a', 1), replicaOf('c', 'a', 1)],
    });
    nodes.stale = [{ node: 'd', why: 'no-answer' }];
    nodes.rows.streams = [toldBy('a', 'one', { players: 4 })];
    const answer = await streams(1000);
    expect(answer.stale).toEqual([{ node: 'd', why: 'no-answer' }]);
    expect(answer.streams).toMatchObject([
      { key: 'live/far', origin: { node: 'd', reason: 'publish' }, players: 0, bitsPerS: null, here: null },
      // c answered, and has it no more, whatever its record says.
      { key: 'live/one', origin: { node: 'a', reason: 'failover' }, replicas: [{ node: 'd' }], players: 4 },
    ]);
    expect(answer.streams[1]?.replicas.length).toBe(1);
  });

  test('have the origin of the highest epoch, whoever tells of it', async () => {
    nodes.stale = [{ node: 'd', why: 'no-link' }];
    nodes.rows.streams = [
      toldBy('a', 'fenced'),
      toldBy('a', 'newer', { epoch: 8192 }),
      toldBy('a', 'pulled'),
      pulledBy('b', ['c'], 'pulled', { epoch: 8192 }),
    ];
    for (const name of ['fenced', 'newer']) {
      registry.found.set(keyOf(name), { origin: { ...originOf('d'), epoch: 6000 } });
    }
    const { streams: rows } = await streams(1000);
    expect(rows.map(({ key, origin }) => [key, origin?.node, origin?.epoch])).toEqual([
      ['live/fenced', 'd', 6000],
      ['live/newer', 'a', 8192],
      ['live/pulled', 'c', 8192],
    ]);
  });

  test('that only the registry has are listed, also if their node answered a moment before', async () => {
    registry.keys = [keyOf('new')];
    registry.found.set(keyOf('new'), { origin: originOf('a') });
    const answer = await streams(1000);
    expect(answer).toMatchObject({ total: 1, streams: [{ key: 'live/new', origin: { node: 'a' } }] });
  });

  test('that nobody has any more are left out', async () => {
    registry.keys = [keyOf('ghost')];
    nodes.rows.streams = [toldBy('b', 'mine')];
    const { streams: rows, total } = await streams(1000);
    expect([rows.map(({ key }) => key), total]).toEqual([['live/mine'], 1]);
  });

  test('are filtered by name, state and node, sorted either way, and cut into pages', async () => {
    nodes.rows.streams = [
      toldBy('a', 'Low', { players: 1, bitsPerS: 9 }),
      toldBy('b', 'mid', { players: 2, bitsPerS: 8, state: 'held' }),
      toldBy('c', 'top', { players: 3, bitsPerS: 7, since: '2026-01-01T00:00:01.000Z' }),
      pulledBy('a', ['c'], 'top'),
    ];
    const listed = async (query: Partial<StreamsQuery>, limit = 10) => {
      const answer = await streams(limit, query);
      return [answer.total, answer.truncated, ...answer.streams.map(({ key }) => key.slice(5))];
    };
    expect(await listed({})).toEqual([3, false, 'Low', 'mid', 'top']);
    expect(await listed({ order: 'desc' })).toEqual([3, false, 'top', 'mid', 'Low']);
    expect(await listed({ sort: 'players' })).toEqual([3, false, 'top', 'mid', 'Low']);
    expect(await listed({ sort: 'players', order: 'asc' })).toEqual([3, false, 'Low', 'mid', 'top']);
    expect(await listed({ sort: 'bitsPerS' })).toEqual([3, false, 'Low', 'mid', 'top']);
    expect(await listed({ sort: 'nodes' })).toEqual([3, false, 'top', 'Low', 'mid']);
    expect(await listed({ sort: 'since' })).toEqual([3, false, 'top', 'Low', 'mid']);
    expect(await listed({ q: 'LO' })).toEqual([1, false, 'Low']);
    expect(await listed({ q: 'live/' })).toEqual([3, false, 'Low', 'mid', 'top']);
    expect(await listed({ state: 'held' })).toEqual([1, false, 'mid']);
    expect(await listed({ node: 'a' })).toEqual([2, false, 'Low', 'top']);
    expect(await listed({}, 2)).toEqual([3, true, 'Low', 'mid']);
    expect(await listed({ offset: 2 }, 2)).toEqual([3, false, 'top']);
    expect(await listed({ offset: 3 }, 2)).toEqual([3, false]);
    expect(nodes.asked.length, 'one look is enough for all').toBe(1);
  });

  test('come with their recent past, asked of their origins only', async () => {
    nodes.rows.streams = [toldBy('a', 'one'), pulledBy('b', ['a'], 'one'), toldBy('c', 'two')];
    const past = { stepMs: 1000, bitsPerS: [1, 2], frameRate: [25, 25], players: [0, 1] };
    nodes.rows.history = [{ key: 'live/one', node: 'a', ...past }];
    const answer = await streams(10, { history: '1' });
    expect(answer.streams.map(({ history }) => history)).toEqual([past, null]);
    expect(nodes.asked.slice(1)).toEqual([
      'a history {"keys":["live/one"]}',
      'c history {"keys":["live/two"]}',
    ]);
  });

  test('that are nonsense in the registry do not hide the others', async () => {
    registry.keys = [keyOf('bad'), keyOf('good')];
    registry.found.set(keyOf('good'), { origin: originOf('a') });
    registry.failure = new TidewayError('registry.answer', 'nonsense');
    registry.failingKey = keyOf('bad');
    expect((await streams(1000)).streams.map(({ key }) => key)).toEqual(['live/good']);
  });

  test('that nobody told of are looked up 32 at once, each once', async () => {
    registry.keys = Array.from({ length: 200 }, (_, at) => keyOf(`s${at}`));
    registry.isHolding = true;
    const answer = streams(1000);
    await settle();
    expect(registry.waiting).toHaveLength(LOOKUPS_AT_ONCE);
    while (registry.waiting.length > 0) {
      registry.open();
      await settle();
    }
    await answer;
    expect(registry).toMatchObject({ lookups: 200, mostWaiting: LOOKUPS_AT_ONCE });
  });

  test('are asked for once by all who ask within half a second', async () => {
    registry.keys = [keyOf('one')];
    await Promise.all([streams(1000), streams(10), streams(1)]);
    clock.advance(FRESH_MS - 1);
    await streams(1000);
    expect([nodes.asked.length, registry.listings, registry.lookups]).toEqual([1, 1, 1]);
    clock.advance(1);
    await streams(1000);
    expect([nodes.asked.length, registry.listings]).toEqual([2, 2]);
  });

  test('of the registry, beyond a thousand, are a look of their own', async () => {
    registry.keys = Array.from({ length: 1001 }, (_, at) => keyOf(`s${at}`));
    for (const key of registry.keys) registry.found.set(key, { origin: originOf('a') });
    expect(await streams(1000)).toMatchObject({ truncated: true });
    const more = await streams(1001);
    expect([more.truncated, more.streams.length]).toEqual([false, 1001]);
  });

  test('with very many replicas are cut off before they fill the memory', async () => {
    const many = Array.from({ length: MAX_REPLICA_ROWS / 100 }, (_, at) => replicaOf(`n${at}`, 'a', 1));
    registry.keys = Array.from({ length: 101 }, (_, at) => keyOf(`s${at}`));
    for (const key of registry.keys) registry.found.set(key, { origin: originOf('a'), replicas: many });
    const answer = await streams(1000);
    expect([answer.truncated, answer.streams.length, answer.total]).toEqual([true, 100, 101]);
  });
});

describe('one stream', () => {
  const here = (row: NodeStream) => ({ ...row, quality: {}, hop: null, childRows: [], publisher: null });

  beforeEach(() => {
    others = ['a', 'c', 'd'].map((node) => ({ record: recordOf(node), leaseMs: 2500 }));
  });

  test('is told with its tree, and with what the registry has of nodes that did not answer', async () => {
    nodes.stale = [{ node: 'd', why: 'no-answer' }];
    nodes.rows.stream = [pulledBy('c', ['a'], 'one'), toldBy('a', 'one')].map(here) as never;
    nodes.rows.alarms = [{ id: '1' }] as never;
    registry.found.set(keyOf('one'), {
      origin: originOf('a'),
      replicas: [replicaOf('d', 'c', 2), replicaOf('c', 'a', 1), replicaOf('b', 'a', 1)],
    });
    const tree = await state.stream(keyOf('one'), 'request');
    expect(tree).toMatchObject({
      ...{ node: 'b', key: 'live/one', stale: [{ node: 'd' }], alarms: [{ id: '1' }], backup: null },
      origin: { node: 'a', reason: 'publish', since: SINCE },
      nodes: [{ node: 'a', ageMs: 0 }, { node: 'c' }],
    });
    // b answered, and has it no more; c tells of itself.
    expect(tree?.replicas).toEqual([{ node: 'd', hops: 2, upstream: 'c', epoch: 4096 }]);
    expect(nodes.asked).toEqual([
      'all stream {"key":"live/one"}',
      'all alarms {"stream":"live/one","limit":100}',
    ]);
  });

  test('that nobody has is undefined, and one that only the registry has is told', async () => {
    expect(await state.stream(keyOf('never'), 'request')).toBeUndefined();
    registry.found.set(keyOf('far'), { origin: originOf('d') });
    expect(await state.stream(keyOf('far'), 'request')).toMatchObject({ origin: { node: 'd' }, nodes: [] });
  });

  test('is looked at once by all who ask within half a second, also while the registry is away', async () => {
    registry.failure = away();
    nodes.rows.stream = [here(toldBy('b', 'one'))] as never;
    const ask = () => state.stream(keyOf('one'), 'request');
    const [first] = await Promise.all([ask(), ask()]);
    expect(first).toMatchObject({ registry: 'away', origin: { node: 'b' }, nodes: [{ node: 'b' }] });
    expect([await ask(), nodes.asked.length]).toEqual([first, 2]);
    clock.advance(FRESH_MS);
    await ask();
    expect(nodes.asked.length).toBe(4);
  });
});

describe('while the registry is away, streams are what nodes tell', () => {
  beforeEach(() => {
    registry.failure = away();
  });

  test('as an origin', async () => {
    nodes.rows.streams = [toldBy('b', 'mine')];
    expect(await streams(1000)).toMatchObject({
      registry: 'away',
      streams: [
        { origin: { node: 'b', reason: null, since: SINCE }, replicas: [], here: { role: 'origin' } },
      ],
    });
  });

  test('as a replica: its way to the origin', async () => {
    nodes.rows.streams = [pulledBy('b', ['x', 'a'], 'far')];
    expect((await streams(1000)).streams).toMatchObject([
      {
        origin: { node: 'x', epoch: 4096, reason: null, since: null },
        replicas: [{ node: 'b', hops: 2, upstream: 'a' }],
        here: { role: 'replica', hops: 2, path: ['x', 'a', 'b'], standby: null },
      },
    ]);
  });

  test('as a replica between two upstreams: no origin is made up', async () => {
    const lost = { hops: null, upstream: null, path: [], state: 'held' } as const;
    nodes.rows.streams = [pulledBy('b', [], 'lost', { ...lost, path: [] })];
    expect((await streams(1000)).streams).toMatchObject([
      { origin: null, replicas: [], here: { role: 'replica', hops: null, upstream: null, path: [] } },
    ]);
  });

  test('also if it goes in the middle of the lookups, of which no more are begun', async () => {
    registry.failingKey = keyOf('s0');
    registry.keys = Array.from({ length: 200 }, (_, at) => keyOf(`s${at}`));
    nodes.rows.streams = [toldBy('b', 'mine')];
    const answer = await streams(1000);
    expect(answer).toMatchObject({ registry: 'away', streams: [{ key: 'live/mine' }] });
    expect(registry.lookups).toBeLessThan(200);
  });
});

test('a registry that refuses is an error, and is asked again at once', async () => {
  registry.failure = new TidewayError('registry.refused', 'no right to read');
  await expect(streams(1000)).rejects.toMatchObject({ code: 'registry.refused' });
  registry.failure = undefined;
  await settle();
  expect((await streams(1000)).streams).toEqual([]);
});
