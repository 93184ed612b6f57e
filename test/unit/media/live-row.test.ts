import { beforeEach, expect, test } from 'vitest';
import type { TimedFrame } from '../../../src/format/frame.ts';
import { MediaCounters } from '../../../src/media/counters.ts';
import { Cursor } from '../../../src/media/cursor.ts';
import { FrameLog, type LogEntry } from '../../../src/media/frame-log.ts';
import { type FlushCost, LiveRow } from '../../../src/media/live-row.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Player } from '../../../src/media/player.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeSink, frameOf, GONE, TestEncoder, WIDE_LOG } from '../../support/media.ts';

const PATIENT = { maxBacklogBytes: Number.POSITIVE_INFINITY, maxBacklogMs: Number.POSITIVE_INFINITY };
const OVERFULL_BYTES = 512 * 1024;
const WHOLE = Number.POSITIVE_INFINITY;

let clock: FakeClock;
let counters: MediaCounters;
let given: { bytes: number };
let row: LiveRow<TimedFrame>;
let newest: LogEntry;
let bytes: Buffer;
/** Names, in the order in which they were served. */
let served: number[];

beforeEach(() => {
  clock = new FakeClock();
  counters = new MediaCounters();
  given = { bytes: 0 };
  row = new LiveRow(clock, counters.of('test'), given);
  const encoder = new TestEncoder();
  newest = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40)).append(frameOf('avc key', 1, 0), 0, 0);
  bytes = encoder.encode([newest], 0);
  served = [];
});

/** A player joins the row; each of its writes takes 1 ms. */
function join(name: number, mode: 'fast' | 'by-hand' = 'fast', weight = 1): Player {
  const onWrite = () => {
    served.push(name);
    clock.advance(1);
  };
  const player: Player = new Player(
    new TestEncoder(),
    new FakeSink(mode, { weight, onWrite }),
    { remote: String(name) },
    {
      cursor: new Cursor(PATIENT),
      owner: { drained: () => {}, left: (gone) => row.remove(gone), settle: (asked) => row.settle(asked) },
      nowMs: 0,
    },
  );
  row.add(player);
  return player;
}

function joinAll(count: number): Player[] {
  return Array.from({ length: count }, (_, name) => join(name));
}

/** A flush begins, and goes as far as there is time. */
function flush(untilMs = WHOLE): FlushCost | undefined {
  row.closeUp();
  row.begin({ bytes, newest, timeBefore: 0, startMs: clock.now() });
  return row.serve(untilMs);
}

test('a flush that stops goes on where it was, and says what all its pieces took', () => {
  joinAll(40);
  const startMs = clock.now();
  expect(flush(startMs + 10)).toBeUndefined();
  expect(row.isServing).toBe(true);
  expect(served).toHaveLength(16);
  expect(given.bytes, 'though nobody may be there to go on with it').toBe(16 * bytes.length);
  clock.advance(1000);
  expect(row.serve(WHOLE)).toMatchObject({ startMs, costMs: 40 });
  expect(row.isServing).toBe(false);
  expect(served).toEqual(Array.from({ length: 40 }, (_, name) => name));
  expect(counters.of('test')).toMatchObject({ flushes: 1, writes: 40, bytes: 40 * bytes.length });
});

test('who is served first moves round the row in seven flushes', () => {
  joinAll(14);
  const firsts = Array.from({ length: 8 }, () => {
    served = [];
    flush();
    return served[0];
  });
  expect(firsts).toEqual([0, 2, 4, 6, 8, 10, 12, 0]);
});

test('who joins while a flush is under way is not served and not charged by it; who leaves is not served', () => {
  const players = joinAll(20);
  flush(clock.now() + 1);
  const late = join(20);
  players[18]?.leave(GONE);
  row.serve(WHOLE);
  expect(served).not.toContain(18);
  expect(served).not.toContain(20);
  row.settle(late);
  expect(late.bytesTaken).toBe(0);
  expect(row.closeUp()).toBe(20);
  flush();
  row.settle(late);
  expect(late.bytesTaken).toBe(bytes.length);
});

test('who holds too much leaves the row with the flush that was too much, and its place in the log is behind it', () => {
  join(0);
  const full = join(1, 'by-hand', OVERFULL_BYTES);
  join(2);
  flush();
  expect(full).toMatchObject({ state: 'behind', liveIndex: -1, bytesTaken: bytes.length });
  expect(full.cursor.position).toBe(newest.position + 1);
  flush();
  expect(served).toEqual([0, 1, 2, 2, 0]);
});

test('all in the row end at once', () => {
  const players = joinAll(3);
  row.end(GONE);
  expect(players.map(({ state }) => state)).toEqual(['ended', 'ended', 'ended']);
  expect(row.closeUp()).toBe(0);
});

test('who leaves in the middle of a flush has what it was given, served or not, and only real writes are counted', () => {
  const players = joinAll(20);
  flush();
  // The first three places come last now, and the last one before them.
  flush(clock.now() + 1);
  expect(served).toHaveLength(36);
  for (const player of players) player.leave(GONE);
  expect(row.serve(WHOLE)).toBeDefined();
  expect(served).toHaveLength(36);
  const flushes = players.map(({ bytesTaken }) => bytesTaken / bytes.length);
  expect(flushes).toEqual(players.map((_, name) => (name < 3 || name === 19 ? 1 : 2)));
  expect(counters.of('test')).toMatchObject({ flushes: 2, writes: 36, bytes: 36 * bytes.length });
  expect(given.bytes).toBe(36 * bytes.length);
});

test('who leaves the row by being too full has all flushes up to that one, each once', () => {
  const player = join(0, 'by-hand', (0.3 * OVERFULL_BYTES) / bytes.length / 2);
  while (player.state === 'live') flush();
  expect(served.length).toBeGreaterThan(1);
  expect(player.bytesTaken).toBe(served.length * bytes.length);
  row.settle(player);
  expect(player.bytesTaken).toBe(served.length * bytes.length);
});
