import { beforeEach, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import { MAX_WANTS, SEEK_AGAIN_MS, SEEKS_AT_ONCE, Wants } from '../../../src/mesh/wants.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog, KEY } from '../../support/media.ts';

let clock: FakeClock;
let log: FakeLog;
let sought: StreamKey[];
let here: Set<StreamKey>;
let refused: object[];
let is: { draining: boolean; short: boolean };
let wants: Wants;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  sought = [];
  here = new Set();
  refused = [];
  is = { draining: false, short: false };
  wants = new Wants({
    clock,
    log,
    quietLog: { wantRefused: (_node, fields) => refused.push(fields) },
    isDraining: () => is.draining,
    refusesJoins: () => is.short,
    isHere: (key) => here.has(key),
    seek: (key) => sought.push(key),
  });
});

const keyOf = (n: number) => parseStreamKey('live', `s${n}`);

test('what is wanted is sought at once, and wanted until its time is over', () => {
  expect(wants.ask('b', KEY, 30_000)).toBeUndefined();
  expect([wants.has(KEY), wants.count, sought]).toEqual([true, 1, [KEY]]);
  here.add(KEY);
  clock.advance(29_999);
  expect(wants.has(KEY)).toBe(true);
  clock.advance(1);
  expect(wants.has(KEY)).toBe(false);
  clock.advance(1_000);
  expect([wants.count, clock.timerCount]).toEqual([0, 0]);
  expect(log.of('preload.unwanted')).toEqual([{ stream: KEY, by: 'b', how: 'ran-out' }]);
});

test('asked again it is wanted for longer, and sought no second time', () => {
  wants.ask('b', KEY, 30_000);
  here.add(KEY);
  clock.advance(20_000);
  wants.ask('b', KEY, 30_000);
  clock.advance(29_999);
  expect([wants.has(KEY), wants.count, wants.taken, sought]).toEqual([true, 1, 1, [KEY]]);
});

test('who ends it ends their own want, and nobody else’s', () => {
  wants.ask('b', KEY, 30_000);
  wants.ask('c', KEY, 30_000);
  wants.ask('d', KEY, 0);
  wants.ask('b', KEY, 0);
  expect([wants.has(KEY), wants.count]).toEqual([true, 1]);
  wants.ask('c', KEY, 0);
  expect([wants.has(KEY), wants.count, clock.timerCount]).toEqual([false, 0, 0]);
});

test('what is not found is sought again each 5 s while it is wanted, and not while it is here', () => {
  wants.ask('b', KEY, 20_000);
  clock.advance(SEEK_AGAIN_MS - 1);
  expect(sought.length).toBe(1);
  clock.advance(1);
  expect(sought.length).toBe(2);
  here.add(KEY);
  clock.advance(SEEK_AGAIN_MS * 2);
  expect(sought.length).toBe(2);
  here.delete(KEY);
  clock.advance(1_000);
  expect([sought.length, wants.soughtAgain]).toEqual([3, 2]);
  clock.advance(60_000);
  expect(sought.length).toBe(3);
});

test('of many that are not found, few are sought at once, and each in its turn', () => {
  for (let n = 0; n < SEEKS_AT_ONCE * 6; n += 1) wants.ask('b', keyOf(n), 3_600_000);
  sought.length = 0;
  clock.advance(SEEK_AGAIN_MS);
  expect(sought).toEqual(Array.from({ length: SEEKS_AT_ONCE }, (_, n) => keyOf(n)));
  clock.advance(SEEK_AGAIN_MS);
  expect(sought.length).toBe(SEEKS_AT_ONCE * 6);
  expect(new Set(sought).size).toBe(SEEKS_AT_ONCE * 6);
});

test(`${MAX_WANTS} wants and no more, whoever asks; those that are there can be renewed`, () => {
  for (let n = 0; n < MAX_WANTS; n += 1) wants.ask(`n${n % 3}`, keyOf(n), 30_000);
  expect(wants.ask('b', KEY, 30_000)?.code).toBe('preload.too-many-wants');
  expect(refused).toMatchObject([{ stream: KEY, by: 'b', code: 'preload.too-many-wants' }]);
  expect(wants.ask('n0', keyOf(0), 30_000)).toBeUndefined();
  expect([wants.has(KEY), wants.count, wants.refused.samples()]).toEqual([
    false,
    MAX_WANTS,
    [{ value: 1, labels: { code: 'preload.too-many-wants' } }],
  ]);
});

test('a node that is short of memory takes no new one, and keeps what it has', () => {
  wants.ask('b', KEY, 30_000);
  is.short = true;
  expect(wants.ask('b', keyOf(1), 30_000)?.code).toBe('preload.no-memory');
  expect(wants.ask('b', KEY, 30_000)).toBeUndefined();
  expect([wants.has(KEY), sought]).toEqual([true, [KEY]]);
});

test('a node that drains wants nothing and takes nothing; undone, what has time left is wanted again', () => {
  wants.ask('b', KEY, 30_000);
  is.draining = true;
  expect(wants.has(KEY)).toBe(false);
  expect(wants.ask('b', KEY, 30_000)?.code).toBe('preload.draining');
  clock.advance(10_000);
  expect(sought).toEqual([KEY]);
  is.draining = false;
  expect(wants.has(KEY)).toBe(true);
  clock.advance(20_000);
  expect(wants.has(KEY)).toBe(false);
});

test('a stop leaves nothing, and is calm when repeated', () => {
  wants.ask('b', KEY, 30_000);
  wants.stop();
  wants.stop();
  expect([wants.has(KEY), wants.count, clock.timerCount]).toEqual([false, 0, 0]);
});
