import { beforeEach, describe, expect, test } from 'vitest';
import type { Frame } from '../../../src/format/frame.ts';
import { Cursor } from '../../../src/media/cursor.ts';
import { eraFrom, FanOut } from '../../../src/media/fan-out.ts';
import { FrameLog } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Player } from '../../../src/media/player.ts';
import { ERA_LIMIT_MS, ERA_MS } from '../../../src/media/timeline.ts';
import { FakeSink, frameOf, GONE, type PayloadName, TestEncoder, WIDE_LOG } from '../../support/media.ts';

const BOTH = { audio: true, video: true };
const OVERFULL_BYTES = 512 * 1024;

let log: FrameLog;
let encoder: TestEncoder;
let left: string[];
let nextId: number;

beforeEach(() => {
  log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
  encoder = new TestEncoder();
  left = [];
  nextId = 1;
});

/** Appends a frame that is shown at `time`; returns it. */
function append(name: PayloadName, time = 0, size = 0): Frame {
  const frame = frameOf(name, nextId++, time, size);
  log.append(frame, time);
  return frame;
}

function join(fanOut: FanOut, sink = new FakeSink()): FakeSink {
  const player = new Player(
    encoder,
    sink,
    { remote: 'test' },
    {
      cursor: new Cursor({ maxBacklogBytes: 1e12, maxBacklogMs: 1e12 }),
      owner: {
        drained: (drained) => fanOut.pump(drained),
        left: (gone, why) => {
          fanOut.remove(gone);
          left.push(why.code);
        },
      },
      nowMs: 0,
    },
  );
  sink.player = player;
  fanOut.join(player, BOTH);
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
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const sinks = Array.from({ length: 100 }, () => join(fanOut));
    encoder.batches.length = 0;
    const first = [append('avc delta', 40), append('aac sample', 41)];
    fanOut.flush();
    const second = [append('avc delta', 80)];
    fanOut.flush();
    expect(encoder.batches.map((batch) => batch.map(({ frame }) => frame))).toEqual([first, second]);
    expect(new Set(sinks.map(({ buffers }) => buffers.at(-1))).size).toBe(1);
    expect(new Set(sinks.map(({ buffers }) => buffers.at(-2))).size).toBe(1);
    expect(sinks.every(({ ids }) => ids.join() === '1,2,3,4')).toBe(true);
    expect(liveOf(...sinks)).toBe(100);
  });

  test('encodes nothing while nobody is live, and nothing where nothing is new', () => {
    append('avc key');
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    append('avc delta');
    fanOut.flush();
    fanOut.flush();
    expect(encoder.batches).toEqual([]);
  });

  test('pumps a joiner up to the flush mark, not to the head, and goes on from there with the others', () => {
    append('avc key');
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    join(fanOut);
    append('avc delta', 40);
    const joiner = join(fanOut);
    expect(joiner.ids).toEqual([1]);
    expect(stateOf(joiner)).toBe('live');
    fanOut.flush();
    expect(joiner.ids).toEqual([1, 2]);
  });

  test('lets a joiner wait while the only start is beyond the flush mark', () => {
    append('aac sample');
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    append('avc key', 20);
    const joiner = join(fanOut);
    expect(joiner.openings).toEqual([BOTH]);
    expect(joiner.frames).toEqual([]);
    expect(stateOf(joiner)).toBe('waiting');
  });

  test('reads the log to a joiner one full sink at a time, and counts only that as backlog', () => {
    append('avc key', 0, 40_000);
    for (let ms = 1; ms < 20; ms += 1) append('avc delta', ms, 40_000);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
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
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const slow = join(fanOut, new FakeSink('by-hand'));
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flush();
    for (let repeats = 0; repeats < 3; repeats += 1) log.append(frameOf('avc header', 99, 0, 70_000), 40);
    append('avc delta', 80);
    fanOut.flush();
    slow.drainAll();
    expect(slow.ids).toEqual([1, 2, 99, 3]);
    expect(stateOf(slow)).toBe('live');
    const joiner = join(fanOut);
    expect(joiner.ids).toEqual([1, 2, 99, 3]);
    expect(stateOf(joiner)).toBe('live');
  });

  test('pumps a live player that holds 512 KiB alone, and takes it back when it has caught up', () => {
    append('avc key');
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const slow = join(fanOut, new FakeSink('by-hand'));
    const others = Array.from({ length: 3 }, () => join(fanOut));
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flush();
    expect(stateOf(slow)).toBe('behind');
    expect(liveOf(slow, ...others)).toBe(3);
    append('avc delta', 80);
    fanOut.flush();
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
    fanOut.flush();
    expect([slow, ...others].map(({ ids }) => ids.at(-1))).toEqual([4, 4, 4, 4]);
  });

  test('serves everyone once while several leave the live row in one flush', () => {
    append('avc key');
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const sinks = Array.from({ length: 8 }, (_, index) =>
      join(fanOut, new FakeSink(index % 3 === 0 ? 'by-hand' : 'fast')),
    );
    append('avc delta', 40, OVERFULL_BYTES);
    fanOut.flush();
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
      const fanOut = new FanOut(encoder, log, eraFrom(0));
      const sinks = Array.from({ length: 4 }, () => join(fanOut));
      sinks[leaver]?.player?.leave(GONE);
      const { seq } = append('avc delta', 40);
      fanOut.flush();
      expect(sinks.map(({ ids }) => ids.at(-1) === seq)).toEqual(sinks.map((_, index) => index !== leaver));
      expect(liveOf(...sinks)).toBe(3);
    }
  });

  test('closes: live players end now, the others when they have read up to the flush mark', () => {
    append('avc key', 0, 70_000);
    append('avc delta', 40, 70_000);
    append('avc delta', 80, 70_000);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const live = join(fanOut);
    const behind = join(fanOut, new FakeSink('by-hand'));
    fanOut.close({ code: 'test.closed', message: '' });
    expect(live.ends).toEqual([{ how: 'end', code: 'test.closed' }]);
    expect(behind.ends).toEqual([]);
    append('avc key', 120);
    fanOut.flush();
    behind.drainAll();
    expect(behind.ids).toEqual([1, 2, 3]);
    expect(behind.ends).toEqual([{ how: 'end', code: 'test.closed' }]);
    expect(left).toEqual(['test.closed', 'test.closed']);
    expect(fanOut.isClosed).toBe(true);
  });

  test('ends a player of a closed fan-out that the log has overtaken: nothing of it is left to read', () => {
    append('avc key', 0, 70_000);
    append('avc delta', 40, 70_000);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
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
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const behind = join(fanOut, new FakeSink('by-hand'));
    for (let ms = 0; ms <= 20_000; ms += 1000) append('avc key', ms, 1000);
    fanOut.flush();
    log.trim();
    expect(fanOut.lag(behind.player ?? failed())).toEqual({ bytes: 10_000, ms: 10_000 });
  });
});

