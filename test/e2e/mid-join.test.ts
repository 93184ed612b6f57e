// Players that join in the middle: they get a key frame, and from there on every frame, none twice.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureAll } from '../support/captures.ts';
import { captureHttpFlv } from '../support/frames.ts';
import { Program } from '../support/programs.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { expectSuffix } from '../support/same-media.ts';
import { mediaOf, type SourceName, Sources } from '../support/sources.ts';
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

test.each<SourceName>(['audio and video', 'audio only'])('%s: joins at six moments', async (name) => {
  const source = await sources.get(name);
  const key = `live/${name.replaceAll(' ', '-')}`;
  const witness = captureHttpFlv(node.flvUrl(key));
  await using publisher = new Program('ffmpeg', [
    ...['-v', 'error', '-re', '-i', source.path, '-c', 'copy', '-f', 'flv', node.rtmpUrl(key)],
  ]);
  const joins = [];
  for (const part of [0.1, 0.25, 0.4, 0.5, 0.65, 0.8]) {
    const after = Math.round(source.frames.length * part);
    await until(`${after} frames are out`, () => mediaOf(witness.frames).length >= after);
    joins.push({ after, plays: await captureAll(node, key) });
  }
  expect((await publisher.done).stderr).toBe('');
  const all = joins.flatMap(({ plays }) => Object.values(plays));
  await until('the plays end', () => [witness, ...all].every(({ ended }) => ended));

  expectSuffix('the first player', witness.frames, source.frames);
  for (const { after, plays } of joins) {
    for (const [format, { frames }] of Object.entries(plays)) {
      const count = expectSuffix(`${format} after ${after}`, frames, source.frames);
      // It starts in the past, with a GOP of a second, and not at the beginning.
      expect(count, `${format} after ${after}`).toBeGreaterThanOrEqual(source.frames.length - after);
      if (after >= source.frames.length * 0.4) expect(count).toBeLessThan(source.frames.length);
    }
  }
});
