import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import type { PreloadRow } from '../../../src/http/preload-api.ts';
import {
  LOOKUP_MS,
  MAX_ORDERS,
  NO_PRELOAD,
  Preload,
  type PreloadOptions,
  RENEW_MS,
  TTL_MS,
} from '../../../src/node/preload.ts';
import { type ListedNode, PreloadNodes } from '../../../src/node/preload-nodes.ts';
import { LOOKUPS_AT_ONCE, LOOKUPS_PER_REFILL } from '../../../src/node/preload-queue.ts';
import { GIVE_UP_MS } from '../../../src/node/preload-task.ts';
import { MAX_REPLICAS } from '../../../src/registry/records.ts';
import type { Lookup } from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog, FakeSource, GONE, KEY } from '../../support/media.ts';

const BOOT = '0123456789abcdef';
/** A tenth late, as random() is 1. */
const TENTH = 1.1;

/** A node `eu1` among others, and a registry that finds what the nodes that were asked have by then. */
class Stage {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  nodes: ListedNode[] = [
    { node: 'eu1', region: 'eu', draining: false },
    { node: 'eu2', region: 'eu', draining: false },
    { node: 'us1', region: 'us', draining: false },
    { node: 'us2', region: 'us', draining: false },
    { node: 'us3', region: 'us', draining: false },
  ];
  readonly linked = new Set<string>();
  /** [node, key, ttlMs] */
  told: [string, string, number][] = [];
  /** Who has which stream, the origin first. */
  readonly holders = new Map<StreamKey, string[]>();
  /** Nodes that were asked and do nothing. */
  readonly idle = new Set<string>();
  readonly origins = new Set<StreamKey>();
  readonly upstreams = new Map<StreamKey, string>();
  readonly players = new Map<StreamKey, number>();
  isAway = false;
  lookedUp: StreamKey[] = [];
  /** How old lookups are. */
  ageMs = 0;
  /** Lookups that wait for `answer`; undefined: all are answered at once. */
  waiting: (() => void)[] | undefined;
  readonly preload: Preload;

  constructor(options: Partial<PreloadOptions> = {}) {
    this.preload = new Preload(
      { self: { node: 'eu1', region: 'eu' }, rules: [], standbyPlayers: 0, ...options },
      {
        ...{ clock: this.clock, log: this.log, random: () => 1 },
        lookup: async (key) => {
          this.lookedUp.push(key);
          await new Promise<void>((resolve) => (this.waiting ? this.waiting.push(resolve) : resolve()));
          if (this.isAway) throw new TidewayError('registry.down', 'away');
          return this.#found(key);
        },
        nodes: new PreloadNodes({
          clock: this.clock,
          nodes: () => (this.isAway ? this.nodes.slice(0, 1) : this.nodes),
          isLinked: (node) => this.linked.has(node),
        }),
        streams: () => [...this.players].map(([key, playerCount]) => ({ key, playerCount })),
        isOrigin: (key) => this.origins.has(key),
        upstreamOf: (key) => this.upstreams.get(key),
        chooseFor: (_key, region, except) =>
          this.nodes.find(
            (each) =>
              (region === undefined || each.region === region) && !each.draining && !except.has(each.node),
          )?.node,
        ask: (node, key, ttlMs) => {
          this.told.push([node, key, ttlMs]);
          const holders = this.holders.get(key);
          if (ttlMs > 0 && holders && !holders.includes(node) && !this.idle.has(node)) holders.push(node);
        },
      },
    );
    this.preload.start();
  }

  async publish(key = KEY): Promise<void> {
    this.origins.add(key);
    this.holders.set(key, ['eu1', ...(this.holders.get(key) ?? [])]);
    this.preload.streamChanged({ key, state: { at: 'live', source: new FakeSource(1), sinceMs: 0 } });
    await settled();
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms;
    while (this.clock.now() < untilMs) {
      this.clock.pass(Math.min(100, untilMs - this.clock.now()));
      await settled();
    }
  }

