import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import {
  ClusterSummaries,
  FRESH_MS,
  type LinkFacts,
  LOOKUPS_AT_ONCE,
  type LocalStream,
  MAX_REPLICA_ROWS,
  type ReplicaFacts,
} from '../../../src/node/cluster-summaries.ts';
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

let clock: FakeClock;
let registry: FakeRegistry;
let others: NodeSeen[];
let local: LocalStream[];
let links: Map<string, LinkFacts>;
let replicas: Map<StreamKey, ReplicaFacts>;
let summaries: ClusterSummaries;

beforeEach(() => {
  clock = new FakeClock();
  registry = new FakeRegistry();
  others = [];
  local = [];
  links = new Map();
  replicas = new Map();
  summaries = new ClusterSummaries({
    ...{ clock, registry, node: 'b' },
    self: () => recordOf('b'),
    others: () => others,
    local: () => local,
    mesh: {
      link: (node) => links.get(node),
      replica: (key) => replicas.get(key),
      children: () => 2,
    },
  });
});

function localStream(name: string, fields: Partial<LocalStream> = {}): LocalStream {
  const fixed = { state: 'live', epoch: 4096, players: 3, standsBy: false, sinceWallMs: WALL_MS } as const;
  return { key: keyOf(name), ...fixed, ...fields };
}

function away(): TidewayError {
  registry.state = 'down';
  return new TidewayError('registry.unavailable', 'Redis is away');
}

describe('nodes', () => {
  test('are this one and the others, by name, with their leases and links', async () => {
    const bytes = { receivedBytesPerS: 10, sentBytesPerS: 20 };
    const quality = { rttMs: 1, rttDevMs: 0.5, offsetMs: -3, lossShare: 0.02, ...bytes };
    others = [
      { record: recordOf('c'), leaseMs: 0 },
      { record: recordOf('a'), leaseMs: 2500.4 },
      { record: recordOf('b'), leaseMs: 1 },
    ];
    links
      .set('a', { quality: { ...quality, errorMs: 1 }, dialledBy: 'a' })
      .set('c', { quality: undefined, dialledBy: 'b' });
    const answer = await summaries.nodes();
    expect(answer).toMatchObject({ node: 'b', registry: 'up', asOf: '2026-01-01T00:00:05.000Z' });
    expect(answer.nodes.map(({ node, self, leaseMs, link }) => ({ node, self, leaseMs, link }))).toEqual([
      { node: 'a', self: false, leaseMs: 2500, link: { ...quality, dialledBy: 'a' } },
      { node: 'b', self: true, leaseMs: null, link: null },
      {
        node: 'c',
        self: false,
        leaseMs: 0,
        link: {
          ...{ rttMs: null, rttDevMs: null, offsetMs: null },
          ...{ lossShare: null, receivedBytesPerS: null, sentBytesPerS: null },
          dialledBy: 'b',
        },
      },
    ]);
    expect(registry.listings).toBe(0);
  });

  test('say so while the registry is away', async () => {
    registry.state = 'trying';
    expect(await summaries.nodes()).toMatchObject({ registry: 'away', nodes: [{ node: 'b' }] });
  });
});

