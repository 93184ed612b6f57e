// The site where chaos happens does to its nodes what it says, no more, and leaves nothing behind.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { LinksAnswer, StatusAnswer } from '../../src/http/forms/nodes.ts';
import { NamespaceNetwork } from '../chaos/site/namespaces.ts';
import { openSite } from '../chaos/site/open-site.ts';
import type { Site } from '../chaos/site.ts';
import { meshed } from '../support/cluster-view.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;
/** Nodes beat each 200 ms. */
const QUIET_MS = 600;

let site: Site;

beforeAll(async () => {
  site = await openSite();
  await meshed(all());
}, 60_000);

function all(): NodeProcess[] {
  return site.ids.map((id) => site.node(id));
}

/** What the site made outside of this process. */
function made(pids: readonly number[]): string[] {
  const shared = pids.flatMap((pid) => [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]);
  const folders = ['/run/netns', '/sys/class/net', '/sys/fs/cgroup/memory', '/dev/shm', tmpdir()];
  return folders.flatMap((folder) => {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names.filter((name) => name.startsWith(`twc${process.pid}-`) || shared.includes(name));
  });
}

/** Bytes that came over the link from a peer. */
async function received(id: string, peer: string): Promise<number> {
  const { links } = (await site.node(id).api(`/api/v1/links?node=${id}`)) as LinksAnswer;
  return links.find((link) => link.node === id && link.peer === peer)?.receivedBytes ?? 0;
}

/** Bytes that come while beats should. */
async function passing(id: string, peer: string): Promise<number> {
  const before = await received(id, peer);
  await delay(QUIET_MS);
  return Math.max(0, (await received(id, peer)) - before); // a link that is silent for 2 s is closed
}

async function inRegistry(): Promise<string[]> {
  const found = await Promise.all(site.ids.map((id) => site.redis.exists(`tw:{nodes}:n:${id}`)));
  return site.ids.filter((_, at) => found[at] === 1);
}

function skipIfMissing(fault: 'clock' | 'squeeze', skip: (why: string) => void): void {
  const missing = site.missing.find((each) => each.fault === fault);
  if (missing) skip(missing.why);
}

async function masterPort(): Promise<string | undefined> {
  return ((await site.redis.config('GET', 'port')) as string[])[1];
}

/** 1: it sees it; 0: it does not; undefined: the node does not answer. */
function seesRegistry(id: string): Promise<number | undefined> {
  return site.node(id).metric('tideway_registry_state', 'state="up"');
}

test('a site of namespaces where there can be some, with all that can be done to nodes', () => {
  const canBe = NamespaceNetwork.whyNot() === undefined;
  expect(site.network).toBe(canBe ? 'namespaces' : 'proxies');
  if (canBe) expect(site.missing).toEqual([]);
});

test('between nodes that are cut nothing passes, or links end at once; others keep theirs, and all is mended', async () => {
  const since = new Map(site.ids.map((id) => [id, site.node(id).lines.length]));
  const ended = (id: string) =>
    site
      .node(id)
      .lines.slice(since.get(id))
      .filter(({ event }) => event === 'mesh.link-closed')
      .map(({ peer }) => peer);
  await site.cut('e', 'd', 'swallow');
  const cutMs = performance.now();
  await site.cut('a', 'b', 'reset');
  await until('both are told', () => ended('a').length > 0 && ended('b').length > 0);
  expect(performance.now() - cutMs).toBeLessThan(1_500);
  const bytes = await Promise.all([
    passing('d', 'e'),
    passing('e', 'd'),
    passing('d', 'c'),
    passing('b', 'e'),
  ]);
  expect(bytes).toEqual([0, 0, expect.toSatisfy((n) => n > 0), expect.toSatisfy((n) => n > 0)]);
  expect(['a', 'b', 'c'].map(ended)).toEqual([['b'], ['a'], []]);
  await Promise.all([site.mend('a', 'b'), site.mend('d', 'e')]);
  await meshed(all());
  await until('bytes pass again', async () => (await passing('d', 'e')) > 0 && (await passing('b', 'a')) > 0);
});