  /** Who was told what since this was asked last. */
  tell(): [string, string, number][] {
    const { told } = this;
    this.told = [];
    return told;
  }

  drop(node: string): void {
    this.nodes = this.nodes.filter((each) => each.node !== node);
    for (const [key, holders] of this.holders)
      this.holders.set(
        key,
        holders.filter((each) => each !== node),
      );
  }

  async rows(key = KEY): Promise<readonly PreloadRow[]> {
    return (await this.preload.show(key)).asked;
  }

  #found(key: StreamKey): Lookup {
    const [origin, ...replicas] = this.holders.get(key) ?? [];
    return {
      ...{ key, backup: undefined, highestEpoch: 1, ageMs: this.ageMs },
      origin:
        origin === undefined
          ? undefined
          : {
              ...{ node: origin, boot: BOOT, epoch: 1, publisher: 'p', reason: 'publish', state: 'live' },
              ...{ sinceWallMs: 0, leaseMs: 1_000 },
            },
      replicas: replicas.map((node) => ({
        node,
        boot: BOOT,
        epoch: 1,
        hops: 1,
        upstream: 'eu1',
        leaseMs: 1_000,
      })),
    };
  }
}

async function settled(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await Promise.resolve();
}

const ENDED = { at: 'ended', why: GONE } as const;
const held = (clock: FakeClock) =>
  ({ at: 'held', why: GONE, sinceMs: 0, untilMs: 1, timer: clock.after(0, () => {}) }) as const;
const US_RULE = [{ match: 'live/*', regions: ['eu', 'us'], copies: 1 }];
const keyOf = (n: number) => parseStreamKey('live', `s${n}`);

