import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { ERA_MS, eraBase, MAX_LEAP_MS, Timeline, unwrapTime } from '../../../src/media/timeline.ts';

const { audio, video, data } = FrameKind;

/** The newest time given out: nothing that follows is ahead of it. */
function newestOf(timeline: Timeline): number {
  return timeline.follow(video, 2 ** 50);
}

describe('unwrapTime', () => {
  test('takes the first time as it is', () => {
    expect(unwrapTime(4_294_967_295, undefined)).toBe(4_294_967_295);
  });

  test('goes on over 2^32, and back below it', () => {
    expect(unwrapTime(10, 2 ** 32 - 5)).toBe(2 ** 32 + 10);
    expect(unwrapTime(2 ** 32 - 5, 2 ** 32 + 10)).toBe(2 ** 32 - 5);
    expect(unwrapTime(2 ** 32 - 20, 10)).toBe(-20);
  });

  test('finds any dts again that is within 2^31 of the one before, over many wraps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 42 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        (before, step) => {
          const dts = before + step;
          expect(unwrapTime(((dts % 2 ** 32) + 2 ** 32) % 2 ** 32, before)).toBe(dts);
        },
      ),
    );
  });
});

describe('a timeline', () => {
  test("keeps the first publication's own times, but for whole eras", () => {
    const low = new Timeline();
    low.splice(77, 0);
    expect(low.place(video, 77, 0)).toBe(77);
    const high = new Timeline();
    high.splice(5 * ERA_MS + 77, 0);
    expect(high.place(video, 5 * ERA_MS + 117, 0)).toBe(117);
    const negative = new Timeline();
    negative.splice(-20, 0);
    expect(negative.place(audio, -20, 0)).toBe(ERA_MS - 20);
  });

  test('starts an epoch after the real time that passed, up to 3 s, and at least 1 ms', () => {
    for (const [passedMs, step] of [
      [0, 1],
      [700.4, 700],
      [3000, 3000],
      [3001, 3000],
      [86_400_000, 3000],
    ] as const) {
      const timeline = new Timeline();
      timeline.splice(0, 1000);
      timeline.place(video, 40, 1000);
      timeline.splice(9_000_000, 1000 + passedMs);
      expect(timeline.place(video, 9_000_000, 1000 + passedMs)).toBe(40 + step);
    }
  });

  test('gives audio and video one offset, so that their difference stays', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(video, 500, 0);
    timeline.splice(10_000, 100);
    expect(timeline.place(audio, 10_000, 100)).toBe(600);
    expect(timeline.place(video, 10_020, 110)).toBe(620);
    expect(timeline.place(audio, 10_023, 120)).toBe(623);
  });

  test('ends what an epoch has by now at the real time that passed, so that its first frames cost no time', () => {
    const timeline = new Timeline();
    timeline.splice(0, 1000);
    timeline.place(audio, 40, 1000);
    timeline.splice(9_000_000, 3500, 9_001_000);
    expect(timeline.place(audio, 9_000_000, 3500)).toBe(40 + 1500);
    expect(timeline.place(audio, 9_001_000, 3500)).toBe(40 + 2500);
  });

  test('does not leap by more than 3 s if the first frame of an epoch is not its lowest', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(video, 0, 0);
    timeline.splice(500, 60_000, 700);
    expect(timeline.place(audio, 700, 60_000)).toBe(3000);
    expect(timeline.place(video, 500, 60_000)).toBe(2800);
  });

  test('clamps a track that steps back by up to 200 ms, and leaves the offset alone', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    expect(timeline.place(audio, 1000, 0)).toBe(1000);
    expect(timeline.place(audio, 800, 0)).toBe(1000);
    expect(timeline.place(audio, 1020, 0)).toBe(1020);
    expect(newestOf(timeline)).toBe(1020);
  });

  test('splices a track that steps back by more, at the real time that passed', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(audio, 1000, 0);
    expect(timeline.place(audio, 799, 25)).toBe(1025);
    expect(timeline.place(video, 839, 60)).toBe(1065);
  });

  test('lets time leap by 3 s, and splices a leap beyond it', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(video, 0, 0);
    expect(timeline.place(video, MAX_LEAP_MS, 0)).toBe(MAX_LEAP_MS);
    expect(timeline.place(video, 2 * MAX_LEAP_MS + 1, 40)).toBe(MAX_LEAP_MS + 40);
    expect(timeline.place(video, 2 * MAX_LEAP_MS + 41, 80)).toBe(MAX_LEAP_MS + 80);
  });

  test('takes a track that was silent while the other went on as it comes', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(audio, 0, 0);
    for (let dts = 0; dts <= 60_000; dts += 40) timeline.place(video, dts, dts);
    expect(timeline.place(audio, 60_000, 60_000)).toBe(60_000);
    expect(timeline.place(video, 60_040, 60_040)).toBe(60_040);
  });

  test('lets data follow and never lead', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(video, 100, 0);
    expect(timeline.follow(data, 90)).toBe(90);
    expect(timeline.follow(data, 50)).toBe(90);
    expect(timeline.follow(data, 1e9)).toBe(100);
    expect(timeline.place(video, 140, 0)).toBe(140);
    expect(newestOf(timeline)).toBe(140);
  });

  test('lets decoder set-up take the time of its track, however old its dts is, and moves nothing', () => {
    const timeline = new Timeline();
    timeline.splice(0, 0);
    timeline.place(video, 1000, 0);
    timeline.splice(50_000, 100);
    expect(timeline.follow(video, 40)).toBe(1100);
    expect(timeline.place(audio, 50_000, 100)).toBe(1100);
    expect(timeline.place(video, 50_040, 140)).toBe(1140);
    expect(timeline.follow(audio, 0)).toBe(1100);
    expect(timeline.follow(audio, 1e9)).toBe(1140);
    expect(timeline.place(audio, 50_023, 140)).toBe(1123);
  });

  test('never lets a track fall, and never leaps by more than 3 s, whatever comes', () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({
            do: fc.constant('place' as const),
            kind: fc.constantFrom(audio, video, data),
            dts: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -(2 ** 33), max: 2 ** 33 })),
            ms: fc.nat(5000),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            do: fc.constant('splice' as const),
            dts: fc.nat(2 ** 33),
            ahead: fc.nat(3000),
            ms: fc.nat(100_000),
          }),
        },
      ),
      { maxLength: 60, size: 'max' },
    );
    fc.assert(
      fc.property(fc.nat(2 ** 33), steps, (firstDts, history) => {
        const timeline = new Timeline();
        let nowMs = 0;
        timeline.splice(firstDts, nowMs);
        const last = new Map<number, number>();
        let newest = timeline.place(video, firstDts, nowMs);
        let lowest = Number.POSITIVE_INFINITY;
        for (const step of history) {
          nowMs += step.ms;
          if (step.do === 'splice') {
            // An epoch begins with a media frame; it is the lowest or up to 3 s above.
            timeline.splice(step.dts, nowMs, step.dts + step.ahead);
          }
          const { kind, dts } = step.do === 'splice' ? { kind: audio, dts: step.dts + step.ahead } : step;
          const time = kind === data ? timeline.follow(kind, dts) : timeline.place(kind, dts, nowMs);
          expect(Number.isInteger(time)).toBe(true);
          expect(time).toBeGreaterThanOrEqual(Math.max(0, last.get(kind) ?? 0));
          last.set(kind, time);
          lowest = Math.min(lowest, time);
          expect(time - newest).toBeLessThanOrEqual(MAX_LEAP_MS);
          if (kind !== data) newest = Math.max(newest, time);
        }
        expect(newestOf(timeline)).toBe(newest);
        expect(lowest).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 800 },
    );
  });
});

test('an era base is a whole number of eras, at least 3 s below the start, but for the first era', () => {
  expect(eraBase(0)).toBe(0);
  expect(eraBase(ERA_MS + MAX_LEAP_MS - 1)).toBe(0);
  expect(eraBase(ERA_MS + MAX_LEAP_MS)).toBe(ERA_MS);
  expect(eraBase(2 * ERA_MS + MAX_LEAP_MS - 1)).toBe(ERA_MS);
  expect(eraBase(7 * ERA_MS + MAX_LEAP_MS)).toBe(7 * ERA_MS);
});
