// Records out of a registry are hostile input.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextEpoch } from '../../../src/registry/epoch.ts';
import {
  MAX_NODE_RECORD_BYTES,
  readBackup,
  readHint,
  readNode,
  readOrigin,
  readReplica,
  readStreamKey,
} from '../../../src/registry/records.ts';
import { nodeRecordOf, ownerOf } from '../../support/registries.ts';

const NOW = Date.UTC(2026, 0, 1);
const EPOCH = String(nextEpoch(0, NOW, 7));
const A = ownerOf('a');
const ORIGIN = {
  ...A,
  ...{
    epoch: EPOCH,
    publisher: 'a-1',
    reason: 'publish',
    state: 'live',
    sinceWallMs: String(NOW),
    leaseMs: '10',
  },
};
const REPLICA = { ...A, epoch: EPOCH, hops: '2', upstream: 'b', leaseMs: '10' };
const NODE = nodeRecordOf(A);

/** Each valid record with one field replaced by something that it can't be. */
const BAD_FIELDS = {
  node: ['', 'a b', 'a/b', 'x'.repeat(65), undefined, null, 1, ['a']],
  boot: ['', 'xyz', A.boot.toUpperCase().replace(/\d/g, 'F'), `${A.boot}0`],
  epoch: ['', '0', '-1', '1e9', '0x10', ' 1', '1.5', 'nan', '9'.repeat(17), String(2 ** 53 - 1)],
  leaseMs: ['', '0', '-1', 'inf', '1'.repeat(40)],
};

describe('an origin', () => {
  test('that is valid is read', () => {
    expect(readOrigin(ORIGIN, NOW)).toEqual({
      ...ORIGIN,
      ...{ epoch: Number(EPOCH), sinceWallMs: NOW, leaseMs: 10 },
    });
  });

  test.each(
    Object.entries({
      ...BAD_FIELDS,
      publisher: ['', 'x'.repeat(129), 'a\n', 'ü'],
      reason: ['', 'other'],
      state: ['released', 'LIVE'],
      sinceWallMs: ['', 'yesterday'],
    }).flatMap(([field, values]) => values.map((value) => [field, value] as const)),
  )('with %s %j is none', (field, value) => {
    expect(readOrigin({ ...ORIGIN, [field]: value }, NOW)).toBeUndefined();
  });

  test('more than ten minutes ahead of registry time is none', () => {
    const ahead = (ms: number) => ({ ...ORIGIN, epoch: String(nextEpoch(0, NOW + ms, 0)) });
    expect(readOrigin(ahead(600_000), NOW)).toBeDefined();
    expect(readOrigin(ahead(600_001), NOW)).toBeUndefined();
  });
});

test.each(
  Object.entries({ ...BAD_FIELDS, hops: ['', '0', '17', 'one'], upstream: ['', 'a b'] }).flatMap(
    ([field, values]) => values.map((value) => [field, value] as const),
  ),
)('a replica with %s %j is none', (field, value) => {
  expect(readReplica(REPLICA, NOW)).toMatchObject({ node: 'a', hops: 2, upstream: 'b' });
  expect(readReplica({ ...REPLICA, [field]: value }, NOW)).toBeUndefined();
});

test('a backup without a publisher is none', () => {
  const backup = { ...A, publisher: 'a-2', leaseMs: '10' };
  expect(readBackup(backup)).toEqual({ ...backup, leaseMs: 10 });
  expect(readBackup({ ...backup, publisher: '' })).toBeUndefined();
});

describe('a node record', () => {
  test('that is valid is read; fields of a newer version are left out', () => {
    expect(readNode('a', JSON.stringify({ ...NODE, wings: 2 }))).toEqual(NODE);
  });

  test('may say that a door speaks TLS', () => {
    const secure = { ...NODE, http: 'https://a.example:443', rtmpInternal: 'rtmps://10.0.0.1:1936' };
    expect(readNode('a', JSON.stringify(secure))).toEqual(secure);
  });

  test('of a node that is older says that it has no alarms', () => {
    const { alarms: _, ...load } = NODE.load;
    expect(readNode('a', JSON.stringify({ ...NODE, load }))?.load.alarms).toBe(0);
  });

  test.each([
    ['of another id', 'b', NODE],
    ['that is a list', 'a', [NODE]],
    ['that is null', 'a', null],
    ['with an address that is none', 'a', { ...NODE, mesh: ['http://10.0.0.1:1/'] }],
    ['with a scheme that is not of the door', 'a', { ...NODE, http: 'rtmps://10.0.0.1:1' }],
    ['with a scheme that is code', 'a', { ...NODE, http: 'javascript://10.0.0.1:1' }],
    ['with too many addresses', 'a', { ...NODE, mesh: Array(9).fill('10.0.0.1:1') }],
    ['with a share above 1', 'a', { ...NODE, load: { ...NODE.load, cpu: 2 } }],
    ['with a load below 0', 'a', { ...NODE, load: { ...NODE.load, players: -1 } }],
    ['without a load', 'a', { ...NODE, load: undefined }],
    ['with a region that is code', 'a', { ...NODE, region: '<script>' }],
    ['that is too long', 'a', { ...NODE, wings: 'x'.repeat(MAX_NODE_RECORD_BYTES) }],
  ])('%s is none', (_what, id, record) => {
    expect(readNode(id, JSON.stringify(record))).toBeUndefined();
  });

  test('that is no JSON, or no text, is none', () => {
    for (const junk of ['', '{', '[', undefined, 7, '['.repeat(4000)])
      expect(readNode('a', junk)).toBeUndefined();
  });
});

test('no junk is ever read as a record, and none throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.string(), (junk, text) => {
      const raw = { ...A, ...ORIGIN, ...REPLICA };
      const fields = Object.keys(raw) as (keyof typeof raw)[];
      for (const field of fields) {
        const origin = readOrigin({ ...raw, [field]: junk }, NOW);
        if (origin) expect(typeof origin.epoch).toBe('number');
        readReplica({ ...raw, [field]: text }, NOW);
      }
      readNode(junk, text);
      readHint(text, NOW);
      readStreamKey(junk);
    }),
  );
});

test('a hint is read as the scripts print it, and nothing else is', () => {
  const key = readStreamKey('live/show');
  if (!key) throw new Error('no key');
  const hint = { is: 'claimed' as const, key, epoch: Number(EPOCH), node: 'a' };
  const text = `claimed ${EPOCH} a live/show`;
  expect(readHint(text, NOW)).toEqual(hint);
  for (const junk of [
    '',
    `${text} more`,
    text.replace('claimed', 'burnt'),
    text.replace(EPOCH, '1e9'),
    text.replace('live/show', 'live/../show'),
    text.replace('live/show', `live/${'x'.repeat(600)}`),
  ]) {
    expect(readHint(junk, NOW)).toBeUndefined();
  }
});
