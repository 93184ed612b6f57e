// The Redis driver against real servers: alone, behind a sentinel, as a cluster, with TLS and an ACL user; with keys that
// others wrote to, and calls that come late.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { TidewayError } from '../../src/base/errors.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { nextEpoch } from '../../src/registry/epoch.ts';
import { MAX_REPLICAS } from '../../src/registry/records.ts';
import { RedisRegistry } from '../../src/registry/redis.ts';
import { connectRedis, type RedisTarget } from '../../src/registry/redis-client.ts';
import { loadScripts } from '../../src/registry/redis-scripts.ts';
import type { ClaimRequest, Hint, Registry } from '../../src/registry/registry.ts';
import { registryContract } from '../contract/registry.ts';
import { freePort } from '../support/free-ports.ts';
import { run } from '../support/programs.ts';
import { RedisSentinel } from '../support/redis-sentinel.ts';
import { RedisServer } from '../support/redis-server.ts';
import { nodeRecordOf, openRedis, ownerOf, redisRegistry, TEST_PREFIX } from '../support/registries.ts';
import { until } from '../support/until.ts';

const KEY = parseStreamKey('live', 'show');
const STREAM = `${TEST_PREFIX}{st:${KEY}}`;
const NODES = `${TEST_PREFIX}{nodes}`;
const A = ownerOf('a');
const B = ownerOf('b');

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

function claimOf(more: Partial<ClaimRequest> = {}): ClaimRequest {
  const { owner = A } = more;
  const publisher = `${owner.node}-1`;
  return { key: KEY, owner, publisher, reason: 'publish', mode: 'takeover', minEpoch: 0, tag: 7, ...more };
}

async function granted(registry: Registry, more: Partial<ClaimRequest> = {}): Promise<number> {
  const answer = await registry.claim(claimOf(more));
  if (answer.is !== 'granted') throw new Error(`the claim was ${answer.is}`);
  return answer.epoch;
}

function renew(registry: Registry, epoch: number, owner = A) {
  const publisher = `${owner.node}-1`;
  return registry.renew({
    ...{ key: KEY, owner, publisher, reason: 'publish', epoch, state: 'live', standing: 'granted' },
  });
}

/** Says each thing once that a node says to its registry. */
async function talk(registry: Registry): Promise<void> {
  const heard: Hint[] = [];
  registry.subscribe((hint) => heard.push(hint));
  expect(await registry.beat(nodeRecordOf(A))).toMatchObject({ is: 'beaten', changed: [] });
  expect(await registry.beat(nodeRecordOf(B))).toMatchObject({ changed: [{ record: { node: 'a' } }] });
  const epoch = await granted(registry);
  expect(await renew(registry, epoch)).toEqual({ is: 'ok' });
  await registry.putReplica(KEY, { ...B, epoch, hops: 1, upstream: 'a' });
  expect(await registry.putBackup(KEY, { ...B, publisher: 'b-2' })).toBe('put');
  expect(await registry.lookup(KEY)).toMatchObject({
    origin: { ...A, epoch },
    replicas: [{ ...B, epoch }],
    backup: B,
    highestEpoch: epoch,
  });
  await registry.deleteReplica(KEY, B);
  await registry.deleteBackup(KEY, B);
  const higher = await granted(registry, { owner: B, minEpoch: epoch });
  expect(await renew(registry, epoch)).toMatchObject({ is: 'lost', by: { node: 'b', epoch: higher } });
  expect(await registry.streams(10)).toEqual([KEY]);
  expect((await registry.nodes()).map(({ record }) => record.node).sort()).toEqual(['a', 'b']);
  await registry.leave(B);
  expect(await registry.nodes()).toHaveLength(1);
  expect(await registry.release({ key: KEY, owner: B, epoch: higher })).toBe('released');
  await until('a hint', async () => {
    if (heard.length === 0) await granted(registry, { minEpoch: higher });
    return heard.length > 0;
  });
  await registry.close();
}

describe('the registry in Redis', () => {
  registryContract((options) => redisRegistry(server, options));
});