describe('the end of an era', () => {
  test('is where a time would reach 2^31 - 10 s: what is before it is sent, and players end', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const sink = join(fanOut);
    append('avc delta', ERA_LIMIT_MS - 1);
    fanOut.flush();
    expect(sink.ends).toEqual([]);
    append('avc delta', ERA_LIMIT_MS);
    fanOut.flush();
    expect(sink.times).toEqual([ERA_LIMIT_MS - 100, ERA_LIMIT_MS - 1]);
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('cuts a burst that leaps over it at once, for slow players too', () => {
    append('avc key', ERA_LIMIT_MS - 30_000, 70_000);
    append('avc delta', ERA_LIMIT_MS - 29_000);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const fast = join(fanOut);
    const slow = join(fanOut, new FakeSink('by-hand'));
    for (let leaps = 0; leaps < 20; leaps += 1) append('avc delta', ERA_LIMIT_MS - 28_000 + leaps * 3000);
    append('aac sample', ERA_LIMIT_MS - 50_000);
    fanOut.flush();
    expect(fast.times.at(-1)).toBe(ERA_LIMIT_MS - 1000);
    expect(fast.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
    expect(slow.ends).toEqual([]);
    slow.drainAll();
    expect(slow.ids).toEqual(fast.ids);
    expect(slow.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('is not hidden by audio that lags behind', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    const sink = join(fanOut);
    append('avc delta', ERA_LIMIT_MS);
    append('aac sample', ERA_LIMIT_MS - 60_000);
    fanOut.flush();
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
  });

  test('comes while nobody is live, too', () => {
    append('avc key', ERA_LIMIT_MS - 100);
    const fanOut = new FanOut(encoder, log, eraFrom(0));
    append('avc delta', ERA_LIMIT_MS);
    fanOut.flush();
    expect(fanOut.isClosed).toBe(true);
  });

  test('shows a track that lags behind the start of the era at its start, pumped and live', () => {
    append('avc key', ERA_MS + 3000);
    append('aac sample', ERA_MS - 7);
    const fanOut = new FanOut(encoder, log, eraFrom(ERA_MS));
    const sink = join(fanOut);
    append('aac sample', ERA_MS - 1);
    append('aac sample', ERA_MS + 1);
    fanOut.flush();
    expect(sink.times).toEqual([3000, 0, 0, 1]);
  });
});

function failed(): never {
  throw new Error('there is no player');
}
