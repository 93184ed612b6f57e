// The quality of real streams, as real nodes measure it, and the alarms that name who is at fault, in time.
import { afterAll, expect, test } from 'vitest';
import type { AlarmsAnswer } from '../../src/http/forms/alarms.ts';
import { questions } from '../../src/http/forms/questions.ts';
import { playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { meshed } from '../support/cluster-view.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { Program } from '../support/programs.ts';
import { runNode } from '../support/running-node.ts';
import { Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';

const KEY = 'live/show';
/** Within so long an alarm is to begin, and to end. */
const WITHIN_MS = 3_000;

const sources = new Sources();
afterAll(() => sources[Symbol.dispose]());

test('what ffmpeg publishes is measured as it was made', async () => {
  const { path } = await sources.get('audio and video', 6);
  const node = await runNode();
  const ffmpeg = new Program('ffmpeg', [
    '-v',
    'error',
    '-re',
    '-i',
    path,
    '-c',
    'copy',
    '-f',
    'flv',
    node.rtmpUrl(KEY),
  ]);
  try {
    const here = () => {
      const [row] = node.node.answers.stream({ key: KEY }, { request: 'test' }).rows;
      return row && questions.stream.row.parse(row);
    };
    await until('four seconds of it are there', () => (here()?.history.bitsPerS.length ?? 0) >= 2, 12_000);
    const { quality, history } = here() ?? {};
    expect(quality).toMatchObject({
      video: { codec: 'avc', width: 320, height: 180, keyIntervalMs: 1_000 },
      audio: { codec: 'aac', sampleRate: 44_100, channels: 1 },
      dropped: 0,
    });
    expect(quality?.video?.frameRate).toBeGreaterThan(22);
    expect(quality?.video?.frameRate).toBeLessThan(28);
    expect(quality?.audio?.bitsPerS).toBeGreaterThan(40_000);
    expect(quality?.audio?.bitsPerS).toBeLessThan(100_000);
    expect(quality?.video?.keyAgeMs).toBeLessThan(1_500);
    expect(Math.abs(quality?.skewMs ?? Number.NaN)).toBeLessThan(300);
    expect(quality?.bitsPerS).toBeGreaterThan((quality?.video?.bitsPerS ?? 0) + 40_000);
    expect(Math.min(...(history?.bitsPerS ?? []))).toBeGreaterThan(100_000);
    const metrics = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
    const rate = /^tideway_stream_frame_rate\{stream="live\/show"\} ([\d.]+)$/m.exec(metrics)?.[1];
    expect(Number(rate)).toBeGreaterThan(22);
  } finally {
    await ffmpeg.kill();
    await node.stop();
  }
});

test('frames that freeze on one hop raise an alarm that names it within three seconds, and end it', async () => {
  await using cluster = await Cluster.start({ ids: ['a', 'b'] });
  await meshed(cluster.nodes);
  using _publisher = await NumberedPublisher.start(cluster.node('a'), {
    plan: PLANS['25 frames/s and audio'],
    key: KEY,
  });
  const players = await playAll(cluster.node('b'), KEY);
  await until('all play', () => players.every(({ check }) => check.frames > 50));
  const at = (id: string, event: string) =>
    cluster
      .node(id)
      .events(event)
      .map(({ kind, stream, hop }) => `${kind} ${stream} ${hop}`);

  const frozenMs = performance.now();
  cluster.partition([['a'], ['b']]);
  await until('an alarm begins', () => at('b', 'alarm.start').length > 0, 2 * WITHIN_MS);
  const raisedMs = performance.now() - frozenMs;
  expect(at('b', 'alarm.start')).toEqual([`stalled ${KEY} a>b`]);
  const told = async () => (await cluster.node('b').api('/api/v1/alarms')) as AlarmsAnswer;
  const alarm = { kind: 'stalled', node: 'b', stream: KEY, hop: { from: 'a', to: 'b' } };
  expect(await told()).toMatchObject({ alarms: [{ ...alarm, until: null }], stale: [{ node: 'a' }] });

  cluster.heal();
  const healedMs = performance.now();
  await until('it ends', () => at('b', 'alarm.end').length > 0, 2 * WITHIN_MS);
  const endedMs = performance.now() - healedMs;
  expect(at('b', 'alarm.end')).toEqual([`stalled ${KEY} a>b`]);
  expect(at('a', 'alarm.start')).toEqual([]);
  expect(await told()).toMatchObject({ alarms: [{ ...alarm, until: expect.any(String) }] });
  console.log(`raised after ${Math.round(raisedMs)} ms, ended after ${Math.round(endedMs)} ms`);
  expect(raisedMs).toBeLessThan(WITHIN_MS);
  expect(endedMs).toBeLessThan(WITHIN_MS);
  for (const player of players) player.leave();
}, 60_000);
