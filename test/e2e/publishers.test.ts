// Encoders and players other than ffmpeg: what they send comes out unharmed, and they take what we send.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureAll, type Format } from '../support/captures.ts';
import { type CapturedPlay, framesOf, type SeenFrame } from '../support/frames.ts';
import { freePort } from '../support/free-ports.ts';
import { Program, run } from '../support/programs.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectSuffix } from '../support/same-media.ts';
import { mediaOf, type Source, Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';

const NMS_PUSH = fileURLToPath(new URL('../support/nms-push.cjs', import.meta.url));
const SECONDS = 3;

let node: RunningNode;
let source: Source;
const sources = new Sources();

beforeAll(async () => {
  node = await runNode({ 'publish.holdMs': '300', 'play.waitMs': '10000' });
  source = await sources.get('audio and video', SECONDS);
});

afterAll(async () => {
  await node.stop();
  sources[Symbol.dispose]();
});

/** Waits for the end of all plays, and compares each. */
async function expectAllSame(plays: Record<Format, CapturedPlay>, sent: readonly SeenFrame[]): Promise<void> {
  await until('the plays end', () => Object.values(plays).every(({ ended }) => ended), 30_000);
  for (const [player, { frames }] of Object.entries(plays)) {
    expect(expectSuffix(player, frames, sent), `${player}: frames`).toBeGreaterThan(sent.length * 0.9);
  }
}

describe.each(['rtmpsink', 'rtmp2sink'])('gstreamer publishes through %s', (element) => {
  test('every frame arrives unharmed at every kind of player', async () => {
    const key = `live/${element}`;
    // What the muxer made is kept beside: gstreamer writes other FLV heads than ffmpeg did.
    const path = join(sources.folder, `${element}.flv`);
    const location = element === 'rtmpsink' ? `${node.rtmpUrl(key)} live=1` : node.rtmpUrl(key);
    const plays = captureAll(node, key);
    await run('gst-launch-1.0', [
      ...['-q', 'filesrc', `location=${source.path}`, '!', 'flvdemux', 'name=in'],
      ...['in.video', '!', 'queue', '!', 'mux.video', 'in.audio', '!', 'queue', '!', 'mux.audio'],
      ...['flvmux', 'name=mux', 'streamable=true', '!', 'identity', 'sync=true', '!', 'tee', 'name=out'],
      ...['out.', '!', 'queue', '!', element, `location=${location}`],
      ...['out.', '!', 'queue', '!', 'filesink', `location=${path}`],
    ]);
    const sent = mediaOf(framesOf(readFileSync(path)));
    expect(sent).toHaveLength(source.frames.length);
    await expectAllSame(await plays, sent);
  });
});

test("node-media-server's RTMP client publishes: every frame arrives unharmed at every kind of player", async () => {
  const key = 'live/nms';
  const port = await freePort();
  const nms = new Program(process.execPath, [
    NMS_PUSH,
    `${port}`,
    node.rtmpUrl(key),
    join(sources.folder, 'nms'),
  ]);
  await using _nms = nms;
  await until('node-media-server listens', () => nms.stderr.includes('ready'));
  const plays = captureAll(node, key);
  await run('ffmpeg', [
    ...['-v', 'error', '-re', '-i', source.path, '-c', 'copy'],
    ...['-f', 'flv', `rtmp://127.0.0.1:${port}/in/put`],
  ]);
  const players = Object.values(await plays);
  // It would wait for its own publisher to come back for 30 s.
  const last = source.frames.at(-1)?.hash;
  await until('the last frame is here', () =>
    players.every(({ frames }) => frames.some(({ hash }) => hash === last)),
  );
  await nms.kill();
  await expectAllSame(await plays, source.frames);
});

test('gstreamer plays through rtmp2src what ffmpeg publishes', async () => {
  const key = 'live/rtmp2src';
  const path = join(sources.folder, 'rtmp2src.flv');
  await using player = new Program('gst-launch-1.0', [
    ...['-q', '-e', 'rtmp2src', `location=${node.rtmpUrl(key)}`, '!', 'filesink', `location=${path}`],
  ]);
  await run('ffmpeg', [
    '-v',
    'error',
    '-re',
    '-i',
    source.path,
    '-c',
    'copy',
    '-f',
    'flv',
    node.rtmpUrl(key),
  ]);
  const { stderr } = await player.done;
  expect(stderr).toBe('');
  const count = expectSuffix('rtmp2src', framesOf(readFileSync(path)), source.frames);
  expect(count).toBeGreaterThan(source.frames.length / 2);
});