describe('the registry is found', () => {
  test('in a cluster', async () => {
    await using cluster = await RedisServer.startCluster();
    const nodes = [{ host: '127.0.0.1', port: cluster.port }];
    const registry = await openRedis({ place: { is: 'cluster', nodes } });
    expect(registry.localAddress).toBe('127.0.0.1');
    await talk(registry);
  });

  test('behind a sentinel, which hands over to the replica when the master is killed', async () => {
    await using master = await RedisServer.start({ port: await freePort() });
    await using replica = await RedisServer.startReplica(master);
    await using sentinel = await RedisSentinel.start(master);
    const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
    const target: RedisTarget = { place: { is: 'sentinel', sentinels, name: 'main' } };
    await talk(await openRedis(target));

    const registry = await openRedis(target);
    expect(registry.localAddress).toBe('127.0.0.1');
    const epoch = await granted(registry);
    await master.kill();
    const answer = await until(
      'renewed on the replica',
      () => renew(registry, epoch).catch(() => undefined),
      20_000,
    );
    expect(['ok', 'healed']).toContain(answer.is);
    expect(await replica.admin.hget(`${STREAM}:o`, 'epoch')).toBe(String(epoch));
    expect(await granted(registry, { owner: B })).toBeGreaterThan(epoch);
    await registry.close();
  });

  test('over TLS, and not by who does not know its authority', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tideway-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    await run('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
    ]);
    const port = await freePort();
    await using _secure = await RedisServer.start({
      args: [
        ...['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key],
        ...['--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'],
      ],
    });
    const place = { is: 'server', host: 'localhost', port } as const;
    await talk(await openRedis({ place, tls: { ca: readFileSync(cert, 'utf8') } }));

    const stranger = connectRedis({ place, tls: {} });
    const error = await new Promise<Error>((resolve) => stranger.once('error', resolve));
    stranger.disconnect();
    expect(error.message).toMatch(/self.signed/i);
    rmSync(folder, { recursive: true });
  });

  test('by an ACL user that may do no more than it needs', async () => {
    // The list of docs/decisions/0006-registry-in-redis.md.
    const commands = /```acl\n([\s\S]+?)```/.exec(
      readFileSync(new URL('../../docs/decisions/0006-registry-in-redis.md', import.meta.url), 'utf8'),
    )?.[1];
    const rules = (commands ?? '')
      .replaceAll('tw:', TEST_PREFIX)
      .replace('<password>', 'pass')
      .trim()
      .split(/\s+/);
    await using guarded = await RedisServer.start();
    await guarded.admin.call('ACL', ...rules);
    const place = { is: 'socket', path: guarded.path } as const;
    await talk(await openRedis({ place, username: 'tideway', password: 'pass' }));
    const elsewhere = await openRedis({ place, username: 'tideway', password: 'pass' }, { prefix: 'other:' });
    await expect(elsewhere.lookup(KEY)).rejects.toMatchObject({ code: 'registry.refused' });
    await elsewhere.close();
  });
});