describe('rules', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage({ rules: US_RULE });
  });

  test('the origin asks at once when a stream goes live, and tells again each 10 s', async () => {
    await stage.publish();
    expect(stage.tell()).toEqual([['us1', KEY, TTL_MS]]);
    expect(await stage.rows()).toEqual([
      {
        ...{ for: 'rule', region: 'us', copies: 1, missing: 0, why: null },
        nodes: [{ node: 'us1', ready: true }],
      },
    ]);
    await stage.pass(60_000);
    const times = stage.tell();
    expect(times.length).toBe(Math.floor(60_000 / (RENEW_MS * TENTH)));
    expect(new Set(times.map(String))).toEqual(new Set([`us1,${KEY},${TTL_MS}`]));
  });

  test('nobody but the origin asks', async () => {
    stage.preload.streamChanged({ key: KEY, state: { at: 'live', source: new FakeSource(1), sinceMs: 0 } });
    await stage.pass(10_000);
    expect([stage.tell(), stage.preload.lookups]).toEqual([[], 0]);
  });

  test('a stream without a rule costs nothing', async () => {
    const key = parseStreamKey('other', 's');
    await stage.publish(key);
    await stage.pass(60_000);
    expect([stage.tell(), stage.preload.lookups, stage.preload.counts.streams]).toEqual([[], 0, 0]);
  });

  test('who has the stream anyway is asked before anybody else', async () => {
    stage.holders.set(KEY, ['us3']);
    await stage.publish();
    expect(stage.tell()).toEqual([['us3', KEY, TTL_MS]]);
  });

  test('who died is replaced within a second, who begins to drain too, and is told', async () => {
    await stage.publish();
    stage.drop('us1');
    await stage.pass(1_000);
    expect(stage.tell()).toEqual([
      ['us1', KEY, TTL_MS],
      ['us2', KEY, TTL_MS],
      ['us1', KEY, 0],
    ]);
    stage.nodes = stage.nodes.map((each) => ({ ...each, draining: each.node === 'us2' }));
    await stage.pass(1_000);
    expect(stage.tell()).toEqual([
      ['us3', KEY, TTL_MS],
      ['us2', KEY, 0],
    ]);
    expect(stage.preload.dropped.samples()).toEqual([{ value: 2, labels: { why: 'gone' } }]);
  });

  test('who was asked and does not get it is given up for another, and not asked again soon', async () => {
    stage.idle.add('us1');
    await stage.publish();
    await stage.pass(GIVE_UP_MS);
    expect(new Set(stage.tell().map(([node]) => node))).toEqual(new Set(['us1']));
    await stage.pass(10_000);
    expect(stage.tell().slice(-2)).toEqual([
      ['us2', KEY, TTL_MS],
      ['us1', KEY, 0],
    ]);
    stage.drop('us2');
    await stage.pass(1_000);
    expect(stage.tell().map(([node]) => node)).toEqual(['us3', 'us2']);
  });

  test('nobody is given up by what was known before the registry went away, nor by a list that was cut', async () => {
    stage.idle.add('us1');
    await stage.publish();
    stage.ageMs = 5_000;
    await stage.pass(60_000);
    stage.ageMs = 0;
    stage.holders.set(KEY, ['eu1', ...Array.from({ length: MAX_REPLICAS }, (_, n) => `r${n}`)]);
    await stage.pass(60_000);
    expect(new Set(stage.tell().map(([node]) => node))).toEqual(new Set(['us1']));
  });

  test('in its own region the origin is one of the copies', async () => {
    stage = new Stage({ rules: [{ match: '*', regions: ['eu'], copies: 2 }] });
    await stage.publish();
    expect(stage.tell()).toEqual([['eu2', KEY, TTL_MS]]);
    expect(await stage.rows()).toMatchObject([{ copies: 1, missing: 0 }]);
  });

  test('with nobody to ask it says so once, and asks who comes', async () => {
    for (const node of ['us1', 'us2', 'us3']) stage.drop(node);
    await stage.publish();
    await stage.pass(60_000);
    expect(stage.log.of('preload.missing')).toMatchObject([
      { stream: KEY, for: 'rule', missing: 1, detail: 'region us has no other node that takes streams' },
    ]);
    expect(stage.preload.counts.missing).toBe(1);
    // Without anybody to confirm, the registry is asked each 30 s only.
    expect(stage.preload.lookups).toBeLessThanOrEqual(3);
    stage.nodes.push({ node: 'us9', region: 'us', draining: false });
    await stage.pass(6_000);
    expect(stage.tell()).toEqual([['us9', KEY, TTL_MS]]);
  });

  test('while all is well the registry is asked each 30 s', async () => {
    await stage.publish();
    await stage.pass(20_000);
    const before = stage.preload.lookups;
    await stage.pass(10 * LOOKUP_MS);
    expect(stage.preload.lookups - before).toBeLessThanOrEqual(11);
    expect(stage.preload.lookups - before).toBeGreaterThanOrEqual(8);
  });

  test('in hold it goes on; when the stream is over it tells all to let go', async () => {
    await stage.publish();
    stage.preload.streamChanged({ key: KEY, state: held(stage.clock) });
    await stage.pass(RENEW_MS * TENTH);
    expect(stage.tell()).toEqual([
      ['us1', KEY, TTL_MS],
      ['us1', KEY, TTL_MS],
    ]);
    stage.preload.streamChanged({ key: KEY, state: ENDED });
    await stage.pass(60_000);
    expect([stage.tell(), stage.preload.counts.streams]).toEqual([[['us1', KEY, 0]], 0]);
  });

  test('a stream that passed to another origin is left to that, and nobody is told to let go', async () => {
    await stage.publish();
    stage.tell();
    stage.origins.delete(KEY);
    stage.preload.streamChanged({ key: KEY, state: held(stage.clock) });
    await stage.pass(60_000);
    expect([stage.tell(), stage.preload.counts.streams]).toEqual([[], 0]);
  });

  test('while the registry is away, who is linked stays asked', async () => {
    await stage.publish();
    stage.linked.add('us1');
    stage.isAway = true;
    stage.tell();
    await stage.pass(60_000);
    expect(new Set(stage.tell().map(([node, , ttlMs]) => `${node} ${ttlMs}`))).toEqual(
      new Set([`us1 ${TTL_MS}`]),
    );
  });

  test('of many streams, so many are looked up at once, and so many in a tick', async () => {
    const waiting: (() => void)[] = [];
    stage.waiting = waiting;
    for (let n = 0; n < 300; n += 1) await stage.publish(keyOf(n));
    expect(waiting.length).toBe(LOOKUPS_PER_REFILL);
    await stage.pass(100);
    await stage.pass(100);
    expect(waiting.length).toBe(LOOKUPS_AT_ONCE);
    // What was answered makes room, but for no more than are left in the tick.
    for (const go of waiting.splice(0)) go();
    await settled();
    expect(waiting.length).toBe(LOOKUPS_PER_REFILL);
    stage.waiting = undefined;
    for (const go of waiting.splice(0)) go();
    await stage.pass(1_000);
    const asked = new Set(stage.tell().map(([, key]) => key)).size;
    expect(asked).toBe(LOOKUPS_AT_ONCE + LOOKUPS_PER_REFILL + 10 * LOOKUPS_PER_REFILL);
    await stage.pass(500);
    expect(stage.preload.asks.samples()).toEqual([{ value: 300, labels: { for: 'rule' } }]);
  });

  test('new streams are looked up before those that only are again', async () => {
    stage.idle.add('us1');
    for (let n = 0; n < 40; n += 1) await stage.publish(keyOf(n));
    await stage.pass(1_000);
    const waiting: (() => void)[] = [];
    stage.waiting = waiting;
    await stage.pass(6_000);
    expect(waiting.length).toBe(LOOKUPS_AT_ONCE);
    stage.lookedUp = [];
    await stage.publish();
    for (const go of waiting.splice(0, 2)) go();
    await settled();
    expect([stage.lookedUp.length, stage.lookedUp[0]]).toEqual([2, KEY]);
  });

  test('each of many streams has its turn twice a second', async () => {
    for (let n = 0; n < 60; n += 1) await stage.publish(keyOf(n));
    await stage.pass(1_000);
    expect(stage.tell().length).toBe(60);
    await stage.pass(RENEW_MS * TENTH);
    expect(stage.tell().length).toBe(60);
  });

  test('a stop tells nobody, and leaves no timer', async () => {
    await stage.publish();
    stage.tell();
    stage.preload.stop();
    stage.preload.stop();
    await stage.pass(60_000);
    expect([stage.tell(), stage.clock.timerCount]).toEqual([[], 0]);
  });
});

