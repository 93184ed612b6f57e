// Players read FLV time as signed 31 bits (design §4, "Time out"): every 2^30 ms new players get a new base.
import { beforeEach, describe, expect, test } from 'vitest';
import { rtmpEncoder } from '../../../src/format/rtmp/chunk-writer.ts';
import { FakeSink, frameOf, StreamBench, TestEncoder } from '../../support/media.ts';

const ERA_MS = 2 ** 30;
const LIMIT_MS = 2 ** 31;
const STEP_MS = 3000;

let bench: StreamBench;
let encoder: TestEncoder;
let sinks: FakeSink[];
let dts: number;

beforeEach(() => {
  bench = new StreamBench({
    options: { log: { logMs: 10_000, gopMs: 30_000, logBytes: 2 ** 20, logFrames: 64 } },
  });
  encoder = new TestEncoder();
  sinks = [];
});

function begin(firstDts: number): void {
  dts = firstDts;
  bench.start(firstDts);
  bench.append(frameOf('avc key', 1, dts));
  bench.clock.turn();
}

/** A key frame every 3 s, up to a time. */
function runUntil(time: number, framesPerTurn = 1): void {
  while (dts + STEP_MS <= time) {
    for (let frames = 0; frames < framesPerTurn && dts + STEP_MS <= time; frames += 1) {
      dts += STEP_MS;
      bench.append(frameOf('avc key', 1, dts));
    }
    bench.clock.turn();
    encoder.batches.length = 0;
  }
}

/** The same over days: only what came last is kept. */
function walkUntil(time: number): void {
  while (dts + STEP_MS <= time) {
    runUntil(Math.min(time, dts + 1000 * STEP_MS), 200);
    for (const sink of sinks) {
      sink.frames.splice(0, sink.frames.length - 1);
      sink.buffers.length = 0;
    }
  }
}

function play(): FakeSink {
  const sink = bench.play(new FakeSink(), encoder);
  sinks.push(sink);
  return sink;
}

describe('the change of eras', () => {
  test('new players start with small times, old ones end cleanly before 2^31, and two eras are the most there are', () => {
    begin(ERA_MS - 6000);
    const first = play();
    expect(first.times).toEqual([ERA_MS - 6000]);

    runUntil(ERA_MS);
    const stillFirst = play();
    expect(stillFirst.times).toEqual([ERA_MS]);

    runUntil(ERA_MS + 3000);
    const second = play();
    expect(second.times).toEqual([3000]);
    expect(first.times.at(-1)).toBe(ERA_MS + 3000);
    expect(first.ends).toEqual([]);

    encoder.bases.length = 0;
    runUntil(ERA_MS + 9000);
    expect(encoder.bases).toEqual([0, ERA_MS, 0, ERA_MS]);
    expect([first, stillFirst, second].map(({ times }) => times.at(-1))).toEqual([
      ERA_MS + 9000,
      ERA_MS + 9000,
      9000,
    ]);

    encoder.bases.length = 0;
    walkUntil(LIMIT_MS - 20_000);
    expect(first.ends).toEqual([]);
    runUntil(LIMIT_MS + 3000);
    expect(new Set(encoder.bases)).toEqual(new Set([0, ERA_MS]));
    for (const old of [first, stillFirst]) {
      expect(old.ends).toEqual([{ how: 'end', code: 'stream.era-over' }]);
      expect(old.times.at(-1)).toBeGreaterThan(LIMIT_MS - 20_000);
      expect(old.times.at(-1)).toBeLessThan(LIMIT_MS);
    }
    expect(second.ends).toEqual([]);

    runUntil(LIMIT_MS + 6000);
    const third = play();
    expect(third.times).toEqual([dts - LIMIT_MS]);
    encoder.bases.length = 0;
    runUntil(LIMIT_MS + 30_000);
    expect(new Set(encoder.bases)).toEqual(new Set([ERA_MS, LIMIT_MS]));
    expect(second.times.at(-1)).toBe(dts - ERA_MS);
    expect(second.ends).toEqual([]);
    expect(bench.stream.playerCount).toBe(2);
  });

  test('audio that lags far behind the key frame of a new player is never given a negative time', () => {
    begin(ERA_MS - 1000);
    bench.append(frameOf('aac sample', 2, dts));
    runUntil(ERA_MS + 5000);
    const sink = play();
    const rtmp: Buffer[] = [];
    bench.stream.play(
      rtmpEncoder,
      { backlogBytes: 0, write: (bytes) => rtmp.push(bytes) > 0, end() {}, destroy() {} },
      { remote: 'a' },
    );
    bench.clock.turn();
    bench.append(frameOf('aac sample', 3, ERA_MS - 900));
    bench.append(frameOf('aac header', 4, ERA_MS - 900));
    bench.append(frameOf('aac sample', 5, ERA_MS + 2), frameOf('avc delta', 6, dts + 40));
    bench.clock.turn();
    expect(sink.times).toEqual([dts - ERA_MS, 0, 0, 2, dts + 40 - ERA_MS]);
    expect(sink.ids).toEqual([1, 3, 4, 5, 6]);
    expect(rtmp).toHaveLength(2);
  });
});