describe('keys that others wrote to', () => {
  async function open() {
    await server.admin.flushall();
    return openRedis({ place: { is: 'socket', path: server.path } });
  }
  const farEpoch = () => String(nextEpoch(0, Date.now() + 700_000, 0));
  const origin = (more: Record<string, string>) => ({
    ...A,
    ...{ epoch: String(nextEpoch(0, Date.now(), 3)), publisher: 'a-1', reason: 'publish', state: 'live' },
    ...{ since: String(Date.now()), expires: String(Date.now() + 5_000) },
    ...more,
  });

  test.each([
    ['an epoch too far ahead', { epoch: farEpoch() }],
    ['an epoch that is none', { epoch: '1e300' }],
    ['a lease without end', { expires: '9999999999999' }],
    ['a node that is a page', { node: 'x'.repeat(100_000) }],
    ['no boot', { boot: '' }],
  ])('an origin with %s is not found, and does not keep others from claiming', async (_what, field) => {
    const registry = await open();
    await server.admin.hset(`${STREAM}:o`, origin({}));
    expect((await registry.lookup(KEY)).origin).toMatchObject(A);
    await server.admin.hset(`${STREAM}:o`, origin(field));
    expect((await registry.lookup(KEY)).origin).toBeUndefined();
    const epoch = await granted(registry, { owner: B });
    expect((await registry.lookup(KEY)).origin).toMatchObject({ ...B, epoch });
    await registry.close();
  });

  test.each([farEpoch(), '-1', 'nan', '9'.repeat(400)])(
    'a highest epoch of %s counts as none',
    async (highest) => {
      const registry = await open();
      const epoch = await granted(registry);
      await server.admin.set(`${STREAM}:e`, highest);
      expect((await registry.lookup(KEY)).highestEpoch).toBe(0);
      expect(await renew(registry, epoch)).toEqual({ is: 'ok' });
      expect((await registry.lookup(KEY)).highestEpoch).toBe(epoch);
      await registry.close();
    },
  );

  test('replicas that are none are left out, and a list without end is read in part', async () => {
    const registry = await open();
    const expires = Date.now() + 20_000;
    const epoch = String(nextEpoch(0, Date.now(), 3));
    await server.admin.hset(`${STREAM}:r`, {
      good: `${expires}|${A.boot}|${epoch}|1|a`,
      far: `${expires}|${A.boot}|${farEpoch()}|1|a`,
      long: `${expires}|${A.boot}|${epoch}|1|${'a'.repeat(300)}`,
      endless: `9999999999999|${A.boot}|${epoch}|1|a`,
      junk: '|||||',
      'a b': `${expires}|${A.boot}|${epoch}|1|a`,
    });
    expect((await registry.lookup(KEY)).replicas).toMatchObject([{ node: 'good' }]);
    const many = Array.from({ length: 3 * MAX_REPLICAS }, (_, at) => [
      `n${at}`,
      `${expires}|${A.boot}|${epoch}|1|a`,
    ]);
    await server.admin.hset(`${STREAM}:r`, Object.fromEntries(many));
    expect((await registry.lookup(KEY)).replicas.length).toBeLessThanOrEqual(MAX_REPLICAS);
    await registry.putReplica(KEY, { ...B, epoch: Number(epoch), hops: 1, upstream: 'a' });
    expect(await server.admin.hexists(`${STREAM}:r`, 'b')).toBe(0);
    await registry.close();
  });

  test('nodes that are none are left out', async () => {
    const registry = await open();
    await registry.beat(nodeRecordOf(A));
    const now = Date.now();
    for (const [id, record, beat] of [
      ['junk', '{', now],
      ['other', JSON.stringify(nodeRecordOf(B)), now],
      ['long', 'x'.repeat(100_000), now],
      ['future', JSON.stringify(nodeRecordOf(ownerOf('future'))), now + 60_000],
      ['inf', JSON.stringify(nodeRecordOf(ownerOf('inf'))), '+inf'],
    ] as const) {
      await server.admin.hset(`${NODES}:n:${id}`, { boot: B.boot, record });
      await server.admin.zadd(`${NODES}:z`, beat, id);
    }
    expect((await registry.nodes()).map(({ record }) => record.node)).toEqual(['a']);
    expect(await registry.beat(nodeRecordOf(A))).toMatchObject({ is: 'beaten', changed: [] });
    expect(await server.admin.zscore(`${NODES}:z`, 'inf')).toBeNull();
    await registry.close();
  });

  test('of another type are a refusal, which names no secret and harms no other stream', async () => {
    const registry = await open();
    await server.admin.set(`${STREAM}:o`, 'text');
    await expect(registry.claim(claimOf())).rejects.toMatchObject({ code: 'registry.refused' });
    await expect(registry.lookup(KEY)).rejects.toMatchObject({ code: 'registry.refused' });
    expect(await granted(registry, { key: parseStreamKey('live', 'other') })).toBeGreaterThan(0);
    await registry.close();
  });

  test('listed streams and hints that are none are left out', async () => {
    const registry = await open();
    await granted(registry);
    for (const junk of ['live/../x', 'x', '', 'a/b/c', 'x'.repeat(10_000)]) {
      await server.admin.zadd(`${TEST_PREFIX}{ix:0}`, Date.now(), junk);
    }
    expect(await registry.streams(100)).toEqual([KEY]);
    const heard: Hint[] = [];
    registry.subscribe((hint) => heard.push(hint));
    await until('a hint', async () => {
      await server.admin.publish(`${TEST_PREFIX}ev:streams`, 'claimed 1e9 a live/show');
      await server.admin.publish(`${TEST_PREFIX}ev:streams`, `claimed ${farEpoch()} a live/show`);
      await server.admin.publish(
        `${TEST_PREFIX}ev:streams`,
        `released ${nextEpoch(0, Date.now(), 1)} a live/show`,
      );
      return heard.length > 0;
    });
    expect(heard.every(({ is }) => is === 'released')).toBe(true);
    await registry.close();
  });
});

