// Enhanced RTMP passes through: codecs that the node knows by name only come out as they went in, with their set-up.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { captureAll } from '../support/captures.ts';
import { type CapturedPlay, type SeenFrame, seen } from '../support/frames.ts';
import { type MediaMessage, RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectNoBackwardTime, prints } from '../support/same-media.ts';
import { until } from '../support/until.ts';

const { audio, video, data } = FrameKind;
const GOP = 10;
const GOPS = 4;
/** When the late players join, in video frames: in the middle of the third GOP. */
const JOIN_AFTER = 25;

let node: RunningNode;

beforeAll(async () => {
  node = await runNode({ 'publish.holdAfterStopMs': '0' });
});

afterAll(() => node.stop());

/** How a codec's messages begin. */
interface Codec {
  readonly headers: readonly Buffer[];
  /** What opens the nth coded message; several for several tracks. */
  coded(nth: number): readonly Buffer[];
}

/** Numbers are bytes, strings their latin1 bytes. */
function bytes(...parts: (number | string)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.of(part))),
  );
}

const isKey = (nth: number) => nth % GOP === 0;
const ticks = (nth: number) => (isKey(nth) ? 0x10 : 0x20);
/** A composition time, 24 bits signed: the third one is below 0. */
const cts = (nth: number) => (nth % 3 === 2 ? [0xff, 0xff, 0xd8] : [0, 0, 40 * (nth % 3)]);

const uint24 = (value: number) => [value >> 16, (value >> 8) & 0xff, value & 0xff];

/** HEVC: CodedFrames with a composition time, and CodedFramesX without. */
const hevc: Codec = {
  headers: [bytes(0x90, 'hvc1', 'HEVCDecoderConfigurationRecord'), bytes(0x94, 'hvc1', 'colorInfo')],
  coded: (nth) => [
    nth % 2 ? bytes(0x83 | ticks(nth), 'hvc1') : bytes(0x81 | ticks(nth), 'hvc1', ...cts(nth)),
  ],
};
const av1: Codec = {
  headers: [bytes(0x90, 'av01', 'AV1CodecConfigurationRecord')],
  coded: (nth) => [bytes(0x81 | ticks(nth), 'av01')],
};
const vp9: Codec = {
  headers: [bytes(0x90, 'vp09', 'VPCodecConfigurationRecord')],
  coded: (nth) => [bytes(0x81 | ticks(nth), 'vp09')],
};
const legacyHevc: Codec = {
  headers: [bytes(0x1c, 0, 0, 0, 0, 'HEVCDecoderConfigurationRecord')],
  coded: (nth) => [bytes(0x0c | ticks(nth), 1, ...cts(nth))],
};
/** TimestampOffsetNano around each message (ModEx type 0, 3 bytes). */
const modExAv1: Codec = {
  headers: [bytes(0x90, 'av01', 'AV1CodecConfigurationRecord')],
  coded: (nth) => [bytes(0x87 | ticks(nth), 2, 0, nth, 7, 0x01, 'av01')],
};
/** Track 0 in messages of its own, tracks 1 and 2 in one message. */
const multitrackVideo: Codec = {
  headers: [
    bytes(0x90, 'hvc1', 'record of track 0'),
    bytes(0x96, 0x00, 'hvc1', 1, 'record of track 1'),
    bytes(0x96, 0x00, 'av01', 2, 'record of track 2'),
  ],
  coded: (nth) => [
    bytes(0x81 | ticks(nth), 'hvc1', ...cts(nth)),
    bytes(
      0x86 | ticks(nth),
      0x11,
      'hvc1',
      1,
      0,
      0,
      4,
      ...cts(nth),
      1,
      2,
      ...uint24(3 + bodyBytes(video, nth)),
      ...cts(nth),
    ),
  ],
};

const opus: Codec = {
  headers: [bytes(0x90, 'Opus', 'OpusHead'), bytes(0x94, 'Opus', 1, 2, 3)],
  coded: () => [bytes(0x91, 'Opus')],
};
const flac: Codec = {
  headers: [bytes(0x90, 'fLaC', 'fLaC STREAMINFO')],
  coded: () => [bytes(0x91, 'fLaC')],
};
/** Needs no set-up. */
const ac3: Codec = { headers: [], coded: () => [bytes(0x91, 'ac-3')] };
const multitrackAudio: Codec = {
  headers: [bytes(0x90, 'mp4a', 0x12, 0x10), bytes(0x95, 0x00, 'Opus', 1, 'OpusHead')],
  coded: () => [bytes(0x91, 'mp4a'), bytes(0x95, 0x01, 'Opus', 1)],
};
const modExOpus: Codec = {
  headers: [bytes(0x97, 2, 0, 0, 1, 0x00, 'Opus', 'OpusHead')],
  coded: (nth) => [bytes(0x97, 2, 0, nth, 1, 0x01, 'Opus')],
};

