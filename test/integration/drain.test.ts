// A cluster is restarted node by node, under players: those of other nodes miss nothing, those of the node that goes stay
// until its deadline. And an encoder that can be asked to goes to another node, and its players do not notice.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DrainAnswer } from '../../src/http/forms/drain.ts';
import { CheckedPlayer, caughtUp, playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const RELAYS = ['m', 'n', 'o'];
const PLAYERS_AT = { a: 30, m: 90, n: 90, o: 90 } as const;
const DRAIN_MS = 2_000;
/** Its players leave by themselves, and it waits no longer then. */
const LAST = 'o';
const LAST_DRAIN_MS = 60_000;
/** How late a deadline may be on a machine that does other things, too. */
const LATE_MS = 1_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    ids: ['a', ...RELAYS],
    settings: { 'shutdown.drainSeconds': String(DRAIN_MS / 1000), 'relay.lingerMs': '500' },
    // The origin has one child, and that one feeds the others.
    nodeSettings: {
      a: { 'relay.softChildren': '1' },
      [LAST]: { 'shutdown.drainSeconds': String(LAST_DRAIN_MS / 1000) },
    },
  });
  await meshed(cluster.nodes);
}, 60_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

async function crowd(id: keyof typeof PLAYERS_AT, key: string): Promise<CheckedPlayer[]> {
  const node = cluster.node(id);
  const players = Array.from({ length: PLAYERS_AT[id] }, () => CheckedPlayer.play(node, key, 'http-flv'));
  const all = await Promise.all(players);
  await until(`all play at ${id}`, () => all.every(({ check }) => check.frames > 0));
  return all;
}

/** Who of them is no player any more, or saw anything but the frames in their order. */
function hurt(players: Iterable<CheckedPlayer>): string[] {
  return [...players].flatMap(({ ended, check }) => [
    ...(ended === undefined ? [] : [ended]),
    ...check.words,
  ]);
}

async function drainOf(node: NodeProcess): Promise<DrainAnswer> {
  return (await node.api('/api/v1/node/drain')) as DrainAnswer;
}

test('three relays are restarted one by one under 300 players', { timeout: 60_000 }, async () => {
  const key = 'live/rolling';
  using publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLANS['10 frames/s'], key });
  const at = new Map<string, CheckedPlayer[]>();
  for (const id of ['a', 'm', 'n', 'o'] as const) at.set(id, await crowd(id, key));
  expect((await hereAt(cluster.node('n'), key))?.upstream).toBe('m');

  for (const id of ['m', 'n', 'o'] as const) {
    const relay = cluster.node(id);
    const own = at.get(id) ?? [];
    const others = [...at].flatMap(([node, players]) => (node === id ? [] : players));
    const stopped = relay.stop();
    await until(`${id} drains`, async () => (await drainOf(relay)).state === 'draining');
    const [ready, health] = [await relay.get('/readyz'), await relay.get('/healthz')];
    expect([ready.status, JSON.parse(ready.body).code, health.status]).toEqual([503, 'node.draining', 200]);
    await until(`nobody pulls from ${id}`, async () => (await drainOf(relay)).children === 0);
    expect(hurt(own), 'its players play on').toEqual([]);

    if (id === LAST) for (const player of own) player.leave();
    await stopped;
    const drainedMs = Number(relay.events('node.drained').at(-1)?.durationMs);
    const ends = relay.events('play.end');
    expect(ends.length).toBe(own.length);
    if (id === LAST) {
      expect(drainedMs).toBeLessThan(DRAIN_MS);
    } else {
      expect(new Set(ends.map(({ reason }) => reason))).toEqual(new Set(['node.drained']));
      expect(drainedMs).toBeGreaterThan(DRAIN_MS - 50);
      expect(drainedMs).toBeLessThan(DRAIN_MS + LATE_MS);
      await until('they are closed', () => own.every(({ ended }) => ended !== undefined));
      expect(
        own.flatMap(({ check }) => check.words),
        'and saw all until then',
      ).toEqual([]);
    }
    expect(hurt(others), `while ${id} went`).toEqual([]);

    await cluster.restart(id);
    at.set(id, await crowd(id, key));
    expect(hurt(others), `while ${id} came`).toEqual([]);
  }

  const all = [...at.values()].flat();
  expect((await caughtUp(publisher, all)).filter((missing) => missing > 0)).toEqual([]);
  expect(hurt(all)).toEqual([]);
  for (const player of all) player.leave();
});

test('an encoder that is asked to go elsewhere does, and players of both nodes go on', async () => {
  const key = 'live/asked';
  const [m, n] = [cluster.node('m'), cluster.node('n')];
  using publisher = await NumberedPublisher.start(m, { plan: PLANS['25 frames/s and audio'], key });
  const players = [...(await playAll(m, key)), ...(await playAll(n, key))];
  await until('all play', () => players.every(({ check }) => check.frames > 0));
  const url = `http://127.0.0.1:${m.httpPort}/api/v1/node/drain`;
  await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' });
  await until('it is asked', () => publisher.timesAskedToReconnect === 1);
  expect(await drainOf(m)).toMatchObject({ state: 'draining', players: 3, publishers: 1, children: 1 });
  using late = await CheckedPlayer.play(cluster.node('a'), key, 'http-flv');
  await until('another node may still pull it', () => late.check.frames > 0);

  await publisher.connect(n);
  await until('all follow', () => players.every(({ check }) => check.session === publisher.session));
  expect(await caughtUp(publisher, players)).toEqual(players.map(() => 0));
  expect(hurt([...players, late])).toEqual([]);
  expect(players.map(({ check }) => check.splices)).toEqual(players.map(() => 1));
  expect((await hereAt(m, key))?.role).toBe('replica');
  await until('only its players are left', async () => {
    const { publishers, children } = await drainOf(m);
    return publishers + children === 0;
  });
  expect((await drainOf(m)).state).toBe('draining');
  for (const player of players) player.leave();
  await until('it is empty', async () => (await drainOf(m)).state === 'drained');

  await fetch(url, { method: 'DELETE' });
  await m.ready();
  using back = await CheckedPlayer.play(m, key, 'http-flv');
  await until('it takes players again', () => back.check.frames > 0);
}, 30_000);
