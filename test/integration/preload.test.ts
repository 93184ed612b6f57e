// Streams that are ready where nobody plays them yet: by a rule, by an order of the API, and as a standby. Nodes a and c
// are in eu, b is in us.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PreloadAnswer } from '../../src/http/preload-api.ts';
import { CheckedPlayer } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

/** From the question to the first key frame where the stream is ready: nothing is asked of anybody. */
const WARM_START_MS = 2 * 100;
const PLAN = PLANS['25 frames/s and audio'];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    ids: ['a', 'b', 'c'],
    settings: {
      preload: 'live/vip*=us',
      'relay.standbyPlayers': '2',
      'relay.lingerMs': '500',
      'publish.holdAfterStopMs': '0',
    },
    nodeSettings: {
      a: { 'node.region': 'eu' },
      b: { 'node.region': 'us' },
      c: { 'node.region': 'eu' },
    },
  });
  await meshed(cluster.nodes);
}, 60_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Told {
  readonly status: number;
  readonly body: PreloadAnswer & { readonly code?: string };
}

async function preload(at: string, key: string, method: string, body?: string | object): Promise<Told> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const answer = await fetch(`http://127.0.0.1:${cluster.node(at).httpPort}/api/v1/streams/${key}/preload`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    ...(text !== undefined && { body: text }),
  });
  const told = await answer.text();
  return { status: answer.status, body: told === '' ? {} : JSON.parse(told) };
}

/** How often a node began to pull a stream. */
function pulls(id: string, key: string): number {
  return cluster
    .node(id)
    .events('relay.start')
    .filter(({ stream }) => stream === key).length;
}

async function lookups(id: string): Promise<number | undefined> {
  return await cluster.node(id).metric('tideway_lookups_total');
}

test('a rule has a stream ready in another region before its first player, who waits for nothing', async () => {
  const key = 'live/vip1';
  using publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLAN, key });
  await until('b has it', () => pulls('b', key) === 1);
  await until('there are frames', () => publisher.sentId > 50);
  expect(await hereAt(cluster.node('b'), key)).toMatchObject({
    ...{ role: 'replica', state: 'live', upstream: 'a', players: 0 },
  });
  expect(pulls('c', key)).toBe(0);

  const before = await lookups('b');
  using player = await CheckedPlayer.play(cluster.node('b'), key, 'http-flv');
  await until('it plays', () => player.firstKeyMs !== undefined);
  console.log(`first key frame on a warm node: ${player.firstKeyMs?.toFixed(0)} ms`);
  expect(player.firstKeyMs).toBeLessThan(WARM_START_MS);
  expect([pulls('b', key), await lookups('b')]).toEqual([1, before]);
  expect((await preload('a', key, 'GET')).body.asked).toMatchObject([
    { for: 'rule', region: 'us', nodes: [{ node: 'b' }], missing: 0 },
  ]);
}, 30_000);

test('an order before the publish has it ready with the publish, and lets it go when it is taken back', async () => {
  const key = 'live/soon';
  const order = { regions: ['us'], copies: 2, ttlSeconds: 60 };
  expect(await preload('c', key, 'POST', order)).toMatchObject({
    status: 202,
    body: {
      ...{ node: 'c', stream: key },
      asked: [{ for: 'order', region: 'us', copies: 2, nodes: [{ node: 'b', ready: false }], missing: 1 }],
    },
  });
  expect(await cluster.node('b').metric('tideway_wants')).toBeGreaterThanOrEqual(1);
  using publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLAN, key });
  await until('b has it', () => pulls('b', key) === 1, 2_000);
  // What the registry was asked may be a second old.
  const isReady = async () => (await preload('c', key, 'GET')).body.asked[0]?.nodes[0]?.ready;
  await until('c knows', isReady, 3_000);

  expect((await preload('c', key, 'DELETE')).status).toBe(204);
  await until('b lets it go', async () => (await hereAt(cluster.node('b'), key)) === undefined);
  expect(publisher.isClosed).toBe(false);
  expect(await preload('c', key, 'GET')).toMatchObject({ status: 404, body: { code: 'preload.none' } });
}, 30_000);

test('a stream with many players on one node has a standby in its region, until they go', async () => {
  const key = 'live/hot';
  using _publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLAN, key });
  using first = await CheckedPlayer.play(cluster.node('a'), key, 'http-flv');
  await until('it plays', () => first.firstKeyMs !== undefined);
  using second = await CheckedPlayer.play(cluster.node('a'), key, 'http-flv');
  await until('c has it', () => pulls('c', key) === 1);
  expect(pulls('b', key)).toBe(0);
  second.leave();
  first.leave();
  await until('c lets it go', async () => (await hereAt(cluster.node('c'), key)) === undefined);
}, 30_000);

test.each<[number, string, string, string | object]>([
  [400, 'preload.where', 'live/x', { ttlSeconds: 1 }],
  [400, 'preload.where', 'live/x', { nodes: ['a'], regions: ['us'], ttlSeconds: 1 }],
  [400, 'preload.where', 'live/x', { nodes: ['a'], copies: 1, ttlSeconds: 1 }],
  [400, 'preload.unknown-node', 'live/x', { nodes: ['nobody'], ttlSeconds: 1 }],
  [400, 'preload.unknown-region', 'live/x', { regions: ['nowhere'], ttlSeconds: 1 }],
  [400, 'api.body', 'live/x', { regions: ['us'], copies: 17, ttlSeconds: 1 }],
  [400, 'api.body', 'live/x', { regions: ['us'], ttlSeconds: 86_401 }],
  [400, 'api.body', 'live/x', { regions: [], ttlSeconds: 1 }],
  [400, 'api.body', 'live/x', { regions: ['us'], ttlSeconds: 1, ttl: 1 }],
  [400, 'api.body', 'live/x', '{'],
  [400, 'stream-key.invalid', 'live/.x', { regions: ['us'], ttlSeconds: 1 }],
  [400, 'stream-key.invalid', 'live/a%2Fb', { regions: ['us'], ttlSeconds: 1 }],
  [400, 'stream-key.reserved', 'api/x', { regions: ['us'], ttlSeconds: 1 }],
])('%i %s for an order of %s %j', async (status, code, key, body) => {
  expect(await preload('a', key, 'POST', body)).toMatchObject({ status, body: { code } });
});

test('who comes through a proxy is refused, as everywhere in the API', async () => {
  const url = `http://127.0.0.1:${cluster.node('a').httpPort}/api/v1/streams/live/x/preload`;
  const answer = await fetch(url, { method: 'DELETE', headers: { 'X-Forwarded-For': '10.0.0.1' } });
  expect([answer.status, await answer.json()]).toMatchObject([403, { code: 'api.loopback-only' }]);
});
