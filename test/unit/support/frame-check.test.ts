// The judge of players' frames sees every kind of wrong, and calls nothing wrong that is not.
import { expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { FrameCheck, longestWait } from '../../support/frame-check.ts';
import { payloadOf } from '../../support/media.ts';
import { numberedPayload, PLANS, type PlannedFrame, Schedule } from '../../support/numbered-media.ts';

/** The first frames of a stream with audio and video. */
function frames(count: number): PlannedFrame[] {
  const schedule = new Schedule(PLANS['25 frames/s and audio']);
  return Array.from({ length: count }, () => schedule.next());
}

interface Seen {
  readonly frame: PlannedFrame;
  readonly session?: number;
  readonly time?: number;
  readonly spoil?: (payload: Buffer) => Buffer;
}

function judge(seen: readonly Seen[]): FrameCheck {
  const check = new FrameCheck();
  check.saw(FrameKind.video, 0, payloadOf('avc header', 1), 150);
  check.saw(FrameKind.audio, 0, payloadOf('aac header', 1), 150);
  for (const { frame, session = 1, time = frame.dts, spoil = (payload: Buffer) => payload } of seen) {
    const payload = spoil(Buffer.from(numberedPayload(frame, session, 100)));
    check.saw(frame.kind, time, payload, 150);
  }
  return check;
}

const CLEAN = { lost: 0, duplicated: 0, disordered: 0, corrupt: 0, backward: 0, leaps: 0, badStarts: 0 };
const ALL = frames(200);
const seen = ALL.map((frame) => ({ frame }));

test('a plan has its rates, its key frames and its order', () => {
  const inFirstS = frames(200).filter(({ dts }) => dts < 1000);
  expect(inFirstS.filter(({ kind }) => kind === FrameKind.video)).toHaveLength(25);
  expect(inFirstS.filter(({ kind }) => kind === FrameKind.audio)).toHaveLength(44);
  expect(inFirstS.filter(({ name }) => name === 'avc key').map(({ id }) => id)).toEqual([1]);
  expect(ALL.map(({ id }) => id)).toEqual(ALL.map((_, at) => at + 1));
  expect(ALL.map(({ dts }) => dts)).toEqual(ALL.map(({ dts }) => dts).sort((a, b) => a - b));
});

test('a stream as it was published is clean, set-up and data included', () => {
  const check = judge(seen);
  check.saw(FrameKind.video, 3_000, payloadOf('avc header', 1), 160);
  check.saw(FrameKind.data, 0, payloadOf('metadata', 1), 160);
  expect(check).toMatchObject({ ...CLEAN, frames: 200, lastId: 200, splices: 0, isClean: true, worstMs: 50 });
  expect(check.starts).toEqual([{ session: 1, sentMs: 100, atMs: 150 }]);
});

test('it may be joined at any key frame, and at no other', () => {
  const secondKey = ALL.findIndex(({ id, name }) => id > 1 && name === 'avc key');
  expect(judge(seen.slice(secondKey))).toMatchObject({ ...CLEAN, isClean: true });
  expect(judge(seen.slice(secondKey + 1))).toMatchObject({ ...CLEAN, badStarts: 1, isClean: false });
});

test('each track begins with its decoder set-up', () => {
  const check = new FrameCheck();
  for (const frame of ALL) check.saw(frame.kind, frame.dts, numberedPayload(frame, 1, 100), 150);
  expect(check).toMatchObject({ ...CLEAN, badStarts: 2 });
});

test.each<[string, Partial<typeof CLEAN>, readonly Seen[]]>([
  ['a hole', { lost: 3 }, [...seen.slice(0, 50), ...seen.slice(53)]],
  ['a frame twice', { duplicated: 1 }, [...seen.slice(0, 50), ...seen.slice(49, 50), ...seen.slice(50)]],
  [
    'old frames again',
    { duplicated: 5 },
    [...seen.slice(0, 50), ...seen.slice(20, 25), ...seen.slice(50)].map((each, at) => ({
      ...each,
      time: at,
    })),
  ],
  [
    'two in the wrong order',
    { disordered: 1 },
    [...seen.slice(0, 50), ...seen.slice(51, 52), ...seen.slice(50, 51), ...seen.slice(52)].map(
      (each, at) => ({ ...each, time: at }),
    ),
  ],
  [
    'a changed byte',
    { corrupt: 1, lost: 1 },
    seen.map((each, at) =>
      at === 50
        ? {
            ...each,
            spoil: (payload: Buffer) => {
              payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1;
              return payload;
            },
          }
        : each,
    ),
  ],
  [
    'a byte less',
    { corrupt: 1, lost: 1 },
    seen.map((each, at) =>
      at === 50 ? { ...each, spoil: (payload: Buffer) => payload.subarray(0, -1) } : each,
    ),
  ],
  ['a time that falls', { backward: 1 }, seen.map((each, at) => (at === 199 ? { ...each, time: 5 } : each))],
  [
    'a time that leaps',
    { leaps: 1 },
    seen.map((each, at) => (at === 199 ? { ...each, time: 20_000 } : each)),
  ],
])('%s', (_what, wrong, given) => {
  const check = judge(given);
  expect(check).toMatchObject({ ...CLEAN, ...wrong, isClean: false });
  expect(check.words.length).toBeGreaterThan(0);
});

test('the next session begins at its key frame, and loses nothing of the old one that was not seen', () => {
  const later = ALL.map((frame) => ({ frame, session: 2, time: frame.dts + 5_000 }));
  const check = judge([
    ...seen.slice(0, 120).map((each) => ({ ...each, time: each.frame.dts + 2_500 })),
    ...later,
  ]);
  expect(check).toMatchObject({ ...CLEAN, splices: 1, session: 2, lastId: 200, isClean: true });
  expect(check.starts.map(({ session }) => session)).toEqual([1, 2]);
});

test('a session that comes back begins at a key frame, may have a hole, but no frame twice', () => {
  const at = (from: number, to: number, session: number, base: number) =>
    ALL.slice(from, to).map((frame, nth) => ({ frame, session, time: base + nth }));
  const key = ALL.findIndex(({ id, name }) => id > 50 && name === 'avc key');
  const [before, other] = [at(0, 50, 1, 0), at(0, 50, 2, 50)];
  expect(judge([...before, ...other, ...at(key, key + 9, 1, 100)])).toMatchObject({ ...CLEAN, splices: 2 });
  expect(judge([...before, ...other, ...at(key + 1, key + 9, 1, 100)])).toMatchObject({ badStarts: 1 });
  expect(judge([...before, ...other, ...at(40, 60, 1, 100)])).toMatchObject({ duplicated: 10 });
});

test('the longest wait: begun before, not over yet, none at all', () => {
  const arrivals = [0, 100, 200, 700, 750];
  expect(longestWait(arrivals, 0, 200)).toBe(100);
  expect(longestWait(arrivals, 300, 720)).toBe(500);
  expect(longestWait(arrivals, 300, 500)).toBe(300);
  expect(longestWait(arrivals, 710, 2_000)).toBe(1_250);
  expect(longestWait([], 50, 90)).toBe(40);
});
