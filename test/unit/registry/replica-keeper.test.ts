import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import type { Owner, ReplicaRecord } from '../../../src/registry/registry.ts';
import {
  REPLICA_RENEW_MS,
  REPLICA_RETRY_MS,
  REPLICA_UPDATE_MS,
  ReplicaKeeper,
} from '../../../src/registry/replica-keeper.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const KEY = parseStreamKey('live', 'show');
const OWNER = ownerOf('a');
const PLACE = { epoch: 4096, hops: 1, upstream: 'origin' };

let clock: FakeClock;
let calls: string[];
let isAway: boolean;
/** Answers calls by hand, if it is not undefined. */
let pending: (() => void)[] | undefined;
let most: number;
let keeper: ReplicaKeeper;

beforeEach(() => {
  clock = new FakeClock();
  calls = [];
  isAway = false;
  pending = undefined;
  most = 0;
  let flying = 0;
  const answer = async (call: string) => {
    calls.push(call);
    flying += 1;
    most = Math.max(most, flying);
    if (pending) await new Promise<void>((resolve) => pending?.push(resolve));
    flying -= 1;
    if (isAway) throw new Error('away');
  };
  keeper = new ReplicaKeeper({
    owner: OWNER,
    clock,
    random: () => 0.5,
    registry: {
      putReplica: (key: StreamKey, { epoch, hops, upstream, node }: Omit<ReplicaRecord, 'leaseMs'>) =>
        answer(`put ${key} ${node} ${epoch} ${hops} ${upstream}`),
      deleteReplica: (key: StreamKey, { boot }: Owner) =>
        answer(`delete ${key} ${boot === OWNER.boot ? 'mine' : boot}`),
    },
  });
});

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    clock.pass(Math.min(left, 50));
    await settle();
  }
}

const PUT = 'put live/show a 4096 1 origin';
const DELETE = 'delete live/show mine';

describe('a kept replica', () => {
  test('is put at once, and again every 10 s', async () => {
    keeper.keep(KEY, PLACE);
    expect(calls).toEqual([PUT]);
    await pass(REPLICA_RENEW_MS * 3.5);
    expect(calls).toEqual([PUT, PUT, PUT, PUT]);
    expect([keeper.count, keeper.puts, keeper.failures]).toEqual([1, 4, 0]);
  });

  test('that moves is told within 200 ms, once; one that did not is not told', async () => {
    keeper.keep(KEY, PLACE);
    await settle();
    keeper.keep(KEY, { ...PLACE });
    keeper.keep(KEY, { ...PLACE, hops: 2 });
    await pass(REPLICA_UPDATE_MS / 2);
    keeper.keep(KEY, { ...PLACE, hops: 3, upstream: 'b' });
    await pass(REPLICA_UPDATE_MS / 2);
    expect(calls).toEqual([PUT, 'put live/show a 4096 3 b']);
    await pass(1000);
    expect(calls).toHaveLength(2);
  });

  test('is tried again each second while that fails', async () => {
    isAway = true;
    keeper.keep(KEY, PLACE);
    await pass(REPLICA_RETRY_MS * 3.5);
    expect([keeper.puts, keeper.failures]).toEqual([0, 4]);
    isAway = false;
    await pass(REPLICA_RETRY_MS);
    expect(keeper.puts).toBe(1);
  });

  test('is put again within the time that is asked for', async () => {
    keeper.keep(KEY, PLACE);
    keeper.keep(parseStreamKey('live', 'other'), PLACE);
    await settle();
    keeper.renewAllWithin(1000);
    await pass(1000);
    expect(calls).toHaveLength(4);
  });

  test('is taken out once it is dropped, and nothing is left', async () => {
    keeper.keep(KEY, PLACE);
    await settle();
    keeper.drop(KEY);
    keeper.drop(KEY);
    await settle();
    expect(calls).toEqual([PUT, DELETE]);
    keeper.renewAllWithin(1000);
    await pass(20_000);
    expect(calls).toHaveLength(2);
    expect(clock.timerCount).toBe(0);
    expect(keeper.count).toBe(0);
  });

  test('is dropped for good also if that fails: its lease runs out', async () => {
    keeper.keep(KEY, PLACE);
    await settle();
    isAway = true;
    keeper.close();
    await pass(20_000);
    expect(calls).toEqual([PUT, DELETE]);
    expect(clock.timerCount).toBe(0);
  });
});

describe('while a call is on its way', () => {
  const answerAll = async () => {
    for (const resolve of pending?.splice(0) ?? []) resolve();
    await settle();
  };

  beforeEach(() => {
    pending = [];
    keeper.keep(KEY, PLACE);
  });

  test('a drop waits for it', async () => {
    keeper.drop(KEY);
    expect(calls).toEqual([PUT]);
    await answerAll();
    expect(calls).toEqual([PUT, DELETE]);
    await answerAll();
    expect(clock.timerCount).toBe(0);
  });

  test('a drop and a new place come to the new place', async () => {
    keeper.drop(KEY);
    keeper.keep(KEY, { ...PLACE, epoch: 8192 });
    await answerAll();
    clock.advance(REPLICA_UPDATE_MS);
    expect(calls).toEqual([PUT, 'put live/show a 8192 1 origin']);
  });

  test('a deletion is followed by the put of who came meanwhile', async () => {
    await answerAll();
    keeper.drop(KEY);
    keeper.keep(KEY, PLACE);
    expect(calls).toEqual([PUT, DELETE]);
    await answerAll();
    expect(calls).toEqual([PUT, DELETE, PUT]);
  });

  test('no other call is made for the stream, whatever happens', async () => {
    for (let turn = 0; turn < 50; turn += 1) {
      keeper.keep(KEY, { ...PLACE, hops: 1 + (turn % 4) });
      if (turn % 3 === 0) keeper.drop(KEY);
      keeper.renewAllWithin(100);
      clock.pass(150);
      if (turn % 5 === 0) await answerAll();
    }
    expect(most).toBe(1);
  });
});
