import { getEventListeners, setMaxListeners } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import { MeshEncoder } from '../../../src/format/mesh/mesh-encoder.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import type { Stream } from '../../../src/media/stream.ts';
import { type DirectoryLimits, StreamDirectory } from '../../../src/media/stream-directory.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  FakeSource,
  frameOf,
  GONE,
  KEY,
  runOf,
  STREAM_OPTIONS,
  TestEncoder,
} from '../../support/media.ts';

const LIMITS: DirectoryLimits = { maxStreams: 3, waitMs: 2000, maxWaitingKeys: 2 };
const DRAINING = { code: 'node.draining', message: 'the node is emptied' };
const STOPPING = { code: 'node.stopping', message: 'the node stops' };

let clock: FakeClock;
let budget: MemoryBudget;
let sought: StreamKey[];
let seek: (key: StreamKey) => void;

beforeEach(() => {
  clock = new FakeClock();
  budget = new MemoryBudget(2 ** 40);
  sought = [];
  seek = (key) => sought.push(key);
});

function directoryOf(limits: Partial<DirectoryLimits> = {}): StreamDirectory {
  return new StreamDirectory({ ...LIMITS, ...limits }, STREAM_OPTIONS, {
    clock,
    log: new FakeLog(),
    budget,
    changed: () => {},
    seek: (key) => seek(key),
  });
}

function open(
  directory: StreamDirectory,
  key: StreamKey,
  signal = new AbortController().signal,
): Promise<Stream> {
  return directory.open({ key, query: new URLSearchParams(), protocol: 'http-flv', remote: 'test', signal });
}

/** The code of the error that the promise ends with; undefined if it does not fail. */
function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof TidewayError) return error.code;
      throw error;
    },
  );
}

function codeThrown(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof TidewayError) return error.code;
    throw error;
  }
}

const other = parseStreamKey('live', 'other');
const third = parseStreamKey('live', 'third');

/** Nothing waits, and no timer would ever fire. */
function expectNothingLeft(directory: StreamDirectory): void {
  clock.turn();
  expect([directory.waitingKeyCount, directory.streamCount, clock.timerCount, clock.soonCount]).toEqual([
    0, 0, 0, 0,
  ]);
}

