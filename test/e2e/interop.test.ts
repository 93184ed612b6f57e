// Real encoders and real players: what goes in comes out, byte for byte, in every format.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureHttpFlv, captureWsFlv, framesOf, type SeenFrame } from '../support/frames.ts';
import { Program, run } from '../support/programs.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { mediaOf, SOURCE_NAMES, type Source, Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';

let node: RunningNode;
const sources = new Sources();

beforeAll(async () => {
  node = await runNode({ 'publish.holdMs': '300', 'play.waitMs': '10000' });
});

afterAll(async () => {
  await node.stop();
  sources[Symbol.dispose]();
});

/** Plays until the stream's end, in all five ways; answers the frames of each. */
function playAll(key: string) {
  const http = captureHttpFlv(node.flvUrl(key));
  const ws = captureWsFlv(node.wsUrl(key));
  const toFile = (name: string, command: string, args: (path: string) => string[]) => {
    const path = join(sources.folder, `${key.replace('/', '-')}-${name}.flv`);
    return { program: new Program(command, args(path)), path };
  };
  const copy = (url: string) => (path: string) => [
    '-v',
    'error',
    '-rw_timeout',
    '20000000',
    '-i',
    url,
    '-c',
    'copy',
    '-copyts',
    '-f',
    'flv',
    path,
  ];
  const programs = {
    'ffmpeg over HTTP-FLV': toFile('ffmpeg-http', 'ffmpeg', copy(node.flvUrl(key))),
    'ffmpeg over RTMP': toFile('ffmpeg-rtmp', 'ffmpeg', copy(node.rtmpUrl(key))),
    rtmpdump: toFile('rtmpdump', 'rtmpdump', (path) => ['-q', '--live', '-r', node.rtmpUrl(key), '-o', path]),
  };
  return {
    async ended(): Promise<Record<string, readonly SeenFrame[]>> {
      await until('the captures end', () => http.ended && ws.ended, 30_000);
      const files: Record<string, readonly SeenFrame[]> = {};
      for (const [name, { program, path }] of Object.entries(programs)) {
        const { code, stderr } = await program.done;
        expect(code, `${name}: ${stderr}`).toBe(0);
        files[name] = framesOf(readFileSync(path));
      }
      return { 'HTTP-FLV': http.frames, 'WS-FLV': ws.frames, ...files };
    },
  };
}

/** What came out is what went in, from the join point to the end. */
function expectSame(player: string, out: readonly SeenFrame[], source: readonly SeenFrame[]): void {
  const media = mediaOf(out);
  expect(media.length, `${player}: frames`).toBeGreaterThan(source.length / 2);
  const sent = source.slice(-media.length);
  expect(media.map(({ kind, hash }) => `${kind} ${hash}`)).toEqual(
    sent.map(({ kind, hash }) => `${kind} ${hash}`),
  );
  const shift = (media[0]?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0);
  expect(media.map(({ timestamp }) => timestamp - shift)).toEqual(sent.map(({ timestamp }) => timestamp));
  const video = media.filter(({ kind }) => kind === 9);
  if (video[0]) expect((video[0].payload[0] ?? 0) >> 4, `${player} starts at a key frame`).toBe(1);
}

// They take as long as their media is: side by side, that is no longer than one of them.
describe.concurrent.each(SOURCE_NAMES)('ffmpeg publishes %s', (name) => {
  let source: Source;
  beforeAll(async () => {
    source = await sources.get(name);
  });

  test.each([
    ['from the start of time', []],
    ['a day into the stream, with extended timestamps', ['-output_ts_offset', '86400']],
  ])('%s: every frame arrives unharmed at every kind of player', async (when, offset) => {
    const key = `live/${name.replaceAll(' ', '-')}-${when.length}`;
    const players = playAll(key);
    await run('ffmpeg', [
      ...['-v', 'error', '-re', '-i', source.path, '-c', 'copy', ...offset],
      ...['-f', 'flv', node.rtmpUrl(key)],
    ]);
    for (const [player, frames] of Object.entries(await players.ended()))
      expectSame(player, frames, source.frames);
  });

  test('by HTTP POST: every frame arrives unharmed', async () => {
    const key = `post/${name.replaceAll(' ', '-')}`;
    const play = captureWsFlv(node.wsUrl(key));
    await run('ffmpeg', [
      ...['-v', 'error', '-re', '-i', source.path, '-c', 'copy'],
      ...['-f', 'flv', '-method', 'POST', node.flvUrl(key)],
    ]);
    await until('the stream ends', () => play.ended);
    expectSame('WS-FLV', play.frames, source.frames);
  });
});

test.concurrent('ffprobe sees codec and size over RTMP and HTTP-FLV', async () => {
  const source = await sources.get('audio and video');
  await using publisher = new Program('ffmpeg', [
    ...['-v', 'error', '-re', '-stream_loop', '-1', '-i', source.path, '-c', 'copy'],
    ...['-f', 'flv', node.rtmpUrl('live/probe')],
  ]);
  for (const url of [node.rtmpUrl('live/probe'), node.flvUrl('live/probe')]) {
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-rw_timeout', '10000000', '-show_entries', 'stream=codec_name,width,height'],
      ...['-of', 'csv=p=0', url],
    ]);
    expect(stdout.toString().trim().split('\n').sort()).toEqual(['aac', 'h264,320,180']);
  }
  await publisher.kill();
});