test.concurrent('a node that is cut off from Redis knows it, and nobody else is', async () => {
  await Promise.all([site.cutRedis('b', 'swallow'), site.cutRedis('c', 'reset')]);
  await until('both know', async () => (await seesRegistry('b')) === 0 && (await seesRegistry('c')) === 0);
  expect(await Promise.all(['a', 'd', 'e'].map(seesRegistry))).toEqual([1, 1, 1]);
  await Promise.all([site.mendRedis('b'), site.mendRedis('c')]);
  await until(
    'both are back',
    async () => (await seesRegistry('b')) === 1 && (await seesRegistry('c')) === 1,
  );
});

test.concurrent('a wall clock leaps, and durations do not', async ({ skip }) => {
  skipIfMissing('clock', skip);
  const e = site.node('e');
  const uptimeMs = async () => ((await e.api('/api/v1/status')) as StatusAnswer).uptimeMs;
  const [upMs, wallMs] = [await uptimeMs(), performance.now()];
  const clockMs = async (key: string) => {
    using _publisher = await NumberedPublisher.start(e, { plan: PLANS['10 frames/s'], key });
    const line = await until('it is logged', () =>
      e.events('publish.start').find(({ stream }) => stream === key),
    );
    return Date.parse(String(line.time)) - Date.now();
  };
  site.setClock('e', HOUR_MS);
  await delay(1_100);
  expect(await clockMs('live/ahead')).toBeCloseTo(HOUR_MS, -4);
  site.setClock('e', -HOUR_MS);
  await delay(1_100);
  expect(await clockMs('live/behind')).toBeCloseTo(-HOUR_MS, -4);
  site.setClock('e', 0);
  expect((await uptimeMs()) - upMs).toBeCloseTo(performance.now() - wallMs, -3);
});

test.concurrent('a node sees that a neighbour takes its memory, and that it is gone', async ({ skip }) => {
  skipIfMissing('squeeze', skip);
  const used = (id: string) => site.node(id).metric('tideway_node_memory_ratio');
  const { pid } = site.node('c');
  await site.squeeze('c');
  await until('it sees it', async () => ((await used('c')) ?? 0) > 0.9);
  expect(await used('b')).toBeLessThan(0.9);
  await site.release('c');
  await until('it sees that it is over', async () => ((await used('c')) ?? 1) < 0.9);
  expect([site.node('c').isRunning, site.node('c').pid]).toEqual([true, pid]);
});

test('a stalled node answers nobody until it is over; one that stands still, when it goes on', async () => {
  const [a, d] = [site.node('a'), site.node('d')];
  site.stall('d', 700);
  site.pause('a');
  const sinceMs = performance.now();
  const late = d.get('/healthz').then(({ status }) => [status, performance.now() - sinceMs]);
  expect((await a.get('/healthz', 300)).status).toBe(0);
  site.resume('a');
  expect(await late).toEqual([200, expect.toSatisfy((ms) => ms > 500 && ms < 2_500)]);
  expect((await a.get('/healthz')).status).toBe(200);
});

test('a node is killed and started anew, Redis is wiped and handed over by the sentinels: nodes go on, and the former master is the replica', async () => {
  site.pause('e');
  await site.kill('e');
  await site.wipeRedis();
  await site.start('e'); // nobody knows that it was there, so that it need not wait
  await until('all are there again', async () => (await inRegistry()).length === site.ids.length);
  const port = await masterPort();
  await site.failRedisOver('kill');
  expect(await masterPort()).not.toBe(port);
  expect(await site.redis.role()).toEqual(['master', expect.anything(), []]);
  await site.healRedis();
  expect(await site.redis.info('replication')).toMatch(/^connected_slaves:1\r$/m);
  await until('all are there again', async () => (await inRegistry()).length === site.ids.length);
  await meshed(all());
});

test('it leaves nothing behind', async () => {
  const pids = all().map(({ pid }) => pid);
  expect(made(pids)).not.toEqual([]);
  await site[Symbol.asyncDispose]();
  expect(made(pids)).toEqual([]);
});
