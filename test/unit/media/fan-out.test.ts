import { beforeEach, describe, expect, test } from 'vitest';
import type { Frame, TimedFrame } from '../../../src/format/frame.ts';
import { MediaCounters } from '../../../src/media/counters.ts';
import { Cursor } from '../../../src/media/cursor.ts';
import { eraFrom, FanOut, type Serving } from '../../../src/media/fan-out.ts';
import { FrameLog } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Player } from '../../../src/media/player.ts';
import { ERA_LIMIT_MS, ERA_MS } from '../../../src/media/timeline.ts';
import { Turns } from '../../../src/media/turns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeSink, frameOf, GONE, type PayloadName, TestEncoder, WIDE_LOG } from '../../support/media.ts';

const BOTH = { audio: true, video: true };
/** Limits that nobody is too slow for. */
const PATIENT = { maxBacklogBytes: Number.POSITIVE_INFINITY, maxBacklogMs: Number.POSITIVE_INFINITY };
const OVERFULL_BYTES = 512 * 1024;

let clock: FakeClock;
let turns: Turns;
let counters: MediaCounters;
let given: { bytes: number };
let log: FrameLog;
let encoder: TestEncoder;
let left: string[];
let nextId: number;

beforeEach(() => {
  clock = new FakeClock();
  turns = new Turns(clock);
  counters = new MediaCounters();
  given = { bytes: 0 };
  log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
  encoder = new TestEncoder();
  left = [];
  nextId = 1;
});

function fanOutOf(serving: Serving<TimedFrame>, maxDelayMs = 100): FanOut {
  return new FanOut(encoder, serving, {
    clock,
    turns,
    log,
    maxDelayMs,
    counters: counters.of('test'),
    given,
    moved: () => {},
  });
}

/** Gives a player all that its sink takes. */
function pump(fanOut: FanOut, player: Player): void {
  while (fanOut.pump(player) === 'more');
}

/** Appends a frame that is shown at `time`; returns it. */
function append(name: PayloadName, time = 0, size = 0): Frame {
  const frame = frameOf(name, nextId++, time, size);
  log.append(frame, time, time);
  return frame;
}

function playerOf(fanOut: FanOut, sink: FakeSink): Player {
  const player = new Player(
    encoder,
    sink,
    { remote: 'test' },
    {
      cursor: new Cursor(PATIENT),
      owner: {
        drained: (drained) => pump(fanOut, drained),
        settle: (asked) => fanOut.settle(asked),
        left: (gone, why) => {
          fanOut.remove(gone);
          left.push(why.code);
        },
      },
      nowMs: 0,
    },
  );
  sink.player = player;
  return player;
}

function join(fanOut: FanOut, sink = new FakeSink()): FakeSink {
  const player = playerOf(fanOut, sink);
  if (fanOut.join(player, BOTH) === 'more') pump(fanOut, player);
  return sink;
}

function stateOf(sink: FakeSink): string | undefined {
  return sink.player?.state;
}

/** How many of them are live? */
function liveOf(...sinks: FakeSink[]): number {
  return sinks.filter((sink) => stateOf(sink) === 'live').length;
}

