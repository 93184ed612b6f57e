// ffmpeg is killed and started again, twice: players of all formats stay, and their time goes on.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureAll } from '../support/captures.ts';
import { Program } from '../support/programs.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectNoBackwardTime, prints } from '../support/same-media.ts';
import { mediaOf, Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';

const MAX_LEAP_MS = 3000;
const ROUNDS = 3;
/** After so many frames it is killed: in the middle of the second GOP. */
const FRAMES = 100;

let node: RunningNode;
const sources = new Sources();

beforeAll(async () => {
  node = await runNode({ 'play.waitMs': '10000' });
});

afterAll(async () => {
  await node.stop();
  sources[Symbol.dispose]();
});

test('two restarts of ffmpeg: nobody is disconnected, times neither fall nor leap', async () => {
  const source = await sources.get('audio and video');
  const key = 'live/show';
  const granted = captureAll(node, key);
  for (let round = 0; round < ROUNDS; round += 1) {
    await using publisher = new Program('ffmpeg', [
      ...['-v', 'error', '-re', '-i', source.path, '-c', 'copy'],
      // Its clock starts elsewhere each time; what players see must not.
      ...['-output_ts_offset', String(round * 1000), '-f', 'flv', node.rtmpUrl(key)],
    ]);
    const plays = Object.values(await granted);
    const before = plays.map(({ frames }) => mediaOf(frames).length);
    await until(`round ${round} plays`, () =>
      plays.every(({ frames }, at) => mediaOf(frames).length >= (before[at] ?? 0) + FRAMES),
    );
    await publisher.kill();
    const ends = () => node.lines.filter(({ event }) => event === 'publish.end');
    await until('the publisher is gone', () => ends().length === round + 1);
    expect(ends().at(-1)?.reason).toBe('rtmp.peer-gone');
  }

  for (const [player, { frames, ended }] of Object.entries(await granted)) {
    expect(ended, player).toBeUndefined();
    expectNoBackwardTime(player, frames);
    const media = mediaOf(frames);
    for (const track of [8, 9]) {
      const times = media.filter(({ kind }) => kind === track).map(({ timestamp }) => timestamp);
      const leaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
      expect(Math.max(...leaps), `${player}: leap`).toBeLessThanOrEqual(MAX_LEAP_MS);
    }
    // Each round is the beginning of the source, moved by one offset for audio and video.
    const starts = media.flatMap(({ hash }, at) => (hash === source.frames[0]?.hash ? [at] : []));
    expect(starts).toHaveLength(ROUNDS);
    for (const [round, start] of starts.entries()) {
      const part = media.slice(start, starts[round + 1]);
      const sent = source.frames.slice(0, part.length);
      expect(prints(part), `${player}, round ${round}`).toEqual(prints(sent));
      const shift = (part[0]?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0);
      expect(part.map(({ timestamp }) => timestamp - shift)).toEqual(sent.map(({ timestamp }) => timestamp));
    }
    expect(frames.filter(({ kind, payload }) => kind !== 18 && payload[1] === 0)).toHaveLength(2);
  }
  for (const play of Object.values(await granted)) play.close();
});