describe('orders', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });
  const inUs = (copies: number, ttlMs: number) => ({ where: { regions: ['us'], copies }, ttlMs });
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: TidewayError) => error.code,
    );

  test('nodes are chosen before the stream is live, and told until the order runs out', async () => {
    const answer = await stage.preload.order(KEY, inUs(2, 25_000));
    expect(answer).toEqual({
      ...{ node: 'eu1', stream: KEY, until: new Date(stage.clock.wallMs() + 25_000).toISOString() },
      asked: [
        {
          ...{ for: 'order', region: 'us', copies: 2, missing: 0, why: null },
          nodes: [
            { node: 'us1', ready: false },
            { node: 'us2', ready: false },
          ],
        },
      ],
    });
    expect(new Set(stage.tell().map(String))).toEqual(new Set([`us1,${KEY},25000`, `us2,${KEY},25000`]));
    await stage.pass(24_500);
    // Never beyond its end.
    expect(stage.tell().filter(([node]) => node === 'us1')).toEqual([
      ['us1', KEY, 14_000],
      ['us1', KEY, 3_000],
    ]);
    await stage.pass(1_000);
    expect(new Set(stage.tell().map(String))).toEqual(new Set([`us1,${KEY},0`, `us2,${KEY},0`]));
    expect(stage.preload.counts).toEqual({ streams: 0, orders: 0, missing: 0 });
    expect(stage.log.of('preload.order-over')).toEqual([{ stream: KEY, how: 'ran-out' }]);
  });

  test('who does not have a stream that is not published is not given up for that', async () => {
    await stage.preload.order(KEY, inUs(1, 3_600_000));
    await stage.pass(120_000);
    expect(new Set(stage.tell().map(([node]) => node))).toEqual(new Set(['us1']));
  });

  test('who was named is asked on, though it does not get the stream', async () => {
    stage.idle.add('us1');
    await stage.publish();
    await stage.preload.order(KEY, { where: { nodes: ['us1'] }, ttlMs: 3_600_000 });
    await stage.pass(120_000);
    expect(stage.tell().filter(([, , ttlMs]) => ttlMs === 0)).toEqual([]);
    expect(await stage.rows()).toMatchObject([{ nodes: [{ node: 'us1', ready: false }], missing: 0 }]);
  });

  test('who is asked by a rule already is the first for an order', async () => {
    stage = new Stage({ rules: US_RULE });
    stage.idle.add('us1');
    await stage.publish();
    stage.nodes.reverse();
    await stage.preload.order(KEY, inUs(1, 60_000));
    expect(new Set(stage.tell().map(([node]) => node))).toEqual(new Set(['us1']));
  });

  test('what can’t be met is said, with the reason', async () => {
    const { asked } = await stage.preload.order(KEY, inUs(5, 60_000));
    expect(asked).toMatchObject([
      {
        missing: 2,
        why: { code: 'preload.no-node', message: 'region us has no other node that takes streams' },
      },
    ]);
  });

  test('a named node that drains is not asked until it does no more; nobody is asked in its place', async () => {
    stage.nodes = stage.nodes.map((each) => ({ ...each, draining: each.node === 'us2' }));
    const order = { where: { nodes: ['us1', 'us2'] }, ttlMs: 3_600_000 };
    expect((await stage.preload.order(KEY, order)).asked).toMatchObject([
      { region: null, nodes: [{ node: 'us1' }], missing: 1, why: { message: 'node us2 is draining' } },
    ]);
    await stage.pass(10_000);
    expect(new Set(stage.tell().map(([node]) => node))).toEqual(new Set(['us1']));
    stage.nodes = stage.nodes.map((each) => ({ ...each, draining: false }));
    await stage.pass(6_000);
    expect(new Set(stage.tell().map(([node]) => node))).toContain('us2');
    expect(await stage.rows()).toMatchObject([{ nodes: [{ node: 'us1' }, { node: 'us2' }], missing: 0 }]);
  });

  test('a new order takes the place of the one before: who is in both stays, the others let go', async () => {
    await stage.preload.order(KEY, { where: { nodes: ['us1', 'us2'] }, ttlMs: 60_000 });
    stage.tell();
    await stage.preload.order(KEY, { where: { nodes: ['us2', 'us3'] }, ttlMs: 20_000 });
    expect(new Set(stage.tell().map(String))).toEqual(
      new Set([`us3,${KEY},20000`, `us1,${KEY},0`, `us2,${KEY},20000`]),
    );
    expect(stage.preload.counts.orders).toBe(1);
  });

  test('ended, all let go; there is nothing to end then', async () => {
    await stage.preload.order(KEY, inUs(1, 60_000));
    stage.tell();
    stage.preload.cancel(KEY);
    expect(stage.tell()).toEqual([['us1', KEY, 0]]);
    expect(() => stage.preload.cancel(KEY)).toThrow(expect.objectContaining({ code: 'preload.none' }));
    expect(await code(stage.preload.show(KEY))).toBe('preload.none');
  });

  test('who a rule asks for, too, is kept when the order ends', async () => {
    stage = new Stage({ rules: US_RULE });
    await stage.publish();
    await stage.preload.order(KEY, inUs(2, 60_000));
    expect((await stage.rows()).map(({ nodes }) => nodes.map(({ node }) => node))).toEqual([
      ['us1'],
      ['us1', 'us2'],
    ]);
    stage.tell();
    stage.preload.cancel(KEY);
    expect(stage.tell()).toEqual([['us2', KEY, 0]]);
  });

  test('unknown nodes and regions, and more than there may be, are refused', async () => {
    expect(await code(stage.preload.order(KEY, { where: { nodes: ['us1', 'x'] }, ttlMs: 1 }))).toBe(
      'preload.unknown-node',
    );
    const order = { where: { regions: ['us', 'ap'], copies: 1 }, ttlMs: 1 };
    expect(await code(stage.preload.order(KEY, order))).toBe('preload.unknown-region');
    expect(stage.preload.counts.streams).toBe(0);
    for (let n = 0; n < MAX_ORDERS; n += 1) await stage.preload.order(keyOf(n), inUs(1, 60_000));
    expect(await code(stage.preload.order(KEY, inUs(1, 60_000)))).toBe('preload.too-many-orders');
    expect(await code(stage.preload.order(keyOf(0), inUs(2, 60_000)))).toBeUndefined();
    stage.preload.cancel(keyOf(1));
    expect(await code(stage.preload.order(KEY, inUs(1, 60_000)))).toBeUndefined();
    expect(stage.preload.counts.orders).toBe(MAX_ORDERS);
  });

  test('a node alone has none', () => {
    expect(() => NO_PRELOAD.cancel(KEY)).toThrow(expect.objectContaining({ code: 'preload.alone' }));
  });
});