describe('a fan-out', () => {
  test('gives all live players the very same buffer, and encodes each frame once', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 100 }, () => join(fanOut));
    encoder.batches.length = 0;
    const first = [append('avc delta', 40), append('aac sample', 41)];
    fanOut.flushNow();
    const second = [append('avc delta', 80)];
    fanOut.flushNow();
    expect(encoder.batches.map((batch) => batch.map(({ frame }) => frame))).toEqual([first, second]);
    expect(new Set(sinks.map(({ buffers }) => buffers.at(-1))).size).toBe(1);
    expect(new Set(sinks.map(({ buffers }) => buffers.at(-2))).size).toBe(1);
    expect(sinks.every(({ ids }) => ids.join() === '1,2,3,4')).toBe(true);
    expect(liveOf(...sinks)).toBe(100);
  });

  test('encodes nothing while nobody is live, and nothing where nothing is new', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    append('avc delta');
    fanOut.flushNow();
    fanOut.flushNow();
    expect(encoder.batches).toEqual([]);
  });

  test('pumps a joiner up to the flush mark, not to the head, and goes on from there with the others', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    join(fanOut);
    append('avc delta', 40);
    const joiner = join(fanOut);
    expect(joiner.ids).toEqual([1]);
    expect(stateOf(joiner)).toBe('live');
    fanOut.flushNow();
    expect(joiner.ids).toEqual([1, 2]);
  });

  test('lets a joiner wait while the only start is beyond the flush mark', () => {
    append('aac sample');
    const fanOut = fanOutOf(eraFrom(0));
    append('avc key', 20);
    const joiner = join(fanOut);
    expect(joiner.openings).toEqual([BOTH]);
    expect(joiner.frames).toEqual([]);
    expect(stateOf(joiner)).toBe('waiting');
  });

  test('reads the log to a joiner one full sink at a time, and counts only that as backlog', () => {
    append('avc key', 0, 40_000);
    for (let ms = 1; ms < 20; ms += 1) append('avc delta', ms, 40_000);
    const fanOut = fanOutOf(eraFrom(0));
    const sink = join(fanOut, new FakeSink('by-hand'));
    expect(sink.ids).toEqual([1, 2]);
    expect(stateOf(sink)).toBe('behind');
    expect(fanOut.lag(sink.player ?? failed())).toEqual({ bytes: 17 * 40_000, ms: 17 });
    sink.drain();
    expect(sink.ids).toEqual([1, 2, 3, 4]);
    sink.drainAll();
    expect(sink.ids).toHaveLength(20);
    expect(stateOf(sink)).toBe('live');
    expect(fanOut.lag(sink.player ?? failed())).toEqual({ bytes: 0, ms: 0 });
  });

  test('brings a joiner past equal set-up of any size', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const slow = join(fanOut, new FakeSink('by-hand'));
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flushNow();
    for (let repeats = 0; repeats < 3; repeats += 1) log.append(frameOf('avc header', 99, 0, 70_000), 40, 40);
    append('avc delta', 80);
    fanOut.flushNow();
    slow.drainAll();
    expect(slow.ids).toEqual([1, 2, 99, 3]);
    expect(stateOf(slow)).toBe('live');
    const joiner = join(fanOut);
    expect(joiner.ids).toEqual([1, 2, 99, 3]);
    expect(stateOf(joiner)).toBe('live');
  });

  test('pumps a live player that holds 512 KiB alone, and takes it back when it has caught up', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const slow = join(fanOut, new FakeSink('by-hand'));
    const others = Array.from({ length: 3 }, () => join(fanOut));
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flushNow();
    expect(stateOf(slow)).toBe('behind');
    expect(liveOf(slow, ...others)).toBe(3);
    append('avc delta', 80);
    fanOut.flushNow();
    expect(slow.ids).toEqual([1, 2]);
    expect(others.map(({ ids }) => ids)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]);
    slow.drain();
    expect(slow.ids).toEqual([1, 2, 3]);
    expect(liveOf(slow, ...others)).toBe(4);
    append('avc delta', 120);
    fanOut.flushNow();
    expect([slow, ...others].map(({ ids }) => ids.at(-1))).toEqual([4, 4, 4, 4]);
  });

  test('serves everyone once while several leave the live row in one flush', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 8 }, (_, index) =>
      join(fanOut, new FakeSink(index % 3 === 0 ? 'by-hand' : 'fast')),
    );
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flushNow();
    expect(sinks.map(({ ids }) => ids)).toEqual(sinks.map(() => [1, 2]));
    expect(sinks.map(stateOf)).toEqual([
      'behind',
      'live',
      'live',
      'behind',
      'live',
      'live',
      'behind',
      'live',
    ]);
  });

  test('goes on with the others when players leave, from any place in the row', () => {
    for (const leaver of [0, 1, 2, 3]) {
      log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
      append('avc key');
      const fanOut = fanOutOf(eraFrom(0));
      const sinks = Array.from({ length: 4 }, () => join(fanOut));
      sinks[leaver]?.player?.leave(GONE);
      const { seq } = append('avc delta', 40);
      fanOut.flushNow();
      expect(sinks.map(({ ids }) => ids.at(-1) === seq)).toEqual(sinks.map((_, index) => index !== leaver));
      expect(liveOf(...sinks)).toBe(3);
    }
  });

  test('closes the gaps that players leave: the row is no longer than those in it, however many come and go', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    join(fanOut);
    for (let ms = 1; ms <= 100; ms += 1) {
      const guest = join(fanOut);
      expect(guest.player?.liveIndex).toBe(1);
      guest.player?.leave(GONE);
      append('avc delta', ms);
      fanOut.flushNow();
    }
  });

  test('closes: live players end now, the others when they have read up to the flush mark', () => {
    append('avc key', 0, 70_000);
    append('avc delta', 40, 70_000);
    append('avc delta', 80, 70_000);
    const fanOut = fanOutOf(eraFrom(0));
    const live = join(fanOut);
    const behind = join(fanOut, new FakeSink('by-hand'));
    fanOut.close({ code: 'test.closed', message: '' });
    expect(live.ends).toEqual([{ how: 'end', code: 'test.closed' }]);
    expect(behind.ends).toEqual([]);
    append('avc key', 120);
    fanOut.flushNow();
    behind.drainAll();
    expect(behind.ids).toEqual([1, 2, 3]);
    expect(behind.ends).toEqual([{ how: 'end', code: 'test.closed' }]);
    expect(left).toEqual(['test.closed', 'test.closed']);
    expect(fanOut.isClosed).toBe(true);
  });

  test('ends a player of a closed fan-out that the log has overtaken: nothing of it is left to read', () => {
    append('avc key', 0, 70_000);
    append('avc delta', 40, 70_000);
    const fanOut = fanOutOf(eraFrom(0));
    const behind = join(fanOut, new FakeSink('by-hand'));
    fanOut.close({ code: 'test.closed', message: '' });
    append('avc key', 60_000);
    log.trim();
    behind.drain();
    expect(behind.ids).toEqual([1]);
    expect(behind.ends).toEqual([{ how: 'end', code: 'test.closed' }]);
  });

  test('tells an overtaken player by what the log still has', () => {
    append('avc key', 0, 70_000);
    append('avc delta', 0, 70_000);
    const fanOut = fanOutOf(eraFrom(0));
    const behind = join(fanOut, new FakeSink('by-hand'));
    for (let ms = 0; ms <= 20_000; ms += 1000) append('avc key', ms, 1000);
    fanOut.flushNow();
    log.trim();
    expect(fanOut.lag(behind.player ?? failed())).toEqual({ bytes: 10_000, ms: 10_000 });
  });
});

