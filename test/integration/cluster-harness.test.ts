// What clusters are proven with is itself tried, on one node: its process, its faults, its publisher, its players.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { LoopWatch } from '../support/loop-watch.ts';
import { PLANS } from '../support/numbered-media.ts';
import { CheckedPlayer, caughtUp, NumberedPublisher, playAll } from '../support/oracle.ts';
import { until } from '../support/until.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({
    ids: ['a'],
    registry: 'memory',
    settings: { 'publish.holdMs': '20000', 'play.waitMs': '5000' },
  });
});

afterAll(() => cluster[Symbol.asyncDispose]());

const CLEAN = { lost: 0, duplicated: 0, disordered: 0, corrupt: 0, backward: 0, leaps: 0, badStarts: 0 };

test.each(Object.entries(PLANS))('%s: players of all formats get every frame, once', async (name, plan) => {
  const node = cluster.node('a');
  const key = `live/${name.replace(/\W+/g, '-')}`;
  using publisher = await NumberedPublisher.start(node, { plan, key });
  const players = await playAll(node, key);
  await until('all play', () => players.every(({ check }) => check.frames > 3));
  expect(await caughtUp(publisher, players)).toEqual([0, 0, 0]);
  for (const player of players) {
    expect(player.check.words, player.format).toEqual([]);
    expect(player.check, player.format).toMatchObject({ ...CLEAN, splices: 0 });
    expect(player.ended).toBeUndefined();
    player.leave();
  }
});

test('a node that is stopped for a while: a gap of that length, and no other fault', async () => {
  const node = cluster.node('a');
  const key = 'live/stopped';
  using watch = new LoopWatch();
  using publisher = await NumberedPublisher.start(node, { plan: PLANS['25 frames/s and audio'], key });
  const players = await playAll(node, key);
  await until('all play', () => players.every(({ check }) => check.frames > 70));
  const fromMs = performance.now();
  node.pause();
  await new Promise((resolve) => setTimeout(resolve, 400));
  node.resume();
  expect(await caughtUp(publisher, players)).toEqual([0, 0, 0]);
  const toMs = performance.now();
  for (const player of players) {
    const before = player.check.longestWaitMs(fromMs - 1000, fromMs);
    const gapMs = player.check.longestWaitMs(fromMs, toMs) - before;
    expect(before, player.format).toBeLessThan(200 + watch.worstMs(fromMs - 2_000, fromMs));
    expect(gapMs, player.format).toBeGreaterThan(200);
    expect(gapMs, player.format).toBeLessThan(600 + watch.worstMs(fromMs, toMs));
    expect(player.check, player.format).toMatchObject(CLEAN);
    player.leave();
  }
});

test('an encoder that comes back: a new session, from its first key frame on', async () => {
  const node = cluster.node('a');
  const key = 'live/back';
  using publisher = await NumberedPublisher.start(node, { plan: PLANS['25 frames/s and audio'], key });
  const players = await playAll(node, key);
  await until('all play', () => players.every(({ check }) => check.frames > 40));
  publisher.drop();
  await until('the publisher is gone', () => node.events('publish.end').some(({ stream }) => stream === key));
  await publisher.connect(node);
  expect(await caughtUp(publisher, players)).toEqual([0, 0, 0]);
  for (const player of players) {
    expect(player.check.words, player.format).toEqual([]);
    expect(player.check, player.format).toMatchObject({ ...CLEAN, splices: 1, session: 2 });
    expect(player.ended).toBeUndefined();
    player.leave();
  }
});

test('players whose network is cut are told of as ended; one that leaves is not', async () => {
  const node = cluster.node('a');
  const key = 'live/cut';
  await using rtmp = await FaultProxy.start({ targetPort: node.rtmpPort });
  await using http = await FaultProxy.start({ targetPort: node.httpPort });
  using _publisher = await NumberedPublisher.start(node, { plan: PLANS['10 frames/s'], key });
  const players = await playAll({ rtmpPort: rtmp.port, httpPort: http.port }, key);
  const leaver = await CheckedPlayer.play(node, key, 'http-flv');
  await until('all play', () => [...players, leaver].every(({ check }) => check.frames > 3));
  leaver.leave();
  rtmp.cut();
  http.cut();
  await until('all are ended', () => players.every(({ ended }) => ended !== undefined));
  expect(leaver.ended).toBeUndefined();
});

test('a stream of the past: what comes again, and what is missing, is found in real bytes', async () => {
  const node = cluster.node('a');
  const key = 'live/faulty';
  using first = await NumberedPublisher.start(node, { plan: PLANS['25 frames/s and audio'], key });
  const player = await CheckedPlayer.play(node, key, 'http-flv');
  await until('it plays', () => player.check.frames > 20);
  // Another encoder that says that it is the same session: its frames are those that came already.
  using _second = await NumberedPublisher.start(node, { plan: PLANS['25 frames/s and audio'], key });
  await until('frames came again', () => player.check.duplicated > 10);
  expect(player.check.isClean).toBe(false);
  expect(first.session).toBe(1);
  player.leave();
});

test('a node that is killed and started again has new ports, and all its lines', async () => {
  const node = cluster.node('a');
  const { pid } = node;
  await node.kill();
  expect(node.isRunning).toBe(false);
  expect((await node.get('/readyz')).status).toBe(0);
  await cluster.restart('a');
  expect(node.pid).not.toBe(pid);
  expect(node.events('node.start')).toHaveLength(2);
  expect(await node.metric('tideway_players')).toBe(0);
  expect(await node.metric('tideway_no_such_thing')).toBeUndefined();
  await node.stop();
  expect(node.lines.at(-1)?.event).toBe('node.stop');
  await cluster.restart('a');
});

test('a node that can not start says why', async () => {
  const starting = Cluster.start({ ids: ['b'], registry: 'memory', settings: { 'no.such.key': '1' } });
  await expect(starting).rejects.toThrow('no.such.key');
});