describe('a standby', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage({ standbyPlayers: 100 });
    stage.holders.set(KEY, ['us1', 'eu1']);
    stage.upstreams.set(KEY, 'us1');
  });

  test('comes at the threshold, of the same region, and goes under half of it', async () => {
    stage.nodes.reverse();
    stage.players.set(KEY, 99);
    await stage.pass(2_000);
    expect([stage.tell(), stage.preload.lookups]).toEqual([[], 0]);
    stage.players.set(KEY, 100);
    await stage.pass(500);
    expect(stage.tell()).toEqual([['eu2', KEY, TTL_MS]]);
    stage.players.set(KEY, 50);
    await stage.pass(30_000);
    expect(new Set(stage.tell().map(([node, , ttlMs]) => `${node} ${ttlMs}`))).toEqual(
      new Set([`eu2 ${TTL_MS}`]),
    );
    stage.players.set(KEY, 49);
    await stage.pass(500);
    expect(stage.tell()).toEqual([['eu2', KEY, 0]]);
    await stage.pass(60_000);
    expect(stage.tell()).toEqual([]);
  });

  test('is of another region where its own has nobody, and never the upstream', async () => {
    stage.drop('eu2');
    stage.players.set(KEY, 100);
    await stage.pass(500);
    expect(stage.tell()).toEqual([['us2', KEY, TTL_MS]]);
  });

  test('is not asked for while somebody else has the stream, and is when that one goes', async () => {
    stage.holders.set(KEY, ['us1', 'eu1', 'us3']);
    stage.players.set(KEY, 100);
    await stage.pass(20_000);
    expect([stage.tell(), stage.preload.counts.missing]).toEqual([[], 0]);
    stage.holders.set(KEY, ['us1', 'eu1']);
    await stage.pass(LOOKUP_MS * TENTH + 5_000);
    expect(stage.tell().at(0)).toEqual(['eu2', KEY, TTL_MS]);
  });

  test('in a cluster of two there is nobody, and nothing is said of it', async () => {
    stage.nodes = stage.nodes.filter(({ node }) => ['eu1', 'us1'].includes(node));
    stage.players.set(KEY, 1_000);
    await stage.pass(60_000);
    expect([stage.tell(), stage.log.of('preload.missing')]).toEqual([[], []]);
    expect(stage.preload.lookups).toBeLessThanOrEqual(3);
  });

  test('of a stream that ended is told to let go', async () => {
    stage.players.set(KEY, 100);
    await stage.pass(500);
    stage.players.delete(KEY);
    stage.preload.streamChanged({ key: KEY, state: ENDED });
    expect(stage.tell()).toEqual([
      ['eu2', KEY, TTL_MS],
      ['eu2', KEY, 0],
    ]);
    expect(stage.preload.counts.streams).toBe(0);
  });

  test('0 is never', async () => {
    stage = new Stage({ standbyPlayers: 0 });
    stage.players.set(KEY, 1_000_000);
    await stage.pass(10_000);
    expect(stage.preload.lookups).toBe(0);
  });
});
