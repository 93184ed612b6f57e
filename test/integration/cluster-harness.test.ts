// What clusters are proven with is itself tried, on one node: its process, its faults, its publisher, its players.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CheckedPlayer, caughtUp, playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, linkedTo } from '../support/cluster-view.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { pass, sightOf } from '../support/fault-window.ts';
import { freePort } from '../support/free-ports.ts';
import { LoopWatch } from '../support/loop-watch.ts';
import { NodeProcess, PROJECT_FOLDER } from '../support/node-process.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { Program } from '../support/programs.ts';
import { RedisServer } from '../support/redis-server.ts';
import { RegistryCalls } from '../support/registry-calls.ts';
import { secretScan } from '../support/secrets.ts';
import { until } from '../support/until.ts';

const DIAL_FROM = join(PROJECT_FOLDER, 'test/support/dial-from.mjs');

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
  await until('all play', () => players.every(({ check }) => check.frames > 1));
  expect(await caughtUp(publisher, players)).toEqual([0, 0, 0]);
  for (const player of players) {
    expect(player.check.words, player.format).toEqual([]);
    expect(player.check, player.format).toMatchObject({ ...CLEAN, splices: 0 });
    expect(player.ended).toBeUndefined();
    player.leave();
  }
});

test('what a node tells of a stream', async () => {
  const node = cluster.node('a');
  const key = 'live/told';
  using _publisher = await NumberedPublisher.start(node, { plan: PLANS['10 frames/s'], key });
  const players = await playAll(node, key);
  await until('all play', () => players.every(({ check }) => check.frames > 0));
  expect(await until('it is listed', () => hereAt(node, key))).toMatchObject({ role: 'origin', players: 3 });
  expect(await hereAt(node, 'live/never')).toBeUndefined();
  expect(await linkedTo(node)).toEqual([]);
  for (const player of players) player.leave();
});

test('a node that is stopped for a while: a gap of that length, and no other fault', async () => {
  const node = cluster.node('a');
  const key = 'live/stopped';
  using watch = new LoopWatch();
  using publisher = await NumberedPublisher.start(node, { plan: PLANS['25 frames/s and audio'], key });
  const players = await playAll(node, key);
  const cast = { name: key, publisher, players: players.map((player) => ({ node: 'a', player })) };
  const fault = async () => {
    node.pause();
    await pass(400);
    node.resume();
  };
  const sight = await sightOf([cast], { beforeMs: 1_000, fault, afterMs: 300 }, watch);
  expect(sight.players.map(({ format }) => format)).toEqual(['http-flv', 'ws-flv', 'rtmp']);
  for (const { format, gapMs, waitBeforeMs, words, ...seen } of sight.players) {
    expect(waitBeforeMs, format).toBeLessThan(200 + sight.harnessStallMs);
    expect(gapMs, format).toBeGreaterThan(200);
    expect(gapMs, format).toBeLessThan(600 + sight.harnessStallMs);
    expect(words, format).toEqual([]);
    expect(seen, format).toMatchObject({ lost: 0, duplicated: 0, splices: 0, disconnected: undefined });
  }
  for (const player of players) player.leave();
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

test('registry calls are told apart by the node that makes them', async () => {
  await using redis = await RedisServer.start({ port: await freePort() });
  await using one = await FaultProxy.start({ targetPort: redis.port });
  await using other = await FaultProxy.start({ targetPort: redis.port });
  const clients = [one, other].map(({ port }) => new Redis({ port, host: '127.0.0.1' }));
  await using calls = await RegistryCalls.of(redis);
  await clients[0]?.eval("return redis.call('HGET', KEYS[1], 'x')", 1, 'tw:{st:live/show}:o');
  await clients[0]?.hget('tw:{st:live/other}:o', 'x');
  await clients[1]?.hget('tw:{st:live/show}:o', 'x');
  await until('all are heard', () => calls.about({ toRedis: other }, 'live/show').length === 1);
  expect(calls.about({ toRedis: one }, 'live/show').map(([name]) => name)).toEqual(['eval']);
  for (const client of clients) client.disconnect();
});

test.each([
  ['net', "import { connect } from 'node:net'; connect(PORT, '127.0.0.1').write('x')"],
  ['ws', "import { WebSocket } from 'ws'; new WebSocket('ws://127.0.0.1:PORT').on('error', () => {})"],
  ['ioredis', "import { Redis } from 'ioredis'; new Redis('redis://127.0.0.1:PORT').on('error', () => {})"],
])('connections that a node makes by %s come from its own address', async (_by, script) => {
  const from: (string | undefined)[] = [];
  const server = createServer((socket) => {
    from.push(socket.remoteAddress);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using _program = new Program('env', [
    ...['DIAL_FROM=127.0.1.9', process.execPath, '--import', DIAL_FROM, '--input-type=module'],
    ...['-e', script.replace('PORT', String(port))],
  ]);
  expect(await until('it dials', () => from[0])).toBe('127.0.1.9');
  server.close();
});

test('a node that can not start says why', async () => {
  const starting = Cluster.start({ ids: ['b'], registry: 'memory', settings: { 'no.such.key': '1' } });
  await expect(starting).rejects.toThrow('no.such.key');
});

test('each line of a node is held against its secrets, also of one that is killed', async () => {
  await using node = new NodeProcess({ id: 'tells', settings: { 'publish.secret': 'node.start' } });
  await node.start();
  await node.kill();
  expect(secretScan.takeLeaks()).toEqual([expect.stringContaining('"event":"node.start"')]);
});
