// Nodes as members of a cluster, over a real Redis: joining, seeing each other, outages, a wiped registry, an id in use.
import { describe, expect, type TestContext, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { NODE_LEASE_MS } from '../../src/registry/registry.ts';
import { freePort } from '../support/free-ports.ts';
import { payloadOf } from '../support/media.ts';
import { RedisServer } from '../support/redis-server.ts';
import { nodeRecordOf, openRedis, ownerOf } from '../support/registries.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const CLAIM = 'tw:{st:live/show}:o';
const NODE = 'tw:{nodes}:n:test';

/** What a test opens goes when it is done, the last first; they run side by side, as most of them wait. */
type Opens = Pick<TestContext, 'onTestFinished'>;

async function startRedis({ onTestFinished }: Opens, port?: number): Promise<RedisServer> {
  const server = await RedisServer.start({ port: port ?? (await freePort()) });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function join(
  { onTestFinished }: Opens,
  redisPort: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningNode> {
  const node = await runNode({
    'registry.url': `redis://127.0.0.1:${redisPort}`,
    'mesh.secret': 'a secret of the tests',
    'watch.enabled': 'false',
    ...settings,
  });
  onTestFinished(() => node.stop());
  return node;
}

/** Publishes a key frame as live/show. */
async function publish({ onTestFinished }: Opens, node: RunningNode): Promise<void> {
  const publisher = await RtmpClient.publishing(node.rtmpPort, 'show');
  onTestFinished(() => publisher.destroy());
  publisher.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc key', 1) });
}

async function readiness({ httpPort }: RunningNode): Promise<{ status: number; code: unknown }> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
  const { code } = (await answer.json()) as { code?: string };
  return { status: answer.status, code };
}

async function metric({ httpPort }: RunningNode, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const isReady = async (node: RunningNode) => (await readiness(node)).status === 200;
const eventsOf = ({ lines }: RunningNode) => lines.map(({ event }) => event);

/** The record of a node as it lies in Redis. */
async function recordOf({ admin }: RedisServer, key = NODE) {
  const json = await admin.hget(key, 'record');
  return json === null ? undefined : JSON.parse(json);
}

describe.concurrent('a node of a cluster', () => {
  test('tells its addresses and its load, and leaves when it stops, with its claims', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port, {
      'node.region': 'eu',
      'rtmp.advertise': 'live.example.com:1935',
    });
    await publish(opens, node);
    const record = await until('its record tells of the stream', async () => {
      const found = await recordOf(redis);
      return found?.load.streams === 1 && found;
    });
    expect(record).toMatchObject({
      ...{
        node: 'test',
        region: 'eu',
        draining: false,
        mesh: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
        rtmp: 'live.example.com:1935',
      },
      http: `127.0.0.1:${node.httpPort}`,
      load: { players: 0, publishers: 1, streams: 1 },
    });
    expect(await redis.admin.hget(CLAIM, 'node')).toBe('test');
    await node.stop();
    expect(await recordOf(redis)).toBeUndefined();
    expect(await redis.admin.hget(CLAIM, 'state')).toBe('released');
  });

  test('that tells nothing by host tells the address that it has towards the registry', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port, { host: '0.0.0.0' });
    const record = await until('its doors are told', async () => {
      const found = await recordOf(redis);
      return found?.rtmp !== '' && found;
    });
    expect(record.rtmp).toBe(`127.0.0.1:${node.rtmpPort}`);
  });

  test('sees another within 2 s, misses it within a lease, and tells of one that goes without a word', async (opens) => {
    const redis = await startRedis(opens);
    const [one, two] = [await join(opens, redis.port), await join(opens, redis.port, { 'node.id': 'two' })];
    const startedMs = performance.now();
    for (const node of [one, two]) {
      await until('it sees the other', async () => (await metric(node, 'tideway_nodes')) === 1);
    }
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    const list = await (await fetch(`http://127.0.0.1:${one.httpPort}/api/v1/nodes`)).text();
    for (const id of ['test', 'two']) expect(list, 'its API lists both').toContain(`"${id}"`);
    expect(await isReady(one), 'on one host loopback will do').toBe(true);
    const dead = await openRedis(
      { place: { is: 'server', host: '127.0.0.1', port: redis.port } },
      { prefix: 'tw:' },
    );
    opens.onTestFinished(() => dead.close());
    const { host } = (await recordOf(redis)) ?? {};
    await dead.beat(nodeRecordOf(ownerOf('dead'), { host: host ?? '' }));
    await until('it sees the third', async () => (await metric(one, 'tideway_nodes')) === 2);
    await two.stop();
    await until('it is alone', async () => (await metric(one, 'tideway_nodes')) === 0, NODE_LEASE_MS + 2_000);
    const { nodes } = (await (await fetch(`http://127.0.0.1:${one.httpPort}/api/v1/nodes`)).json()) as {
      nodes: { node: string; leaseMs: number | null }[];
    };
    expect(nodes.map(({ node, leaseMs }) => [node, leaseMs])).toEqual([
      ['dead', 0],
      ['test', null],
    ]);
  });

  test('is not ready while it tells a loopback address to one of another host', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port);
    const far = await openRedis(
      { place: { is: 'server', host: '127.0.0.1', port: redis.port } },
      { prefix: 'tw:' },
    );
    opens.onTestFinished(() => far.close());
    await far.beat(nodeRecordOf(ownerOf('far'), { host: 'elsewhere' }));
    await until('it is not ready', async () => !(await isReady(node)));
    expect(await readiness(node)).toEqual({ status: 503, code: 'node.loopback-advertised' });
    await far.leave(ownerOf('far'));
    await until('it is again', () => isReady(node), NODE_LEASE_MS + 2_000);
    expect(eventsOf(node).filter((event) => event === 'node.loopback-advertised')).toHaveLength(1);
  });
});

