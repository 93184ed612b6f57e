import { describe, expect, test } from 'vitest';
import { LeadIn, type LeadInFrame } from '../../../src/media/lead-in.ts';
import { kindOf, type PayloadName, payloadOf, roleOf } from '../../support/media.ts';

function frame(name: PayloadName, dts: number | undefined, size = 0): LeadInFrame {
  return { kind: kindOf(name), role: roleOf(name), dts, payload: payloadOf(name, 1, size) };
}

/** Pushes until the epoch starts; answers how many frames that took, and the start. */
function pushAll(
  leadIn: LeadIn,
  frames: Iterable<LeadInFrame>,
): { pushed: number; start: ReturnType<LeadIn['push']> } {
  let pushed = 0;
  for (const one of frames) {
    pushed += 1;
    const start = leadIn.push(one);
    if (start) return { pushed, start };
  }
  return { pushed, start: undefined };
}

function* audio(fromDts: number, toDts: number, stepMs = 20): Generator<LeadInFrame> {
  for (let dts = fromDts; dts <= toDts; dts += stepMs) yield frame('aac sample', dts);
}

describe('the lead-in', () => {
  test('starts the epoch at the key frame, with set-up and audio before it in the order they came', () => {
    const frames = [
      frame('metadata', undefined),
      frame('avc header', undefined),
      frame('aac header', undefined),
      frame('aac sample', 990),
      frame('avc key', 1000),
    ];
    const { pushed, start } = pushAll(new LeadIn(), frames);
    expect(pushed).toBe(5);
    expect(start).toEqual({ frames, firstDts: 990, newestDts: 1000, dropped: 0 });
  });

  test('loses no audio when there is no video, whatever the distance of the frames', () => {
    const frames = [...audio(0, 2000, 23)];
    const { pushed, start } = pushAll(new LeadIn(), frames);
    expect(start).toEqual({ frames: frames.slice(0, pushed), firstDts: 0, newestDts: 1012, dropped: 0 });
  });

  test('drops video that comes before the key frame', () => {
    const key = frame('avc key', 80);
    const { start } = pushAll(new LeadIn(), [frame('avc delta', 0), frame('avc disposable', 40), key]);
    expect(start).toEqual({ frames: [key], firstDts: 80, newestDts: 80, dropped: 2 });
  });

  test('starts without video after a second of audio alone', () => {
    const { pushed, start } = pushAll(new LeadIn(), [frame('aac header', undefined), ...audio(500, 3000)]);
    expect(pushed).toBe(1 + 51);
    expect(start).toMatchObject({ firstDts: 500, newestDts: 1500, dropped: 0 });
    expect(start?.frames).toHaveLength(52);
  });

  test('waits for a key frame for 10 s of audio once video was seen, and keeps the last second', () => {
    const leadIn = new LeadIn();
    leadIn.push(frame('avc delta', 0));
    const { pushed, start } = pushAll(leadIn, audio(0, 20_000));
    expect(pushed).toBe(501);
    expect(start).toMatchObject({ firstDts: 9000, newestDts: 10_000, dropped: 1 + 450 });
    expect(start?.frames).toHaveLength(51);
  });

  test('leaves out audio of more than a second before the key frame, never set-up', () => {
    const leadIn = new LeadIn();
    leadIn.push(frame('avc delta', 0));
    const header = frame('aac header', undefined);
    const { start } = pushAll(leadIn, [header, ...audio(0, 4000, 1000), frame('avc key', 4100)]);
    expect(start?.frames.map(({ role, dts }) => [role, dts])).toEqual([
      ['header', undefined],
      ['sample', 4000],
      ['key', 4100],
    ]);
    expect(start).toMatchObject({ firstDts: 4000, dropped: 5 });
  });

  test('names the highest dts, wherever it came', () => {
    const { start } = pushAll(new LeadIn(), [frame('aac sample', 1200), frame('avc key', 1000)]);
    expect(start).toMatchObject({ firstDts: 1000, newestDts: 1200 });
  });

  test('waits from the lowest audio dts if the clock steps back', () => {
    const { pushed } = pushAll(new LeadIn(), [frame('aac sample', 1e9), ...audio(0, 5000)]);
    expect(pushed).toBe(52);
  });

  test('holds no more than 4,096 frames and 16 MiB: the oldest media goes first, set-up last', () => {
    const held = (leadIn: LeadIn) => leadIn.push(frame('avc key', 100))?.frames ?? [];
    const byFrames = new LeadIn();
    byFrames.push(frame('avc header', undefined));
    for (let count = 0; count < 5000; count += 1) byFrames.push(frame('aac sample', 100, count));
    const start = byFrames.push(frame('avc key', 100));
    const sizes = (start?.frames ?? []).map(({ payload }) => payload.length);
    expect(sizes.length).toBeLessThanOrEqual(4097);
    expect(sizes.length).toBeGreaterThan(4097 - 2 * (4096 / 16));
    expect(start?.frames[0]?.role).toBe('header');
    expect(start?.dropped).toBe(5000 + 2 - sizes.length);
    const newest = payloadOf('aac sample', 1, 4999).length;
    expect(sizes.slice(1, -1)).toEqual(
      sizes.slice(1, -1).map((_, index, all) => newest - all.length + 1 + index),
    );

    const byBytes = new LeadIn();
    for (let count = 0; count < 40; count += 1) byBytes.push(frame('aac sample', 100, 1 << 20));
    expect([15, 16, 17]).toContain(held(byBytes).length);

    const setUpOnly = new LeadIn();
    for (let count = 0; count < 5000; count += 1) setUpOnly.push(frame('metadata', undefined));
    expect(held(setUpOnly).length).toBeLessThanOrEqual(4097);
  });
});

test('audio from before a step back of the clock is not of the start', () => {
  const leadIn = new LeadIn();
  leadIn.push(frame('aac sample', 5_000));
  leadIn.push(frame('aac sample', 1_800));
  const started = leadIn.push(frame('avc key', 2_000));
  expect(started?.frames.map(({ dts }) => dts)).toEqual([1_800, 2_000]);
  expect([started?.firstDts, started?.newestDts, started?.dropped]).toEqual([1_800, 2_000, 1]);
});