describe('streams', () => {
  test('are those of the registry, by name, with what this node knows of them', async () => {
    registry.keys = [keyOf('two'), keyOf('one')];
    registry.found.set(keyOf('one'), {
      origin: originOf('a'),
      replicas: [replicaOf('c', 'b', 2), replicaOf('b', 'a', 1)],
      backup: { node: 'd', boot: BOOT, publisher: 'p', leaseMs: 1 },
    });
    registry.found.set(keyOf('two'), { origin: { ...originOf('b'), state: 'held', reason: 'failover' } });
    local = [localStream('one'), localStream('two', { state: 'held', players: 0 })];
    replicas.set(keyOf('one'), { path: ['a', 'b'], upstream: 'a', standby: 'c' });
    expect(await summaries.streams(1000)).toEqual({
      ...{ node: 'b', registry: 'up', asOf: '2026-01-01T00:00:05.000Z', limit: 1000, truncated: false },
      streams: [
        {
          key: 'live/one',
          origin: { node: 'a', epoch: 4096, state: 'live', reason: 'publish', since: SINCE },
          replicas: [
            { node: 'b', hops: 1, upstream: 'a', epoch: 4096 },
            { node: 'c', hops: 2, upstream: 'b', epoch: 4096 },
          ],
          backup: { node: 'd' },
          here: {
            ...{ role: 'replica', state: 'live', epoch: 4096, hops: 1, upstream: 'a', path: ['a', 'b'] },
            ...{ players: 3, children: 2, standby: 'c' },
          },
        },
        {
          key: 'live/two',
          origin: { node: 'b', epoch: 4096, state: 'held', reason: 'failover', since: SINCE },
          replicas: [],
          backup: null,
          here: {
            ...{ role: 'origin', state: 'held', epoch: 4096, hops: 0, upstream: null, path: ['b'] },
            ...{ players: 0, children: 2, standby: null },
          },
        },
      ],
    });
  });

  test('that nobody has any more are left out, and own ones that the registry has not heard of are not', async () => {
    registry.keys = [keyOf('ghost')];
    local = [localStream('mine')];
    const { streams } = await summaries.streams(1000);
    expect(streams.map(({ key, origin }) => [key, origin?.node])).toEqual([['live/mine', 'b']]);
  });

  test('that are nonsense in the registry do not hide the others', async () => {
    registry.keys = [keyOf('bad'), keyOf('good')];
    registry.found.set(keyOf('good'), { origin: originOf('a') });
    registry.failure = new TidewayError('registry.answer', 'nonsense');
    registry.failingKey = keyOf('bad');
    expect((await summaries.streams(1000)).streams.map(({ key }) => key)).toEqual(['live/good']);
  });

  test('are looked up 32 at once, each once', async () => {
    registry.keys = Array.from({ length: 200 }, (_, at) => keyOf(`s${at}`));
    registry.isHolding = true;
    const answer = summaries.streams(1000);
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
    await Promise.all([summaries.streams(1000), summaries.streams(10), summaries.streams(1)]);
    clock.advance(FRESH_MS - 1);
    await summaries.streams(1000);
    expect(registry).toMatchObject({ listings: 1, lookups: 1 });
    clock.advance(1);
    await summaries.streams(1000);
    expect(registry.listings).toBe(2);
  });

  test('are cut off at the limit, which says so', async () => {
    registry.keys = ['c', 'a', 'b'].map(keyOf);
    for (const key of registry.keys) registry.found.set(key, { origin: originOf('a') });
    expect(await summaries.streams(2)).toMatchObject({
      ...{ limit: 2, truncated: true },
      streams: [{ key: 'live/a' }, { key: 'live/b' }],
    });
    expect(await summaries.streams(3)).toMatchObject({ limit: 3, truncated: false });
  });

  test('beyond a thousand are a look of their own', async () => {
    registry.keys = Array.from({ length: 1001 }, (_, at) => keyOf(`s${at}`));
    for (const key of registry.keys) registry.found.set(key, { origin: originOf('a') });
    expect(await summaries.streams(1000)).toMatchObject({ truncated: true });
    const more = await summaries.streams(1001);
    expect(more.truncated).toBe(false);
    expect(more.streams).toHaveLength(1001);
  });

  test('with very many replicas are cut off before they fill the memory', async () => {
    const many = Array.from({ length: MAX_REPLICA_ROWS / 100 }, (_, at) => replicaOf(`n${at}`, 'a', 1));
    registry.keys = Array.from({ length: 101 }, (_, at) => keyOf(`s${at}`));
    for (const key of registry.keys) registry.found.set(key, { origin: originOf('a'), replicas: many });
    const answer = await summaries.streams(1000);
    expect(answer.truncated).toBe(true);
    expect(answer.streams).toHaveLength(100);
  });
});

describe('while the registry is away, streams are what this node knows', () => {
  beforeEach(() => {
    registry.failure = away();
  });

  test('as an origin', async () => {
    local = [localStream('mine')];
    expect(await summaries.streams(1000)).toMatchObject({
      registry: 'away',
      streams: [
        {
          key: 'live/mine',
          origin: { node: 'b', epoch: 4096, state: 'live', reason: null, since: SINCE },
          replicas: [],
          here: { role: 'origin' },
        },
      ],
    });
  });

  test('as a replica: its way to the origin', async () => {
    local = [localStream('far')];
    replicas.set(keyOf('far'), { path: ['x', 'a', 'b'], upstream: 'a', standby: undefined });
    expect((await summaries.streams(1000)).streams).toMatchObject([
      {
        origin: { node: 'x', epoch: 4096, reason: null, since: null },
        replicas: [{ node: 'b', hops: 2, upstream: 'a' }],
        here: { role: 'replica', hops: 2, path: ['x', 'a', 'b'], standby: null },
      },
    ]);
  });

  test('as a replica between two upstreams: no origin is made up', async () => {
    local = [localStream('lost', { state: 'held' })];
    replicas.set(keyOf('lost'), { path: undefined, upstream: undefined, standby: undefined });
    expect((await summaries.streams(1000)).streams).toMatchObject([
      { origin: null, replicas: [], here: { role: 'replica', hops: null, upstream: null, path: [] } },
    ]);
  });

  test('as the place of a backup', async () => {
    local = [localStream('both', { standsBy: true })];
    replicas.set(keyOf('both'), { path: ['a', 'b'], upstream: 'a', standby: undefined });
    expect((await summaries.streams(1000)).streams).toMatchObject([
      { backup: { node: 'b' }, here: { role: 'backup' } },
    ]);
  });

  test('also if it goes in the middle of the lookups, of which no more are begun', async () => {
    registry.failingKey = keyOf('s0');
    registry.keys = Array.from({ length: 200 }, (_, at) => keyOf(`s${at}`));
    local = [localStream('mine')];
    const answer = await summaries.streams(1000);
    expect(answer).toMatchObject({ registry: 'away', streams: [{ key: 'live/mine' }] });
    expect(registry.lookups).toBeLessThan(200);
  });
});

test('a registry that refuses is an error, and is asked again at once', async () => {
  registry.failure = new TidewayError('registry.refused', 'no right to read');
  await expect(summaries.streams(1000)).rejects.toMatchObject({ code: 'registry.refused' });
  registry.failure = undefined;
  await settle();
  expect((await summaries.streams(1000)).streams).toEqual([]);
});
