// The publisher goes and comes back, or another takes over: players on real sockets stay, and time goes on for them.
import { get } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { type CapturedRtmpPlay, captureAll, captureRtmp, STREAM_EOF } from '../support/captures.ts';
import { captureHttpFlv, captureWsFlv, type SeenFrame, seen } from '../support/frames.ts';
import { kindOf, type PayloadName, payloadOf } from '../support/media.ts';
import { type MediaMessage, RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectNoBackwardTime, prints } from '../support/same-media.ts';
import { until } from '../support/until.ts';

const RESTARTS = 20;
const MAX_LEAP_MS = 3000;
const FRAMES = 10;
/** The round from which on the video has other set-up. */
const NEW_HEADER_AT = 8;

let node: RunningNode;
afterEach(() => node.stop());

/** Wire times at which publishers begin: their clocks agree on nothing. */
const FIRST_TIMES = [0, 3_600_000, 40, 2 ** 31 - 100, 2 ** 32 - 200, 123_456_789];
/** How publishers go. */
const EXITS: readonly ((publisher: RtmpClient) => void)[] = [
  (publisher) => publisher.destroy(),
  (publisher) => publisher.call('deleteStream', 0, null, 1),
  (publisher) => publisher.socket.end(),
  (publisher) => publisher.socket.resetAndDestroy(),
];

interface Round {
  readonly setUp: readonly MediaMessage[];
  readonly media: readonly MediaMessage[];
}

/**
 * What a publisher sends: set-up with time 0, a GOP, and audio beside it, 7 ms after and with each frame.
 * @param videoHeader the id of its decoder set-up
 */
