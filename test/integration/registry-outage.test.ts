// What a node sees of its registry while a real Redis is killed, stopped, or emptied, and how claims come back.
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { ClaimKeeper, RENEW_MS } from '../../src/registry/claim-keeper.ts';
import { Claimant } from '../../src/registry/claimant.ts';
import { GuardedRegistry } from '../../src/registry/guarded.ts';
import { CALL_WITHIN_MS } from '../../src/registry/registry.ts';
import { RedisServer } from '../support/redis-server.ts';
import { nodeRecordOf, openRedis, ownerOf } from '../support/registries.ts';
import { until } from '../support/until.ts';

/** What a busy test machine adds to a bound. */
const SLACK_MS = 250;
/** A registry that is back is whole again within this: twice the time between renewals. */
const WHOLE_MS = 2 * RENEW_MS;
const OLD = parseStreamKey('live', 'old');
const NEW = parseStreamKey('live', 'new');
const HOW = { mode: 'takeover', reason: 'publish' } as const;

/** One node's part of the registry, as the node wires it, with a stream that it publishes. */
class Stage implements AsyncDisposable {
  readonly lost: unknown[] = [];
  readonly keepers: ClaimKeeper[] = [];
  readonly server: RedisServer;
  readonly guarded: GuardedRegistry;
  readonly claimant: Claimant;

  private constructor(server: RedisServer, guarded: GuardedRegistry, claimant: Claimant) {
    this.server = server;
    this.guarded = guarded;
    this.claimant = claimant;
  }

  static async open(): Promise<Stage> {
    const server = await RedisServer.start();
    const inner = await openRedis({ place: { is: 'socket', path: server.path } });
    const guarded = new GuardedRegistry(inner, { clock: systemClock });
    const claimant = new Claimant(
      { owner: ownerOf('a'), tag: 1, whileAway: 'accept' },
      { registry: guarded, registryWallMs: () => guarded.registryWallMs() ?? systemClock.wallMs() },
    );
    const stage = new Stage(server, guarded, claimant);
    await stage.publish(OLD);
    await guarded.lookup(OLD);
    return stage;
  }

  async publish(key: typeof OLD): Promise<ClaimKeeper> {
    const claimed = await this.claimant.claim(key, HOW);
    if (claimed.is !== 'claimed') throw new Error('taken');
    const keeper = new ClaimKeeper(claimed.claim, {
      registry: this.guarded,
      clock: systemClock,
      random: Math.random,
      lost: (by) => this.lost.push(by),
    });
    this.keepers.push(keeper);
    return keeper;
  }

  /** While Redis is away: each call has its answer, or its no, in time, and known streams stay known. */
  async checkOutage(): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      const [lookup, lookupMs] = await timed(() => this.guarded.lookup(OLD));
      expect(lookup).toMatchObject({ origin: { node: 'a' } });
      const [beat, beatMs] = await timed(() =>
        this.guarded.beat(nodeRecordOf(ownerOf('a'))).catch((error) => error),
      );
      expect(beat).toMatchObject({ code: expect.stringMatching(/^registry\.(unavailable|timeout|down)$/) });
      expect(Math.max(lookupMs, beatMs)).toBeLessThan(CALL_WITHIN_MS + SLACK_MS);
    }
    const [keeper, claimMs] = await timed(() => this.publish(NEW));
    expect(keeper.standing).toBe('provisional');
    expect(claimMs).toBeLessThan(CALL_WITHIN_MS + SLACK_MS);
    expect(this.guarded.failures).toBeGreaterThan(0);
  }

  /** Redis is back: every claim stands in it again, with its own epoch. */
  async checkWhole(withinMs = WHOLE_MS): Promise<void> {
    const stands = async ({ claim, standing }: ClaimKeeper) => {
      const stored = await this.server.admin.hget(`test:{st:${claim.key}}:o`, 'epoch');
      return stored === String(claim.epoch) && standing === 'granted';
    };
    await until(
      'all claims are there again',
      async () => (await Promise.all(this.keepers.map(stands))).every((there) => there),
      withinMs,
    );
    expect(this.lost).toEqual([]);
    expect(await until('a lookup', () => this.guarded.lookup(OLD).catch(() => undefined))).toBeDefined();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const keeper of this.keepers) await keeper.release();
    await this.guarded.close();
    await this.server[Symbol.asyncDispose]();
  }
}

async function timed<T>(call: () => Promise<T>): Promise<[T, number]> {
  const startMs = performance.now();
  const answer = await call();
  return [answer, performance.now() - startMs];
}

test('Redis is killed and comes back empty', async () => {
  await using stage = await Stage.open();
  await stage.server.kill();
  await stage.checkOutage();
  await stage.server.start();
  await stage.checkWhole();
});

test('Redis is stopped, keeps its connections, and goes on later', async () => {
  await using stage = await Stage.open();
  stage.server.pause();
  await stage.checkOutage();
  expect(stage.guarded.timeouts).toBeGreaterThan(0);
  stage.server.resume();
  await stage.checkWhole();
});

test('Redis is emptied: the next beat tells, and all is put again within a second', async () => {
  await using stage = await Stage.open();
  const { guarded, server, keepers } = stage;
  const before = await guarded.beat(nodeRecordOf(ownerOf('a')));
  await server.admin.flushall();
  const after = await guarded.beat(nodeRecordOf(ownerOf('a')));
  expect(before.is === 'beaten' && after.is === 'beaten' && before.gen !== after.gen).toBe(true);
  for (const keeper of keepers) keeper.renewWithin(1_000);
  await stage.checkWhole(1_000 + SLACK_MS);
});

test('a hundred claims are whole again soon after Redis was away', async () => {
  await using stage = await Stage.open();
  for (let at = 0; at < 100; at += 1) await stage.publish(parseStreamKey('many', `s${at}`));
  await stage.server.kill();
  await until('it is seen', async () => {
    await stage.guarded.nodes().catch(() => {});
    return stage.guarded.state === 'down';
  });
  await stage.server.start();
  await stage.checkWhole();
  expect(stage.keepers.every(({ at, claim }) => at === 'keeping' && claim.standing === 'granted')).toBe(true);
});