describe('a stream directory', () => {
  test('opens a stream that is there at once', async () => {
    const directory = directoryOf();
    const stream = directory.feed(KEY);
    expect(await open(directory, KEY)).toBe(stream);
    expect(directory.feed(KEY)).toBe(stream);
    expect(directory.has(KEY)).toBe(true);
    expect(directory.has(other)).toBe(false);
    expect([...directory.streams]).toEqual([stream]);
    expect(clock.timerCount).toBe(0);
  });

  test('answers all who wait for a stream when it comes, and leaves no timer', async () => {
    const directory = directoryOf();
    const { signal } = new AbortController();
    const opened = [open(directory, KEY, signal), open(directory, KEY, signal), open(directory, KEY)];
    expect(directory.waitingKeyCount).toBe(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(2);
    clock.advance(1999);
    const stream = directory.feed(KEY);
    expect(await Promise.all(opened)).toEqual([stream, stream, stream]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect([directory.waitingKeyCount, clock.timerCount]).toEqual([0, 0]);
  });

  test('takes no player while the node is short of memory, for what is here or not; those who wait go on', async () => {
    budget = new MemoryBudget(1000);
    const directory = directoryOf();
    const waiting = open(directory, other);
    directory.feed(KEY);
    const used = budget.charge('backlog');
    used.hold(851);
    expect(await codeOf(open(directory, KEY))).toBe('play.no-memory');
    expect(await codeOf(open(directory, third))).toBe('play.no-memory');
    expect([sought, directory.waitingKeyCount]).toEqual([[other], 1]);
    expect(await Promise.all([waiting, directory.feed(other)])).toEqual([
      directory.get(other),
      directory.get(other),
    ]);
    used.hold(799);
    expect(await open(directory, KEY)).toBe(directory.get(KEY));
  });

  test('says after waitMs that a stream is not there, each time from when it was asked', async () => {
    const directory = directoryOf();
    const settled: string[] = [];
    const first = codeOf(open(directory, KEY)).then((code) => settled.push(`first ${code}`));
    clock.advance(1500);
    const second = codeOf(open(directory, KEY)).then((code) => settled.push(`second ${code}`));
    clock.advance(499);
    expect(directory.waitingKeyCount).toBe(1);
    clock.advance(1);
    await first;
    expect(settled).toEqual(['first play.not-found']);
    expect(directory.waitingKeyCount).toBe(1);
    clock.advance(1500);
    await second;
    expect(settled).toEqual(['first play.not-found', 'second play.not-found']);
    expectNothingLeft(directory);
  });

  test('lets so many keys be waited for and no more; more players for one of them are welcome', async () => {
    const directory = directoryOf();
    const waiting = [open(directory, KEY), open(directory, other), open(directory, other)].map(codeOf);
    expect(await codeOf(open(directory, third))).toBe('play.too-many-waiting');
    expect(directory.waitingKeyCount).toBe(2);
    clock.advance(2000);
    expect(await Promise.all(waiting)).toEqual(['play.not-found', 'play.not-found', 'play.not-found']);
    expectNothingLeft(directory);
  });

  test('forgets a player that goes while it waits, and one that was gone before', async () => {
    const directory = directoryOf();
    const leaver = new AbortController();
    const left = codeOf(open(directory, KEY, leaver.signal));
    const stays = codeOf(open(directory, KEY));
    leaver.abort();
    expect(await left).toBe('play.gone');
    expect([directory.waitingKeyCount, clock.timerCount]).toEqual([1, 1]);
    expect(await codeOf(open(directory, other, AbortSignal.abort()))).toBe('play.gone');
    expect([directory.waitingKeyCount, clock.timerCount]).toEqual([1, 1]);
    directory.feed(KEY);
    expect(await stays).toBe(undefined);
    leaver.abort();
  });

  test('keeps nothing of 100,000 unknown keys, whether they time out or go', async () => {
    const directory = directoryOf({ maxWaitingKeys: 1000 });
    const codes = new Map<string, number>();
    for (let round = 0; round < 50; round += 1) {
      const leaver = new AbortController();
      setMaxListeners(0, leaver.signal);
      const answers = Array.from({ length: 2000 }, (_, index) =>
        codeOf(open(directory, parseStreamKey('live', `unknown-${round}-${index}`), leaver.signal)),
      );
      expect(directory.waitingKeyCount).toBe(1000);
      expect(clock.timerCount).toBe(1000);
      if (round % 2 === 0) clock.advance(2000);
      else leaver.abort();
      for (const code of await Promise.all(answers))
        codes.set(String(code), (codes.get(String(code)) ?? 0) + 1);
      expectNothingLeft(directory);
    }
    expect(Object.fromEntries(codes)).toEqual({
      'play.not-found': 25_000,
      'play.gone': 25_000,
      'play.too-many-waiting': 50_000,
    });
  });

  test('refuses more players than it may have, until one leaves', async () => {
    const directory = directoryOf({ maxPlayers: 2 });
    const streams = [KEY, other].map((key) => directory.feed(key));
    const players = streams.map((stream) => {
      expect(directory.counters.players).toBeLessThan(2);
      return stream.play(new TestEncoder(), new FakeSink(), { remote: 'test' });
    });
    expect(await codeOf(open(directory, KEY))).toBe('play.too-many-players');
    expect(await codeOf(open(directory, third))).toBe('play.too-many-players');
    expect(clock.timerCount).toBeLessThanOrEqual(2);
    players[0]?.leave(GONE);
    players[0]?.leave(GONE);
    expect(directory.counters.players).toBe(1);
    expect(await codeOf(open(directory, KEY))).toBe(undefined);
    directory.stop(STOPPING);
    expect(directory.counters.players).toBe(0);
  });

  test('refuses more streams than it may have, until one ends', () => {
    const directory = directoryOf();
    const [first] = [KEY, other, third].map((key) => directory.feed(key));
    const fourth = parseStreamKey('live', 'fourth');
    expect(codeThrown(() => directory.feed(fourth))).toBe('publish.too-many-streams');
    first?.end(GONE);
    expect(directory.streamCount).toBe(2);
    directory.feed(fourth);
    expect(directory.has(KEY)).toBe(false);
  });

  test('forgets a stream whose hold is over, and its players and memory with it', () => {
    const directory = directoryOf();
    const stream = directory.feed(KEY);
    const source = new FakeSource(1);
    stream.attach(source, GONE);
    stream.begin(runOf(1));
    stream.append(frameOf('avc key', 1, 0));
    const sink = new FakeSink();
    stream.play(new TestEncoder(), sink, { remote: 'test' });
    stream.detach(source, GONE, 5000);
    clock.advance(5000);
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.hold-over' }]);
    expect(budget.usedBytes).toBe(0);
    expectNothingLeft(directory);
  });

  test('that stops ends its streams and all waits, and opens nothing from then on', async () => {
    const directory = directoryOf();
    const stream = directory.feed(KEY);
    const waiting = [open(directory, other), open(directory, third)].map(codeOf);
    directory.stop(STOPPING);
    expect(await Promise.all(waiting)).toEqual(['node.stopping', 'node.stopping']);
    expect(stream.state).toMatchObject({ at: 'ended', why: STOPPING });
    expectNothingLeft(directory);
    expect(await codeOf(open(directory, KEY))).toBe('node.stopping');
    expect(codeThrown(() => directory.feed(KEY))).toBe('node.stopping');
    directory.stop(STOPPING);
    expectNothingLeft(directory);
  });
});

test('logs that nothing is appended to give way, the biggest first, when the node is over its limit', () => {
  budget = new MemoryBudget(1_000_000);
  const directory = directoryOf();
  const fill = (key: StreamKey, frames: number): Stream => {
    const stream = directory.feed(key);
    const source = new FakeSource(1);
    stream.attach(source, GONE);
    stream.begin(runOf(1));
    for (let id = 0; id < frames; id += 1)
      stream.append(frameOf(id % 3 === 0 ? 'avc key' : 'avc delta', id, id * 400, 50_000));
    stream.detach(source, GONE, 30_000);
    return stream;
  };
  const small = fill(other, 4);
  const big = fill(KEY, 12);
  const before = [small.logBytes, big.logBytes];
  const used = budget.charge('backlog');
  directory.shed();
  expect([small.logBytes, big.logBytes]).toEqual(before);
  used.hold(400_000);
  expect(budget.isOver).toBe(true);
  directory.shed();
  expect(budget.isOver).toBe(false);
  expect(small.logBytes).toBe(before[0]);
  expect(big.logBytes).toBeLessThan(450_000);
});

describe('a key that is not here', () => {
  test('is sought once while players wait for it, and again when one comes after them', async () => {
    const directory = directoryOf();
    expect(directory.isWaitedFor(KEY)).toBe(false);
    const waiting = [open(directory, KEY), open(directory, KEY), open(directory, other)].map(codeOf);
    expect(sought).toEqual([KEY, other]);
    expect([directory.isWaitedFor(KEY), directory.isWaitedFor(third)]).toEqual([true, false]);
    clock.advance(LIMITS.waitMs);
    expect(await Promise.all(waiting)).toEqual(['play.not-found', 'play.not-found', 'play.not-found']);
    expect(directory.isWaitedFor(KEY)).toBe(false);
    const last = codeOf(open(directory, KEY));
    expect(sought).toEqual([KEY, other, KEY]);
    clock.advance(LIMITS.waitMs);
    expect(await last).toBe('play.not-found');
    expectNothingLeft(directory);
  });

  test('is not sought for a player that is gone, or that may not wait, nor if it is here', async () => {
    const directory = directoryOf({ maxWaitingKeys: 0 });
    expect(await codeOf(open(directory, KEY))).toBe('play.too-many-waiting');
    const stream = directory.feed(other);
    expect(await open(directory, other)).toBe(stream);
    expect(await codeOf(open(directoryOf(), KEY, AbortSignal.abort()))).toBe('play.gone');
    expect(sought).toEqual([]);
  });

  test('may be fed while it is sought', async () => {
    const directory = directoryOf();
    seek = (key) => void directory.feed(key);
    expect(await open(directory, KEY)).toBe(directory.get(KEY));
  });
});

test('who waits is turned away; the node goes on', async () => {
  const directory = directoryOf();
  const waiting = codeOf(open(directory, KEY));
  directory.turnAway(DRAINING);
  expect(await waiting).toBe('node.draining');
  expect([directory.waitingKeyCount, clock.timerCount]).toEqual([0, 0]);
  const opened = open(directory, KEY);
  directory.feed(KEY);
  expect((await opened).key).toBe(KEY);
});

test('the players of all streams can be ended, and the streams go on', () => {
  const directory = directoryOf();
  const stream = directory.feed(KEY);
  const source = new FakeSource(1);
  stream.attach(source, GONE);
  stream.begin(runOf(1));
  stream.append(frameOf('avc key', 1, 0));
  const [sink, follower] = [new FakeSink(), new FakeSink()];
  stream.play(new TestEncoder(), sink, { remote: 'test' });
  stream.follow(new MeshEncoder(1), follower, { remote: 'test' });
  directory.endPlayers(DRAINING);
  expect(sink.ends).toEqual([{ how: 'end', code: 'node.draining' }]);
  expect([stream.state.at, stream.playerCount, source.displacedBy]).toEqual(['live', 0, []]);
  expect([stream.followerCount, follower.ends]).toEqual([1, []]);
});
