import { beforeEach, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import { StreamHolders } from '../../../src/node/stream-holders.ts';
import type { Lookup } from '../../../src/registry/registry.ts';
import { settle } from '../../support/settle.ts';

const KEY = parseStreamKey('live', 'show');
const BOOT = '0'.repeat(16);

function lookupOf(origin: string, replicas: readonly string[], ageMs = 0): Lookup {
  const of = { boot: BOOT, epoch: 4096, leaseMs: 1000 };
  return {
    key: KEY,
    origin: { ...of, node: origin, publisher: 'p', reason: 'publish', state: 'live', sinceWallMs: 0 },
    replicas: replicas.map((node) => ({ ...of, node, hops: 1, upstream: origin })),
    backup: undefined,
    highestEpoch: 4096,
    ageMs,
  };
}

let remembered: Lookup | undefined;
let asked: StreamKey[];
let answer: () => Promise<Lookup>;
let here: StreamKey[];
let holders: StreamHolders;

beforeEach(() => {
  remembered = undefined;
  asked = [];
  here = [];
  answer = async () => lookupOf('o', ['r']);
  holders = new StreamHolders({
    self: 'me',
    remembered: () => remembered,
    lookup: (key) => {
      asked.push(key);
      return answer();
    },
    isHere: (key) => here.includes(key),
  });
});

test('a stream that was never looked up is looked up first', async () => {
  expect(await holders.of(KEY)).toEqual({ origin: 'o', nodes: new Set(['r', 'o']) });
  expect(asked).toEqual([KEY]);
});

test('what is remembered is taken without asking, while it is young', async () => {
  remembered = lookupOf('o', [], 1_999);
  expect(await holders.of(KEY)).toEqual({ origin: 'o', nodes: new Set(['o']) });
  expect(holders.now(KEY)).toEqual({ origin: 'o', nodes: new Set(['o']) });
  expect(asked).toEqual([]);
});

test('what is old is taken all the same, and looked up again behind the decision', async () => {
  remembered = lookupOf('o', [], 2_001);
  expect(holders.now(KEY)).toEqual({ origin: 'o', nodes: new Set(['o']) });
  expect([asked.length, holders.table.entries]).toEqual([1, 1]);
  await settle();
  expect(holders.table.entries).toBe(0);
});

test('a stream of this node is here, whatever the registry says', async () => {
  here = [KEY];
  answer = () => Promise.reject(new Error('away'));
  expect(await holders.of(KEY)).toEqual({ origin: undefined, nodes: new Set(['me']) });
});

test('with the registry away nobody knows', async () => {
  answer = () => Promise.reject(new Error('away'));
  expect(await holders.of(KEY)).toBeUndefined();
});

test('no more than 64 lookups are under way', async () => {
  answer = () => new Promise(() => {});
  for (let at = 0; at < 70; at += 1) holders.now(parseStreamKey('live', `s${at}`));
  expect([asked.length, holders.table.entries, holders.spared]).toEqual([64, 64, 6]);
  expect(await holders.of(KEY)).toBeUndefined();
});
