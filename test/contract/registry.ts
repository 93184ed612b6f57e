// What every registry driver does, whatever it keeps its records in.
import { describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { epochStartWallMs, isPlausibleEpoch } from '../../src/registry/epoch.ts';
import {
  CLAIM_LEASE_MS,
  type ClaimRequest,
  type Hint,
  NODE_LEASE_MS,
  REPLICA_LEASE_MS,
  type Registry,
  type RenewRequest,
  TOMBSTONE_MS,
} from '../../src/registry/registry.ts';
import { nodeRecordOf, ownerOf, type TestRegistry } from '../support/registries.ts';
import { until } from '../support/until.ts';

const KEY = parseStreamKey('live', 'show');
const A = ownerOf('a');
const B = ownerOf('b');
const RESTARTED_A = ownerOf('a', 1);

type Open = (options?: { startWallMs: number }) => Promise<TestRegistry>;

function claimOf(more: Partial<ClaimRequest> = {}): ClaimRequest {
  const { owner = A } = more;
  const publisher = `${owner.node}-1`;
  return { key: KEY, owner, publisher, reason: 'publish', mode: 'takeover', minEpoch: 0, tag: 7, ...more };
}

function renewalOf(epoch: number, more: Partial<RenewRequest> = {}): RenewRequest {
  const { owner = A } = more;
  const publisher = `${owner.node}-1`;
  return {
    ...{ key: KEY, owner, publisher, reason: 'publish', epoch, state: 'live', standing: 'granted' },
    ...more,
  };
}

async function granted(registry: Registry, more: Partial<ClaimRequest> = {}): Promise<number> {
  const answer = await registry.claim(claimOf(more));
  if (answer.is !== 'granted') throw new Error(`the claim was ${answer.is}`);
  return answer.epoch;
}

/** Runs the suite against one driver; `open` starts empty each time. */
export function registryContract(open: Open): void {
  describe('a claim', () => {
    test('of an unknown stream is granted an epoch of registry time, and is found by all clients', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      expect(epochStartWallMs(epoch)).toBe(stage.nowWallMs());
      expect(epoch % 4096).toBe(7);
      const other = await stage.another();
      expect(await other.lookup(KEY)).toEqual({
        key: KEY,
        origin: {
          ...A,
          epoch,
          publisher: 'a-1',
          reason: 'publish',
          state: 'live',
          sinceWallMs: stage.nowWallMs(),
          leaseMs: CLAIM_LEASE_MS,
        },
        replicas: [],
        backup: undefined,
        highestEpoch: epoch,
        ageMs: 0,
      });
    });

    test('takes a live stream over, with a higher epoch, though no time passed', async () => {
      await using stage = await open();
      const first = await granted(stage.registry);
      const second = await granted(stage.registry, { owner: B, tag: 3 });
      expect(second).toBeGreaterThan(first);
      expect(await stage.registry.renew(renewalOf(first))).toMatchObject({
        is: 'lost',
        by: { node: 'b', epoch: second },
        highestEpoch: second,
      });
    });

    test('in mode reject is told who has the stream, and changes nothing', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      const before = await stage.registry.lookup(KEY);
      const answer = await stage.registry.claim(claimOf({ owner: B, mode: 'reject' }));
      expect(answer).toMatchObject({ is: 'taken', by: { node: 'a', epoch } });
      expect(await stage.registry.lookup(KEY)).toEqual(before);
    });

    test('in mode reject gets a stream that is held, expired, released, or its own node has', async () => {
      await using stage = await open();
      const held = await granted(stage.registry);
      await stage.registry.renew(renewalOf(held, { state: 'held' }));
      const second = await granted(stage.registry, { owner: B, mode: 'reject' });
      await stage.tick(CLAIM_LEASE_MS);
      const third = await granted(stage.registry, { mode: 'reject' });
      await stage.registry.release({ key: KEY, owner: A, epoch: third });
      const fourth = await granted(stage.registry, { mode: 'reject' });
      const fifth = await granted(stage.registry, { owner: RESTARTED_A, mode: 'reject' });
      const sixth = await granted(stage.registry, { owner: RESTARTED_A, publisher: 'a-2', mode: 'reject' });
      const row = [held, second, third, fourth, fifth, sixth];
      expect(row).toEqual([...new Set(row)].sort((a, b) => a - b));
    });

    test('asked again by the same publisher has the same answer, unless it knows of a higher epoch', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.tick(500);
      expect(await granted(stage.registry)).toBe(epoch);
      expect(await granted(stage.registry, { mode: 'reject' })).toBe(epoch);
      expect(await granted(stage.registry, { minEpoch: epoch })).toBeGreaterThan(epoch);
    });

    test('of another publisher of the same node is another claim', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      expect(await granted(stage.registry, { publisher: 'a-2' })).toBeGreaterThan(epoch);
    });

    test('is granted above the minimum that it names, but not above one that can not be', async () => {
      await using stage = await open();
      const ahead = 4096 * (stage.nowWallMs() + 60_000 - Date.UTC(2024, 0, 1)) + 5;
      expect(await granted(stage.registry, { minEpoch: ahead })).toBeGreaterThan(ahead);
      await stage.wipe();
      const epoch = await granted(stage.registry, { minEpoch: 2 ** 53 - 1 });
      expect(epochStartWallMs(epoch)).toBe(stage.nowWallMs());
    });

    test('after everything was lost is granted a higher epoch than ever', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.wipe();
      await stage.tick(1);
      expect(await granted(stage.registry, { owner: B, tag: 0 })).toBeGreaterThan(epoch);
    });
  });

  describe('a renewal', () => {
    test('keeps the claim for another lease, and says whether the publisher is there', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.tick(CLAIM_LEASE_MS - 1);
      expect(await stage.registry.renew(renewalOf(epoch, { state: 'held' }))).toEqual({ is: 'ok' });
      await stage.tick(CLAIM_LEASE_MS - 1);
      expect((await stage.registry.lookup(KEY)).origin).toMatchObject({ epoch, state: 'held', leaseMs: 1 });
      await stage.tick(1);
      expect((await stage.registry.lookup(KEY)).origin).toBeUndefined();
    });

    test('writes the claim again, with its epoch, when it expired or was lost', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.tick(CLAIM_LEASE_MS);
      expect(await stage.registry.renew(renewalOf(epoch))).toEqual({ is: 'healed' });
      await stage.dropOrigin(KEY);
      expect(await stage.registry.renew(renewalOf(epoch))).toEqual({ is: 'healed' });
      await stage.wipe();
      expect(await stage.registry.renew(renewalOf(epoch))).toEqual({ is: 'healed' });
      expect(await stage.registry.lookup(KEY)).toMatchObject({
        origin: { ...A, epoch },
        highestEpoch: epoch,
      });
    });

    test('wins over a lower claim that came back with old data', async () => {
      await using stage = await open();
      const old = await granted(stage.registry);
      await stage.snapshot();
      const epoch = await granted(stage.registry, { owner: B });
      await stage.rollback();
      expect((await stage.registry.lookup(KEY)).origin?.epoch).toBe(old);
      expect(await stage.registry.renew(renewalOf(epoch, { owner: B }))).toEqual({ is: 'healed' });
      expect(await stage.registry.renew(renewalOf(old))).toMatchObject({ is: 'lost', by: { node: 'b' } });
    });

    test('is lost once a higher epoch was granted, though its record is gone', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      const higher = await granted(stage.registry, { owner: B });
      await stage.dropOrigin(KEY);
      const answer = await stage.registry.renew(renewalOf(epoch));
      expect(answer).toEqual({ is: 'lost', by: undefined, highestEpoch: higher });
      expect((await stage.registry.lookup(KEY)).origin).toBeUndefined();
    });

    test('of a restarted process is lost: the claim was its predecessor\u2019s', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      const before = await stage.registry.lookup(KEY);
      expect(await stage.registry.renew(renewalOf(epoch, { owner: RESTARTED_A }))).toMatchObject({
        is: 'lost',
      });
      expect(await stage.registry.lookup(KEY)).toEqual(before);
    });

    test('of a provisional epoch heals an empty registry, and never displaces a claim that stands', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      const provisional = renewalOf(epoch + 4096, { owner: B, standing: 'provisional' });
      expect(await stage.registry.renew(provisional)).toMatchObject({ is: 'lost', by: { epoch } });
      await stage.tick(CLAIM_LEASE_MS);
      expect(await stage.registry.renew(provisional)).toEqual({ is: 'healed' });
      expect(await stage.registry.renew(renewalOf(epoch))).toMatchObject({ is: 'lost' });
    });

    test('of a provisional epoch displaces a claim that only holds players', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.registry.renew(renewalOf(epoch, { state: 'held' }));
      const provisional = renewalOf(epoch + 4096, { owner: B, standing: 'provisional' });
      expect(await stage.registry.renew(provisional)).toEqual({ is: 'healed' });
      expect((await stage.registry.lookup(KEY)).origin).toMatchObject({ node: B.node, state: 'live' });
    });

    test('of a provisional epoch wins over a claim of its own process that was thought lost', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      const provisional = renewalOf(epoch + 4096, { standing: 'provisional' });
      expect(await stage.registry.renew(provisional)).toEqual({ is: 'healed' });
    });
  });

  describe('a release', () => {
    test('frees the stream at once, and no late renewal raises it for a minute', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      expect(await stage.registry.release({ key: KEY, owner: A, epoch })).toBe('released');
      expect((await stage.registry.lookup(KEY)).origin).toBeUndefined();
      await stage.tick(TOMBSTONE_MS - 1);
      expect(await stage.registry.renew(renewalOf(epoch))).toMatchObject({ is: 'lost', by: undefined });
      expect((await stage.registry.lookup(KEY)).origin).toBeUndefined();
    });

    test('of a claim that the registry had forgotten leaves a tombstone too', async () => {
      await using stage = await open();
      const epoch = await granted(stage.registry);
      await stage.wipe();
      expect(await stage.registry.release({ key: KEY, owner: A, epoch })).toBe('released');
      expect(await stage.registry.renew(renewalOf(epoch))).toMatchObject({ is: 'lost' });
      expect(await granted(stage.registry, { owner: B })).toBeGreaterThan(epoch);
    });

    test('of what is no longer, or never was, the caller\u2019s changes nothing', async () => {
      await using stage = await open();
      const old = await granted(stage.registry);
      const epoch = await granted(stage.registry, { owner: B });
      const before = await stage.registry.lookup(KEY);
      for (const [owner, stale] of [
        [A, old],
        [A, epoch],
        [ownerOf('b', 1), epoch],
      ] as const) {
        expect(await stage.registry.release({ key: KEY, owner, epoch: stale })).toBe('lost');
      }
      expect(await stage.registry.lookup(KEY)).toEqual(before);
    });
  });

  test('epochs above 2^52 survive every call, digit by digit', async () => {
    await using stage = await open({ startWallMs: Date.UTC(2060, 0, 1) });
    const { registry } = stage;
    const epoch = await granted(registry, { tag: 4095 });
    expect(epoch).toBeGreaterThan(2 ** 52);
    expect(epoch % 4096).toBe(4095);
    await registry.beat(nodeRecordOf(A));
    await registry.putReplica(KEY, { ...A, epoch, hops: 1, upstream: 'b' });
    expect(await registry.renew(renewalOf(epoch))).toEqual({ is: 'ok' });
    expect(await registry.renew(renewalOf(epoch - 1))).toMatchObject({ is: 'lost', highestEpoch: epoch });
    expect(await registry.lookup(KEY)).toMatchObject({
      origin: { epoch },
      replicas: [{ epoch }],
      highestEpoch: epoch,
    });
    const next = await granted(registry, { owner: B, tag: 0 });
    expect(next).toBe(epoch - 4095 + 4096);
    await stage.wipe();
    expect(await registry.renew(renewalOf(next, { owner: B }))).toEqual({ is: 'healed' });
    expect(await registry.release({ key: KEY, owner: B, epoch: next })).toBe('released');
    expect(await registry.lookup(KEY)).toMatchObject({ origin: undefined, highestEpoch: next });
    expect(await granted(registry, { minEpoch: next + 4096, tag: 1 })).toBe(next + 2 * 4096 + 1);
    expect(isPlausibleEpoch(next, stage.nowWallMs())).toBe(true);
  });

  describe('a beat', () => {
    test('brings the others that beat since the last one, with what is left of their leases', async () => {
      await using stage = await open();
      const { registry } = stage;
      const first = await registry.beat(nodeRecordOf(A));
      if (first.is !== 'beaten') throw new Error('taken');
      expect(first.changed).toEqual([]);
      await stage.tick(100);
      const record = nodeRecordOf(B, { draining: true });
      await registry.beat(record);
      await stage.tick(900);
      const second = await registry.beat(nodeRecordOf(A), first.cursor);
      expect(second).toMatchObject({ is: 'beaten', gen: first.gen });
      expect(second.is === 'beaten' && second.changed).toEqual([{ record, leaseMs: NODE_LEASE_MS - 900 }]);
      await stage.tick(1000);
      const third = await registry.beat(nodeRecordOf(A), second.is === 'beaten' ? second.cursor : 0);
      expect(third).toMatchObject({ changed: [] });
      expect(await registry.beat(nodeRecordOf(A))).toMatchObject({ changed: [{ record }] });
    });

    test('misses no other that beats in the same millisecond', async () => {
      await using stage = await open();
      const first = await stage.registry.beat(nodeRecordOf(A));
      await stage.registry.beat(nodeRecordOf(B));
      await stage.tick(1000);
      const second = await stage.registry.beat(nodeRecordOf(A), first.is === 'beaten' ? first.cursor : 0);
      expect(second).toMatchObject({ changed: [{ record: { node: 'b' } }] });
    });

    test('under an id in use is refused until the other has been silent for a lease', async () => {
      await using stage = await open();
      await stage.registry.beat(nodeRecordOf(A));
      await stage.tick(1000);
      expect(await stage.registry.beat(nodeRecordOf(RESTARTED_A))).toEqual({
        is: 'taken',
        boot: A.boot,
        leaseMs: NODE_LEASE_MS - 1000,
      });
      await stage.tick(NODE_LEASE_MS - 1000);
      expect(await stage.registry.beat(nodeRecordOf(RESTARTED_A))).toMatchObject({ is: 'beaten' });
      expect(await stage.registry.beat(nodeRecordOf(A))).toMatchObject({
        is: 'taken',
        boot: RESTARTED_A.boot,
      });
    });

    test('tells by another generation that everything was lost', async () => {
      await using stage = await open();
      const first = await stage.registry.beat(nodeRecordOf(A));
      await stage.wipe();
      const second = await stage.registry.beat(nodeRecordOf(A), first.is === 'beaten' ? first.cursor : 0);
      expect(first.is === 'beaten' && second.is === 'beaten' && second.gen !== first.gen).toBe(true);
    });

    test('keeps a node in the list; leaving, or silence, takes it out', async () => {
      await using stage = await open();
      const { registry } = stage;
      for (const node of ['z', 'gen', 'n']) await registry.beat(nodeRecordOf(ownerOf(node)));
      const names = async () => (await registry.nodes()).map(({ record }) => record.node).sort();
      expect(await names()).toEqual(['gen', 'n', 'z']);
      await registry.leave(ownerOf('z', 1));
      await registry.leave(ownerOf('n'));
      expect(await names()).toEqual(['gen', 'z']);
      await stage.tick(NODE_LEASE_MS);
      expect(await names()).toEqual([]);
    });
  });

  describe('a replica', () => {
    const replica = { ...B, epoch: 4096 * 1000 + 1, hops: 2, upstream: 'a' };

    test('is found for a lease, as long as its node beats', async () => {
      await using stage = await open();
      const { registry } = stage;
      await registry.beat(nodeRecordOf(B));
      await registry.putReplica(KEY, replica);
      await stage.tick(1000);
      for (const node of [A, B]) await registry.beat(nodeRecordOf(node));
      expect((await registry.lookup(KEY)).replicas).toEqual([
        { ...replica, leaseMs: REPLICA_LEASE_MS - 1000 },
      ]);
      await stage.tick(NODE_LEASE_MS);
      await registry.beat(nodeRecordOf(A));
      const beating = await stage.another();
      await beating.beat(nodeRecordOf(A));
      expect((await beating.lookup(KEY)).replicas).toEqual([]);
    });

    test('of a node that we have not heard of yet is found', async () => {
      await using stage = await open();
      await stage.registry.beat(nodeRecordOf(A));
      await stage.tick(100);
      const other = await stage.another();
      await other.beat(nodeRecordOf(B));
      await other.putReplica(KEY, replica);
      expect((await stage.registry.lookup(KEY)).replicas).toMatchObject([replica]);
    });

    test('that expired is not found, though its node beats', async () => {
      await using stage = await open();
      await stage.registry.putReplica(KEY, replica);
      await stage.tick(REPLICA_LEASE_MS);
      await stage.registry.beat(nodeRecordOf(B));
      expect((await stage.registry.lookup(KEY)).replicas).toEqual([]);
    });

    test('is taken out by its own boot only', async () => {
      await using stage = await open();
      const { registry } = stage;
      await registry.beat(nodeRecordOf(B));
      await registry.putReplica(KEY, replica);
      await registry.deleteReplica(KEY, ownerOf('b', 1));
      expect((await registry.lookup(KEY)).replicas).toHaveLength(1);
      await registry.deleteReplica(KEY, B);
      expect((await registry.lookup(KEY)).replicas).toEqual([]);
    });

    test('of a later boot replaces an earlier one\u2019s, but a late word of an old epoch does not', async () => {
      await using stage = await open();
      const { registry } = stage;
      const restarted = { ...replica, boot: ownerOf('b', 1).boot, epoch: replica.epoch + 4096, hops: 1 };
      await registry.beat(nodeRecordOf({ node: 'b', boot: restarted.boot }));
      await registry.putReplica(KEY, replica);
      await registry.putReplica(KEY, restarted);
      await registry.putReplica(KEY, replica);
      expect((await registry.lookup(KEY)).replicas).toMatchObject([restarted]);
    });
  });

  test('a backup is found for a lease, and gives way to nobody but its own node', async () => {
    await using stage = await open();
    const { registry } = stage;
    expect(await registry.putBackup(KEY, { ...A, publisher: 'a-2' })).toBe('put');
    expect(await registry.putBackup(KEY, { ...B, publisher: 'b-2' })).toBe('taken');
    expect(await registry.putBackup(KEY, { ...RESTARTED_A, publisher: 'a-3' })).toBe('put');
    await registry.deleteBackup(KEY, A);
    expect((await registry.lookup(KEY)).backup).toEqual({
      ...RESTARTED_A,
      publisher: 'a-3',
      leaseMs: CLAIM_LEASE_MS,
    });
    await stage.tick(CLAIM_LEASE_MS);
    expect((await registry.lookup(KEY)).backup).toBeUndefined();
    expect(await registry.putBackup(KEY, { ...B, publisher: 'b-2' })).toBe('put');
    await registry.deleteBackup(KEY, B);
    expect((await registry.lookup(KEY)).backup).toBeUndefined();
  });

  test('streams that are claimed are listed, up to a limit', async () => {
    await using stage = await open();
    const { registry } = stage;
    const keys = Array.from({ length: 20 }, (_, at) => parseStreamKey('live', `show-${at}`));
    for (const key of keys) await granted(registry, { key });
    expect([...(await registry.streams(100))].sort()).toEqual([...keys].sort());
    expect(await registry.streams(5)).toHaveLength(5);
    const [key = KEY] = keys;
    const epoch = (await registry.lookup(key)).origin?.epoch ?? 0;
    await registry.release({ key, owner: A, epoch });
    await until('the released stream is gone', async () => !(await registry.streams(100)).includes(key));
  });

  test('claims and releases are told to who listens, until it stops', async () => {
    await using stage = await open();
    const listening = await stage.another();
    const heard: Hint[] = [];
    const stop = listening.subscribe((hint) => heard.push(hint));
    // A subscription takes hold at some time: hints before it are lost.
    await until('a hint', async () => {
      await granted(stage.registry, { minEpoch: (await stage.registry.lookup(KEY)).highestEpoch });
      return heard.length > 0;
    });
    const epoch = await granted(stage.registry, { owner: B });
    await stage.registry.release({ key: KEY, owner: B, epoch });
    await until('the release', () => heard.some(({ is }) => is === 'released'));
    expect(heard.slice(-2)).toEqual([
      { is: 'claimed', key: KEY, epoch, node: 'b' },
      { is: 'released', key: KEY, epoch, node: 'b' },
    ]);
    stop();
    stop();
    const { length } = heard;
    await granted(stage.registry);
    await stage.registry.lookup(KEY);
    expect(heard).toHaveLength(length);
  });

  test('a closed client answers nothing any more, and closing it again is calm', async () => {
    await using stage = await open();
    const client = await stage.another();
    await client.close();
    await client.close();
    await expect(client.lookup(KEY)).rejects.toMatchObject({ code: 'registry.closed' });
    await expect(client.streams(1)).rejects.toMatchObject({ code: 'registry.closed' });
    expect(() => client.subscribe(() => {})).toThrow(expect.objectContaining({ code: 'registry.closed' }));
    expect((await stage.registry.lookup(KEY)).origin).toBeUndefined();
  });
}