function roundOf(number: number, videoHeader: number): Round {
  const first = FIRST_TIMES[number % FIRST_TIMES.length] ?? 0;
  const message = (name: PayloadName, id: number, at: number): MediaMessage => ({
    kind: kindOf(name),
    timestamp: (first + at) % 2 ** 32,
    payload: payloadOf(name, id, 200),
  });
  const media = Array.from({ length: FRAMES }, (_, nth) => [
    message(nth === 0 ? 'avc key' : 'avc delta', number * 100 + nth, nth * 40),
    message('aac sample', number * 100 + nth, nth * 40 + 7),
  ]).flat();
  const setUp = [
    { kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', videoHeader) },
    { kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac header', 1) },
  ];
  return { setUp, media };
}

function send(publisher: RtmpClient, messages: readonly MediaMessage[]): void {
  for (const message of messages) publisher.frame(message);
}

function isSetUp({ kind, payload }: SeenFrame): boolean {
  return kind !== FrameKind.data && payload[1] === 0;
}

/** Time never leaps by more than 3 s, in no track. */
function expectNoLeap(player: string, frames: readonly SeenFrame[]): void {
  for (const track of [FrameKind.audio, FrameKind.video]) {
    const times = frames.filter(({ kind }) => kind === track).map(({ timestamp }) => timestamp);
    const leaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.max(...leaps), `${player}: leap`).toBeLessThanOrEqual(MAX_LEAP_MS);
  }
}

test(`${RESTARTS} restarts of the publisher: nobody is disconnected, and time goes on`, async () => {
  node = await runNode({ 'publish.holdMs': '10000' });
  const rounds = Array.from({ length: RESTARTS + 1 }, (_, number) =>
    roundOf(number, number < NEW_HEADER_AT ? 1 : 2),
  );
  let plays: Awaited<ReturnType<typeof captureAll>> | undefined;
  for (const [number, { setUp, media }] of rounds.entries()) {
    const publisher = await RtmpClient.publishing(node.rtmpPort, 'show');
    plays ??= await captureAll(node, 'live/show');
    publisher.metadata({ encoder: 'a test' });
    send(publisher, [...setUp, ...media]);
    const last = media.at(-1)?.payload ?? Buffer.alloc(0);
    const players = Object.values(plays);
    await until(`round ${number} is out`, () =>
      players.every(({ frames, ended }) => ended || frames.at(-1)?.payload.equals(last)),
    );
    EXITS[number % EXITS.length]?.(publisher);
    await until(
      'the publisher is gone',
      () => node.lines.filter(({ event }) => event === 'publish.end').length === number + 1,
    );
    publisher.destroy();
  }

  for (const [player, { frames, ended }] of Object.entries(plays ?? {})) {
    expect(ended, player).toBeUndefined();
    expectNoBackwardTime(player, frames);
    expectNoLeap(player, frames);
    const media = frames.filter((frame) => frame.kind !== FrameKind.data && !isSetUp(frame));
    expect(prints(media)).toEqual(prints(rounds.flatMap((round) => round.media.map(seen))));
    // One offset for all frames of an epoch: audio and video stay as far apart as they came.
    for (const number of rounds.keys()) {
      const times = media.slice(number * FRAMES * 2).slice(0, FRAMES * 2);
      const start = times[0]?.timestamp ?? 0;
      expect(
        times.map(({ timestamp }) => timestamp - start),
        `${player}, round ${number}`,
      ).toEqual(Array.from({ length: FRAMES }, (_, nth) => [nth * 40, nth * 40 + 7]).flat());
    }
    // Equal set-up comes once; changed set-up comes before the key frame that needs it.
    const track = frames.filter(({ kind }) => kind === FrameKind.video);
    const setUpAt = track.flatMap((frame, at) => (isSetUp(frame) ? [at] : []));
    expect(setUpAt, `${player}: video set-up`).toEqual([0, 1 + NEW_HEADER_AT * FRAMES]);
    expect(frames.filter((frame) => frame.kind === FrameKind.audio && isSetUp(frame))).toHaveLength(1);
  }
  expect(node.lines.filter(({ event }) => event === 'play.end')).toEqual([]);
  for (const play of Object.values(plays ?? {})) play.close();
});

test('a newer publisher takes over from a living one: BadName for that one, nothing for the players', async () => {
  node = await runNode();
  const [first, second] = [roundOf(1, 1), roundOf(2, 1)];
  const older = await RtmpClient.publishing(node.rtmpPort, 'show');
  const plays = await captureAll(node, 'live/show');
  const players = Object.values(plays);
  send(older, [...first.setUp, ...first.media]);
  await until('the older plays', () => players.every(({ frames }) => frames.length === 2 + FRAMES * 2));

  const newer = await RtmpClient.publishing(node.rtmpPort, 'show');
  expect(await older.status()).toBe('NetStream.Publish.BadName');
  await older.closed();
  send(newer, [...second.setUp, ...second.media]);
  await until('the newer plays', () => players.every(({ frames }) => frames.length === 2 + FRAMES * 4));
  for (const [player, { frames, ended }] of Object.entries(plays)) {
    expect(ended, player).toBeUndefined();
    expectNoBackwardTime(player, frames);
    expectNoLeap(player, frames);
    expect(prints(frames.slice(2))).toEqual(prints([...first.media, ...second.media].map(seen)));
  }
  for (const play of players) play.close();
  newer.destroy();
});

test('until the newer publisher has its first key frame, the older one stays what is seen', async () => {
  node = await runNode();
  const [first, second] = [roundOf(1, 1), roundOf(2, 1)];
  const older = await RtmpClient.publishing(node.rtmpPort, 'show');
  const plays = await captureAll(node, 'live/show');
  const players = Object.values(plays);
  send(older, [...first.setUp, ...first.media]);
  await until('the older plays', () => players.every(({ frames }) => frames.length === 2 + FRAMES * 2));
  const newer = await RtmpClient.publishing(node.rtmpPort, 'show');
  // What nobody can decode is not sent: the newer one begins in the middle of a GOP.
  const late = second.media.slice(2);
  send(newer, [...second.setUp, ...late]);
  const next = roundOf(2, 1).media.map((each) => ({ ...each, timestamp: each.timestamp + FRAMES * 40 }));
  send(newer, next);
  await until('the newer plays', () =>
    players.every(({ frames }) => frames.at(-1)?.payload.equals(next.at(-1)?.payload ?? Buffer.alloc(0))),
  );
  for (const [player, { frames }] of Object.entries(plays)) {
    const video = frames.filter(({ kind }) => kind === FrameKind.video).slice(1);
    expect(
      video.map(({ payload }) => payload[0]),
      player,
    ).toEqual(
      [...first.media, ...next]
        .filter(({ kind }) => kind === FrameKind.video)
        .map(({ payload }) => payload[0]),
    );
    expectNoBackwardTime(player, frames);
  }
  for (const play of players) play.close();
  newer.destroy();
});

test('when the hold is over, players of all formats are ended cleanly', async () => {
  node = await runNode({ 'publish.holdMs': '200' });
  const { setUp, media } = roundOf(0, 1);
  const publisher = await RtmpClient.publishing(node.rtmpPort, 'show');
  const http = endOf(node.flvUrl('live/show'));
  const flv = captureHttpFlv(node.flvUrl('live/show'));
  const ws = captureWsFlv(node.wsUrl('live/show'));
  const rtmp: CapturedRtmpPlay = await captureRtmp(node, 'live/show');
  await until('all play', () => node.lines.filter(({ event }) => event === 'play.start').length === 4);
  send(publisher, [...setUp, ...media]);
  await until('all is out', () => [flv, ws, rtmp].every(({ frames }) => frames.length === 2 + FRAMES * 2));
  publisher.destroy();

  expect(await http).toBe('end');
  await until('all are over', () => [flv, ws, rtmp].every(({ ended }) => ended));
  expect(ws.ended?.code).toBe(1001);
  expect(rtmp.events).toContain(STREAM_EOF);
  expect(rtmp.statusCodes).toContain('NetStream.Play.UnpublishNotify');
  for (const { frames } of [flv, ws, rtmp]) expect(frames).toHaveLength(2 + FRAMES * 2);
  const reasons = node.lines.filter(({ event }) => event === 'play.end').map(({ reason }) => reason);
  expect(reasons).toEqual(Array(4).fill('stream.hold-over'));
});

/** How an HTTP body ends: by a FIN, or by an error. */
function endOf(url: string): Promise<'end' | 'error'> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve('end'));
      response.on('error', () => resolve('error'));
    }).on('error', () => resolve('error'));
  });
}
