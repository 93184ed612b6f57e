// RTMP time is 32 bits: a publication that runs over its end loses nothing, and its players see no step.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { capture, captureAll, FORMATS } from '../support/captures.ts';
import { type CapturedPlay, type SeenFrame, seen } from '../support/frames.ts';
import { kindOf, type PayloadName, payloadOf } from '../support/media.ts';
import { type MediaMessage, RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectNoBackwardTime, prints } from '../support/same-media.ts';
import { until } from '../support/until.ts';

/** 5 s before the wrap. */
const START = 2 ** 32 - 5000;
const SECONDS = 10;
const STEP_MS = 40;
const FRAMES = (SECONDS * 1000) / STEP_MS;
const GOP = 25;
/** Beyond it, RTMP times are extended. */
const EXTENDED = 0xffffff;
/** Players are served times relative to a multiple of it. */
const ERA_MS = 2 ** 30;

let node: RunningNode;

beforeAll(async () => {
  node = await runNode({ 'publish.holdAfterStopMs': '0' });
});

afterAll(() => node.stop());

const message = (name: PayloadName, id: number, at: number): MediaMessage => ({
  kind: kindOf(name),
  timestamp: at % 2 ** 32,
  // Now and then longer than a chunk of the client's, so that its chunks of type 3 carry extended times, too.
  payload: payloadOf(name, id, id % GOP === 0 ? 10_000 : 100),
});

/** Video and, 5 ms after each frame, audio. */
const MEDIA = Array.from({ length: FRAMES }, (_, nth) => [
  message(nth % GOP === 0 ? 'avc key' : 'avc delta', nth, START + nth * STEP_MS),
  message('aac sample', nth, START + nth * STEP_MS + 5),
]).flat();

/** Encoders stamp set-up with 0. */
const SET_UP = [message('avc header', 1, 0), message('aac header', 1, 0)];

test('a publication that starts at 2^32 - 5 s loses nothing, and time goes on', async () => {
  const publisher = await RtmpClient.publishing(node.rtmpPort, 'wrap');
  const early = await captureAll(node, 'live/wrap');
  const arrived = (plays: readonly CapturedPlay[], last: MediaMessage | undefined) => () =>
    plays.every(({ frames }) => last && frames.at(-1)?.payload.equals(last.payload));
  const send = async (from: number, to: number) => {
    for (const each of MEDIA.slice(from, to)) publisher.frame(each);
    await until(`${to} messages are out`, arrived(Object.values(early), MEDIA[to - 1]));
  };
  for (const each of SET_UP) publisher.frame(each);
  await send(0, 2);
  await send(2, 350);
  // Set-up comes again in the middle, with time 0, too: this one is new.
  const newSetUp = message('avc header', 2, 0);
  publisher.frame(newSetUp);
  await send(350, 360);
  const late = await Promise.all(FORMATS.map((format) => capture(node, 'live/wrap', format)));
  await send(360, MEDIA.length);
  publisher.call('deleteStream', 0, null, 1);
  await until('the plays end', () => [...Object.values(early), ...late].every(({ ended }) => ended));
  publisher.destroy();

  const times = (frames: readonly SeenFrame[]) => frames.map(({ timestamp }) => timestamp);
  for (const [player, { frames }] of Object.entries(early)) {
    const expected = [...SET_UP, ...MEDIA.slice(0, 350), newSetUp, ...MEDIA.slice(350)];
    expect(prints(frames), player).toEqual(prints(expected.map(seen)));
    expectNoBackwardTime(player, frames);
    const media = frames.filter(({ payload }) => payload[1] === 1);
    const start = START % ERA_MS;
    expect(times(media), player).toEqual(MEDIA.map((_, at) => start + (at >> 1) * STEP_MS + (at % 2) * 5));
    expect(Math.min(...times(frames)), `${player}: all times are extended`).toBeGreaterThan(EXTENDED);
  }
  for (const [at, { frames }] of late.entries()) {
    const player = `late ${FORMATS[at]}`;
    const joinedAt = 350;
    expect(prints(frames), player).toEqual(
      prints([newSetUp, SET_UP[1] ?? newSetUp, ...MEDIA.slice(joinedAt)].map(seen)),
    );
    const media = frames.filter(({ kind, payload }) => kind !== FrameKind.data && payload[1] === 1);
    const start = media[0]?.timestamp ?? 0;
    expect(times(media).map((time) => time - start)).toEqual(
      MEDIA.slice(joinedAt).map((_, nth) => (nth >> 1) * STEP_MS + (nth % 2) * 5),
    );
  }
});