describe('a flush', () => {
  /** Players whose sinks take so long for each write, ms. */
  function joinAll(fanOut: FanOut, count: number, writeMs: number): FakeSink[] {
    const sinks = Array.from({ length: count }, () =>
      join(fanOut, new FakeSink('fast', { onWrite: () => clock.spend(writeMs) })),
    );
    while (clock.soonCount > 0) clock.turn();
    return sinks;
  }

  /** How many have been given the newest frame. */
  function givenTo(sinks: readonly FakeSink[], seq: number): number {
    return sinks.filter(({ ids }) => ids.at(-1) === seq).length;
  }

  /** Turns until it is over. */
  function finish(): void {
    while (clock.soonCount > 0) clock.turn();
  }

  test('comes at once, at the end of the turn, while it is cheap', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const [sink] = joinAll(fanOut, 1, 0.1);
    for (let ms = 40; ms < 1000; ms += 40) {
      const { seq } = append('avc delta', ms);
      fanOut.appended();
      clock.turn();
      expect(sink?.ids.at(-1)).toBe(seq);
      clock.advance(40);
    }
  });

  test('waits for more frames while it is dear, and no longer than it may', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0), 100);
    const sinks = joinAll(fanOut, 60, 0.5);
    const sentMs = new Map<number, number>();
    for (let ms = 10; ms <= 5000; ms += 10) {
      const { seq } = append('avc delta', ms);
      sentMs.set(seq, clock.now());
      fanOut.appended();
      const before = sinks[0]?.ids.length ?? 0;
      clock.pass(10);
      for (const id of sinks[0]?.ids.slice(before) ?? []) {
        // A window, and what is left of a turn or two that end it.
        expect(clock.now() - (sentMs.get(id) ?? 0)).toBeLessThan(100 + 60);
      }
    }
    clock.advance(200);
    finish();
    // 30 ms of writing each: of 500 frames, those of up to 100 ms went together, once the cost was known.
    expect(counters.of('test').flushes).toBeGreaterThan(35);
    expect(counters.of('test').flushes).toBeLessThan(120);
    expect(sinks.every(({ ids }) => ids.length === 501)).toBe(true);
  });

  test('takes what waits along when video comes near the end of the window', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0), 100);
    const sinks = joinAll(fanOut, 60, 0.5);
    append('avc delta', 10);
    fanOut.appended();
    finish();
    // A flush of 30 ms, of which a fifth counts: the window is 40 ms from its beginning on.
    append('aac sample', 20);
    fanOut.appended();
    expect(clock.timerCount).toBe(1);
    clock.pass(11);
    expect(givenTo(sinks, 2)).toBe(60);
    append('avc delta', 80);
    fanOut.appended();
    finish();
    expect(givenTo(sinks, 4)).toBe(60);
    expect([clock.timerCount, counters.of('test').flushes]).toEqual([0, 2]);
  });

  test('is cut into turns where there are many players, and everyone gets it once', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    const { seq } = append('avc delta', 40);
    fanOut.appended();
    clock.turn();
    expect(givenTo(sinks, seq)).toBe(32);
    clock.turn();
    expect(givenTo(sinks, seq)).toBe(64);
    finish();
    expect(sinks.every(({ ids }) => ids.join() === '1,2')).toBe(true);
    expect(counters.of('test')).toMatchObject({ flushes: 1, writes: 100 });
  });

  test('does not leave the same players for last each time', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0), 0);
    const sinks = joinAll(fanOut, 100, 0.25);
    const waits = sinks.map(() => 0);
    for (let flush = 0; flush < 70; flush += 1) {
      const { seq } = append('avc delta', 40 * (flush + 1));
      fanOut.appended();
      while (clock.soonCount > 0) {
        clock.turn();
        for (const [index, { ids }] of sinks.entries())
          if (ids.at(-1) !== seq) waits[index] = (waits[index] ?? 0) + 1;
      }
    }
    expect(Math.min(...waits)).toBeGreaterThan(60);
    expect(Math.max(...waits)).toBeLessThan(150);
  });

  test('gives who joins while it is under way everything once, and who leaves nothing more', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    clock.turn();
    const joiner = join(fanOut);
    expect(joiner.ids).toEqual([1, 2]);
    expect(stateOf(joiner)).toBe('live');
    const goneEarly = sinks.findLast(({ ids }) => ids.length === 1);
    const goneLate = sinks.find(({ ids }) => ids.length === 2);
    goneEarly?.player?.leave(GONE);
    goneLate?.player?.leave(GONE);
    append('avc delta', 80);
    fanOut.appended();
    clock.advance(200);
    finish();
    expect(goneEarly?.ids).toEqual([1]);
    expect(goneLate?.ids).toEqual([1, 2]);
    const others = sinks.filter((sink) => sink !== goneEarly && sink !== goneLate);
    expect([joiner, ...others].every(({ ids }) => ids.join() === '1,2,3')).toBe(true);
  });

  test('is not counted for who goes live during it and leaves before it is over', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    joinAll(fanOut, 100, 0.25);
    append('avc delta', 40, 10_000);
    fanOut.appended();
    clock.turn();
    const joiner = join(fanOut);
    const given = joiner.buffers.reduce((sum, { length }) => sum + length, 0);
    joiner.player?.leave(GONE);
    expect(given).toBeGreaterThan(10_000);
    expect(joiner.player?.bytesTaken).toBe(given);
    finish();
  });

  test('is finished before the fan-out closes', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    clock.turn();
    fanOut.close(GONE);
    expect(sinks.every(({ ids }) => ids.join() === '1,2')).toBe(true);
    expect(sinks.every(({ ends }) => ends.length === 1)).toBe(true);
    finish();
  });

  test('waits for no window when much was appended: bytes, or frames', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    finish();
    append('aac sample', 80, 2 ** 20 - 1);
    fanOut.appended();
    expect([clock.timerCount, clock.soonCount]).toEqual([1, 0]);
    append('aac sample', 120, 1);
    fanOut.appended();
    expect([clock.timerCount, clock.soonCount]).toEqual([0, 1]);
    finish();
    for (let count = 1; count < 1024; count += 1) append('aac sample', 160);
    fanOut.appended();
    expect([clock.timerCount, clock.soonCount]).toEqual([1, 0]);
    append('aac sample', 160);
    fanOut.appended();
    finish();
    expect(clock.timerCount).toBe(0);
    expect(sinks.every(({ ids }) => ids.length === 1028)).toBe(true);
  });

  test('comes to all without a turn when so much was appended that it must not wait, even while one is under way', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    clock.turn();
    append('avc delta', 80, 8 * 2 ** 20 - 1);
    fanOut.appended();
    expect(givenTo(sinks, 3)).toBe(0);
    append('avc delta', 120, 1);
    fanOut.appended();
    expect(sinks.every(({ ids }) => ids.join() === '1,2,3,4')).toBe(true);
    finish();
  });

  test('that is under way is alone: what comes meanwhile sets no timer and takes no second turn', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    finish();
    append('avc delta', 80);
    fanOut.appended();
    clock.turn();
    append('aac sample', 80);
    fanOut.appended();
    expect([clock.timerCount, clock.soonCount]).toEqual([0, 1]);
    finish();
    expect([clock.timerCount, counters.of('test').flushes]).toEqual([1, 2]);
    clock.advance(200);
    finish();
    expect(sinks.every(({ ids }) => ids.join() === '1,2,3,4')).toBe(true);
    expect([clock.timerCount, counters.of('test').flushes]).toEqual([0, 3]);
  });

  test('that could not wait leaves no timer behind, nor does what comes after it once nobody is left', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    fanOut.flushNow();
    append('aac sample', 80);
    fanOut.appended();
    finish();
    for (const { player } of sinks) player?.leave(GONE);
    fanOut.stop();
    finish();
    expect(clock.timerCount).toBe(0);
  });

  test('leaves no timer behind once nobody is left', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    joinAll(fanOut, 100, 0.25);
    append('avc delta', 40);
    fanOut.appended();
    finish();
    append('aac sample', 80);
    fanOut.appended();
    expect(clock.timerCount).toBe(1);
    fanOut.stop();
    expect(clock.timerCount).toBe(0);
  });
});