describe.concurrent('a registry that is away', () => {
  test('at the start holds up no publisher; the node joins, and its claim with it, when it is there', async (opens) => {
    const port = await freePort();
    const node = await join(opens, port);
    expect(await readiness(node)).toMatchObject({ status: 503, code: expect.stringMatching(/^registry\./) });
    expect((await fetch(`http://127.0.0.1:${node.httpPort}/healthz`)).status).toBe(200);
    await publish(opens, node);
    expect(await metric(node, 'tideway_claims{standing="provisional"}')).toBe(1);
    const redis = await startRedis(opens, port);
    await until('it is ready', () => isReady(node));
    await until('its claim is granted', async () => {
      return (await metric(node, 'tideway_claims{standing="granted"}')) === 1;
    });
    expect(await redis.admin.hget(CLAIM, 'node')).toBe('test');
    expect(eventsOf(node)).toContain('registry.back');
  });

  test('later leaves the node ready, which says so; what was lost meanwhile is put again', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port);
    await publish(opens, node);
    await redis.kill();
    await until('it knows', async () => (await readiness(node)).code !== undefined);
    expect(await readiness(node)).toMatchObject({ status: 200, code: expect.stringMatching(/^registry\./) });
    await redis.start();
    await until('it is back', async () => (await readiness(node)).code === undefined);
    await until('its claim is', async () => (await redis.admin.hget(CLAIM, 'node')) === 'test');
    expect(eventsOf(node).filter((event) => event.startsWith('registry.'))).toEqual([
      ...['registry.away', 'registry.back', 'registry.wiped'],
    ]);
  });

  test('for publishers who are not accepted without it refuses them', async (opens) => {
    const node = await join(opens, await freePort(), { 'registry.whileAway': 'reject' });
    const header = Buffer.from('464c5601050000000900000000', 'hex');
    const answer = await fetch(node.flvUrl('live/show'), { method: 'POST', body: header });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: expect.stringMatching(/^registry\./) });
    expect(await metric(node, 'tideway_streams{state="live"}')).toBe(0);
  });

  test('and comes back empty has the node and its claims again within 6 s', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port);
    await publish(opens, node);
    await until('it is claimed', async () => (await redis.admin.hget(CLAIM, 'node')) === 'test');
    const epoch = await redis.admin.hget(CLAIM, 'epoch');
    await redis.admin.flushall();
    const within = 6_000;
    await until('the node is back', async () => (await recordOf(redis)) !== undefined, within);
    await until('its claim is', async () => (await redis.admin.hget(CLAIM, 'epoch')) === epoch, within);
  });
});

describe.concurrent('a node id in use', () => {
  test('by a process that died is had after a lease', async (opens) => {
    const redis = await startRedis(opens);
    const dead = await openRedis(
      { place: { is: 'server', host: '127.0.0.1', port: redis.port } },
      { prefix: 'tw:' },
    );
    opens.onTestFinished(() => dead.close());
    await dead.beat(nodeRecordOf(ownerOf('test')));
    const startedMs = performance.now();
    const node = await join(opens, redis.port);
    expect(performance.now() - startedMs).toBeGreaterThan(NODE_LEASE_MS - 1_000);
    expect(await isReady(node)).toBe(true);
    expect(eventsOf(node)).toContain('registry.node-id-in-use');
  });

  test('by a process that lives ends the start, and disturbs the other in nothing', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port);
    await expect(join(opens, redis.port)).rejects.toMatchObject({
      code: 'registry.node-id-taken',
      message: expect.stringContaining('node.id'),
    });
    expect(await isReady(node)).toBe(true);
    expect(await recordOf(redis)).toMatchObject({ http: `127.0.0.1:${node.httpPort}` });
  });

  test('that was lost while the registry was away ends the node', async (opens) => {
    const redis = await startRedis(opens);
    const node = await join(opens, redis.port);
    const other = await openRedis(
      { place: { is: 'server', host: '127.0.0.1', port: redis.port } },
      { prefix: 'tw:' },
    );
    opens.onTestFinished(() => other.close());
    await redis.admin.flushall();
    await other.beat(nodeRecordOf(ownerOf('test')));
    await until(
      'it failed',
      async () => {
        await other.beat(nodeRecordOf(ownerOf('test')));
        return node.failures.length > 0;
      },
      NODE_LEASE_MS + 4_000,
    );
    expect(node.failures).toEqual(['registry.node-id-taken']);
    expect(await readiness(node)).toEqual({ status: 503, code: 'registry.node-id-taken' });
  });
});