const METADATA = { kind: data, timestamp: 0, payload: bytes(2, 0, 10, 'onMetaData', 8, 0, 0, 0, 0, 0, 0, 9) };

/** Now and then longer than an RTMP chunk of ours. */
function bodyBytes(kind: FrameKind, nth: number): number {
  return kind === video && isKey(nth) ? 70_000 : 100 + nth;
}

/** Body behind a head: unlike any other. */
function body(kind: FrameKind, nth: number): Buffer {
  const filled = Buffer.alloc(bodyBytes(kind, nth), nth);
  filled.writeUInt32BE(nth * 10 + kind);
  return filled;
}

/** All that a publisher sends: set-up with time 0, then per 40 ms of video two messages of audio. */
function broadcast(videoCodec: Codec, audioCodec: Codec): { setUp: MediaMessage[]; media: MediaMessage[] } {
  const message = (kind: FrameKind, timestamp: number, payload: Buffer) => ({ kind, timestamp, payload });
  const media = Array.from({ length: GOP * GOPS }, (_, nth) => {
    const coded = (kind: FrameKind, codec: Codec, at: number, count: number) =>
      codec.coded(count).map((head) => message(kind, at, Buffer.concat([head, body(kind, count)])));
    return [
      ...coded(video, videoCodec, 5000 + nth * 40, nth),
      ...coded(audio, audioCodec, 5010 + nth * 40, nth * 2),
      ...coded(audio, audioCodec, 5030 + nth * 40, nth * 2 + 1),
    ];
  });
  const setUp = [
    METADATA,
    ...videoCodec.headers.map((payload) => message(video, 0, payload)),
    ...audioCodec.headers.map((payload) => message(audio, 0, payload)),
  ];
  return { setUp, media: media.flat() };
}

function expectFrom(player: string, out: readonly SeenFrame[], setUp: MediaMessage[], sent: MediaMessage[]) {
  const opening = out.slice(0, setUp.length);
  expect(prints(opening).sort(), `${player}: set-up`).toEqual(prints(setUp.map(seen)).sort());
  const order = opening.map(({ payload }) => setUp.findIndex((each) => each.payload.equals(payload)));
  const firstOf = (kind: number) => order.find((at) => setUp[at]?.kind === kind);
  // The default track's set-up comes before that of others.
  for (const kind of [video, audio]) {
    expect(firstOf(kind) ?? -1, `${player}: first`).toBe(setUp.findIndex((each) => each.kind === kind));
  }
  const media = out.slice(setUp.length);
  expect(prints(media), `${player}: media`).toEqual(prints(sent.map(seen)));
  expect(media.map(({ timestamp }) => timestamp)).toEqual(sent.map(({ timestamp }) => timestamp));
  expectNoBackwardTime(player, out);
}

describe('an Enhanced RTMP publisher', () => {
  test.each([
    ['HEVC and Opus', hevc, opus],
    ['AV1 and FLAC', av1, flac],
    ['VP9 and AC-3', vp9, ac3],
    ['legacy HEVC and Opus', legacyHevc, opus],
    ['ModEx around AV1 and Opus', modExAv1, modExOpus],
    ['three tracks of video and two of audio', multitrackVideo, multitrackAudio],
  ])(
    '%s: every message arrives unharmed, and joiners get the set-up',
    async (name, videoCodec, audioCodec) => {
      const key = `live/${name.replaceAll(' ', '-')}`;
      const { setUp, media } = broadcast(videoCodec, audioCodec);
      const publisher = await RtmpClient.publishing(node.rtmpPort, key.slice('live/'.length));
      const early = await captureAll(node, key);
      const have = (plays: Record<string, CapturedPlay>, count: number) => () =>
        Object.values(plays).every(({ frames }) => frames.length >= count);

      const parts = media.length / (GOP * GOPS);
      const send = (messages: readonly MediaMessage[]) => {
        for (const each of messages) publisher.frame(each);
      };
      // Players start at the newest key frame of what comes together: let the first come alone.
      send([...setUp, ...media.slice(0, parts)]);
      await until('the first frame is out', have(early, setUp.length + 1));
      send(media.slice(parts, JOIN_AFTER * parts));
      await until('the first half is out', have(early, setUp.length + JOIN_AFTER * parts));
      const late = await captureAll(node, key);
      const joinedAt = (JOIN_AFTER - (JOIN_AFTER % GOP)) * parts;
      await until('the joiners caught up', have(late, setUp.length + JOIN_AFTER * parts - joinedAt));
      send(media.slice(JOIN_AFTER * parts));
      publisher.call('deleteStream', 0, null, 1);
      const plays = [...Object.values(early), ...Object.values(late)];
      await until('the plays end', () => plays.every(({ ended }) => ended));
      publisher.destroy();

      for (const [player, { frames }] of Object.entries(early)) expectFrom(player, frames, setUp, media);
      for (const [player, { frames }] of Object.entries(late)) {
        expectFrom(`late ${player}`, frames, setUp, media.slice(joinedAt));
      }
    },
  );
});