describe('those who catch up', () => {
  test('share the stretches of the log that they are given', () => {
    append('avc key', 0, 40_000);
    for (let ms = 1; ms < 20; ms += 1) append('avc delta', ms, 40_000);
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 50 }, () => join(fanOut));
    expect(sinks.every(({ ids }) => ids.length === 20)).toBe(true);
    expect(encoder.batches).toHaveLength(10);
    const [first, ...others] = sinks;
    expect(
      others.every(({ buffers }) => buffers.every((one, at) => at === 0 || one === first?.buffers[at])),
    ).toBe(true);
    expect(fanOut.stretchBytes).toBeGreaterThan(20 * 40_000);
    fanOut.sweep();
    fanOut.sweep();
    expect(fanOut.stretchBytes).toBe(0);
  });

  test('share one buffer of a key frame that is bigger than all that is kept', () => {
    append('avc key', 0, 5 * 2 ** 20);
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 20 }, () => join(fanOut, new FakeSink('by-hand')));
    expect(encoder.batches).toHaveLength(1);
    expect(new Set(sinks.map(({ buffers }) => buffers[1])).size).toBe(1);
    expect(sinks.every(({ ids }) => ids.join() === '1')).toBe(true);
  });

  test('share what is shorter than a stretch until the next flush', () => {
    append('avc key', 0, 1000);
    for (let ms = 1; ms < 60; ms += 1) append('avc delta', ms, 1000);
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 100 }, () => join(fanOut, new FakeSink('by-hand')));
    expect(encoder.batches).toHaveLength(1);
    append('avc delta', 60, 1000);
    fanOut.flushNow();
    sinks.push(join(fanOut), join(fanOut));
    expect(encoder.batches.map(({ length }) => length)).toEqual([60, 1, 61]);
    expect(sinks.every(({ ids }) => ids.length === 61)).toBe(true);
  });

  test('share the set-up that goes ahead of the same start, and of no other', () => {
    append('metadata');
    append('avc header');
    append('aac header');
    append('avc key', 40);
    const fanOut = fanOutOf(eraFrom(0));
    const sinks = Array.from({ length: 20 }, () => join(fanOut));
    expect(encoder.batches.map(({ length }) => length)).toEqual([3, 1]);
    expect(new Set(sinks.map(({ buffers }) => buffers[1])).size).toBe(1);
    append('avc key', 80);
    fanOut.flushNow();
    const later = join(fanOut);
    expect([later.ids, later.times]).toEqual([
      [1, 2, 3, 5],
      [80, 80, 80, 80],
    ]);
  });

  test('are given a little at a time, so that others get their turn', () => {
    append('avc key', 0, 70_000);
    for (let ms = 1; ms < 10; ms += 1) append('avc delta', ms, 70_000);
    const fanOut = fanOutOf(eraFrom(0));
    const sink = join(fanOut, new FakeSink('by-hand'));
    sink.release(2 ** 30);
    expect(fanOut.pump(sink.player ?? failed())).toBe('done');
    expect(sink.ids).toEqual([1, 2]);
    const fast = new FakeSink();
    const player = playerOf(fanOut, fast);
    expect(fanOut.join(player, BOTH)).toBe('more');
    expect(fast.ids).toEqual([1, 2, 3, 4]);
    expect(fanOut.pump(player)).toBe('more');
    expect(fanOut.pump(player)).toBe('done');
    expect(fast.ids).toHaveLength(10);
    expect(stateOf(fast)).toBe('live');
  });

  test('fall behind when their sink was not empty for a second of the stream, however little it holds', () => {
    append('avc key');
    const fanOut = fanOutOf(eraFrom(0));
    const slow = join(fanOut, new FakeSink('by-hand'));
    slow.drain();
    for (let ms = 100; ms <= 1000; ms += 100) {
      append('aac sample', ms, 100);
      fanOut.flushNow();
    }
    expect(stateOf(slow)).toBe('live');
    append('aac sample', 1001, 100);
    fanOut.flushNow();
    expect(stateOf(slow)).toBe('behind');
    slow.drain();
    expect(stateOf(slow)).toBe('live');
    append('aac sample', 1500, 100);
    fanOut.flushNow();
    expect(stateOf(slow)).toBe('live');
  });
});