describe('a call', () => {
  /** A driver that has only begun to connect. */
  function unconnected(target: RedisTarget, clock: Clock = systemClock): RedisRegistry {
    const connect = () => connectRedis(target);
    return new RedisRegistry({ prefix: TEST_PREFIX }, { clock, scripts: loadScripts(), connect });
  }

  /** The error of a lookup, once it tells the reason. */
  function failure(registry: Registry, reason: RegExp): Promise<TidewayError> {
    return until('the reason', async () => {
      const error: unknown = await registry.lookup(KEY).catch((caught: unknown) => caught);
      return error instanceof TidewayError && reason.test(error.message) ? error : undefined;
    });
  }

  test('goes on after the server forgot its scripts', async () => {
    const registry = await openRedis({ place: { is: 'socket', path: server.path } });
    await registry.lookup(KEY);
    await server.admin.script('FLUSH');
    expect(await registry.lookup(KEY)).toMatchObject({ key: KEY });
    await registry.close();
  });

  test('fails at once while there is no connection, and says no more than that', async () => {
    const path = join(tmpdir(), 'tideway-no-such.sock');
    const registry = unconnected({ place: { is: 'socket', path }, password: 'secret' });
    const error = await failure(registry, /ENOENT/);
    expect(error).toMatchObject({ code: 'registry.unavailable' });
    expect(error.message).not.toContain('secret');
    await registry.close();
  });

  test('is refused to who has the wrong password, and says why', async () => {
    await using locked = await RedisServer.start();
    await locked.admin.config('SET', 'requirepass', 'right');
    const registry = unconnected({ place: { is: 'socket', path: locked.path }, password: 'wrong' });
    const error = await failure(registry, /NOAUTH|WRONGPASS/);
    expect(error.code).toBe('registry.unavailable');
    expect(error.message).not.toContain('wrong');
    await registry.close();
  });

  test('is a claim that came too late, and so is not carried out', async () => {
    await using stopped = await RedisServer.start();
    const registry = unconnected({ place: { is: 'socket', path: stopped.path } });
    await until('registry time is known', () => registry.lookup(KEY).catch(() => undefined));
    stopped.pause();
    await expect(registry.claim(claimOf())).rejects.toMatchObject({ code: 'registry.unavailable' });
    stopped.resume();
    expect(await until('an answer', () => registry.lookup(KEY).catch(() => undefined))).toMatchObject({
      origin: undefined,
      highestEpoch: 0,
    });
    expect(String(await stopped.admin.info('commandstats'))).toMatch(/cmdstat_eval(sha)?:calls/);
    await registry.close();
  });

  test('of a claim whose clock was wrong is tried again with the right time', async () => {
    await server.admin.flushall();
    let wall = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + wall };
    const registry = unconnected({ place: { is: 'socket', path: server.path } }, clock);
    await until('registry time is known', () => registry.lookup(KEY).catch(() => undefined));
    wall = -60_000;
    expect(await granted(registry)).toBeGreaterThan(0);
    await registry.close();
  });
});

test('the hint connection is a cluster client too where the registry is one', async () => {
  const client = connectRedis({ place: { is: 'cluster', nodes: [{ host: '127.0.0.1', port: 1 }] } });
  expect(client).toBeInstanceOf(Cluster);
  client.disconnect();
});