test('a player that took some flushes late and others in time stays live, over any time', () => {
  append('avc key');
  const fanOut = fanOutOf(eraFrom(0));
  let isInTime = true;
  const sink: FakeSink = new FakeSink('by-hand', { onWrite: () => sink.release(isInTime ? 2 ** 30 : 0) });
  join(fanOut, sink);
  for (let ms = 400; ms <= 4000; ms += 400) {
    isInTime = !isInTime;
    append('aac sample', ms, 100);
    fanOut.flushNow();
    expect(stateOf(sink)).toBe('live');
  }
  isInTime = false;
  for (let ms = 4400; ms <= 5200; ms += 400) {
    append('aac sample', ms, 100);
    fanOut.flushNow();
  }
  expect(stateOf(sink)).toBe('behind');
});

describe('the end of an era', () => {
  test('is where a time would reach 2^31 - 10 s: what is before it is sent, and players end', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = fanOutOf(eraFrom(0));
    const sink = join(fanOut);
    append('avc delta', ERA_LIMIT_MS - 1);
    fanOut.flushNow();
    expect(sink.ends).toEqual([]);
    append('avc delta', ERA_LIMIT_MS);
    fanOut.flushNow();
    expect(sink.times).toEqual([ERA_LIMIT_MS - 100, ERA_LIMIT_MS - 1]);
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('cuts a burst that leaps over it at once, for slow players too', () => {
    append('avc key', ERA_LIMIT_MS - 30_000, 70_000);
    append('avc delta', ERA_LIMIT_MS - 29_000);
    const fanOut = fanOutOf(eraFrom(0));
    const fast = join(fanOut);
    const slow = join(fanOut, new FakeSink('by-hand'));
    for (let leaps = 0; leaps < 20; leaps += 1) append('avc delta', ERA_LIMIT_MS - 28_000 + leaps * 3000);
    append('aac sample', ERA_LIMIT_MS - 50_000);
    fanOut.flushNow();
    expect(fast.times.at(-1)).toBe(ERA_LIMIT_MS - 1000);
    expect(fast.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
    expect(slow.ends).toEqual([]);
    slow.drainAll();
    expect(slow.ids).toEqual(fast.ids);
    expect(slow.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('is not hidden by audio that lags behind', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = fanOutOf(eraFrom(0));
    const sink = join(fanOut);
    append('avc delta', ERA_LIMIT_MS);
    append('aac sample', ERA_LIMIT_MS - 60_000);
    fanOut.flushNow();
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('comes while nobody is live, too', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = fanOutOf(eraFrom(0));
    append('avc delta', ERA_LIMIT_MS);
    fanOut.flushNow();
    expect(fanOut.isClosed).toBe(true);
  });

  test('shows a track that lags behind the start of the era at its start, pumped and live', () => {
    append('avc key', ERA_MS + 3000);
    append('aac sample', ERA_MS - 7);
    const fanOut = fanOutOf(eraFrom(ERA_MS));
    const sink = join(fanOut);
    append('aac sample', ERA_MS - 1);
    append('aac sample', ERA_MS + 1);
    fanOut.flushNow();
    expect(sink.times).toEqual([3000, 0, 0, 1]);
  });
});

function failed(): never {
  throw new Error('there is no player');
}
