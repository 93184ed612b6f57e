// A way between two nodes of three becomes slow, in real processes: the node behind it tells that hop's delay, and no other.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import type { Direction } from '../support/fault-proxy.ts';
import { PLANS } from '../support/numbered-media.ts';
import { CheckedPlayer, caughtUp, NumberedPublisher } from '../support/oracle.ts';
import { until } from '../support/until.ts';

const KEY = 'live/show';
const ADDED_MS = 80;
const ERROR_MS = 10;

let cluster: Cluster;
let publisher: NumberedPublisher;
let player: CheckedPlayer;

// Each node feeds one other, so that they stand in a row, and stay there.
beforeAll(async () => {
  cluster = await Cluster.start({
    ids: ['a', 'b', 'c'],
    settings: { 'relay.softChildren': '1', 'relay.maxChildren': '1' },
  });
  await meshed(cluster.nodes);
  publisher = await NumberedPublisher.start(cluster.node('a'), {
    plan: PLANS['25 frames/s and audio'],
    key: KEY,
  });
  const first = await CheckedPlayer.play(cluster.node('b'), KEY, 'http-flv');
  await until('b plays', () => first.check.frames > 20);
  player = await CheckedPlayer.play(cluster.node('c'), KEY, 'http-flv');
  await until('c plays', () => player.check.frames > 20);
  first.leave();
  expect((await hereAt(cluster.node('c'), KEY))?.path).toEqual(['a', 'b', 'c']);
}, 60_000);

afterAll(async () => {
  player?.leave();
  publisher?.drop();
  await cluster?.[Symbol.asyncDispose]();
});

/** What a node tells of the hop from another, ms. */
async function delayMs(id: string, from: string): Promise<number> {
  const labels = `stream="${KEY}",from="${from}"`;
  const seconds = await cluster.node(id).metric('tideway_hop_delay_seconds', labels);
  return (seconds ?? Number.NaN) * 1_000;
}

/** The delays of both hops, the middle ones of some looks. */
async function hops(): Promise<{ ab: number; bc: number }> {
  const looks: { ab: number; bc: number }[] = [];
  const until5 = () => looks.length === 5;
  await until('five looks', async () => {
    looks.push({ ab: await delayMs('b', 'a'), bc: await delayMs('c', 'b') });
    return until5();
  });
  const middle = (values: number[]) => values.sort((x, y) => x - y)[2] ?? Number.NaN;
  return { ab: middle(looks.map(({ ab }) => ab)), bc: middle(looks.map(({ bc }) => bc)) };
}

/** Slows the way from `a` to `b` down; `out` is the way that media go, since `a` dialled. */
function slow(delaysMs: Record<Direction, number>): void {
  const { mesh } = cluster.member('b');
  const { dialFrom } = cluster.node('a');
  for (const direction of ['out', 'back'] as const) {
    const where = { direction, ...(dialFrom && { from: dialFrom }) };
    mesh.shape({ delayMs: delaysMs[direction] }, where);
  }
}

test('80 ms more on one hop of two are told by that hop, to within 10 ms, also where they are on one way alone', async () => {
  await until('both hops are known', async () =>
    Number.isFinite((await delayMs('b', 'a')) + (await delayMs('c', 'b'))),
  );
  await until('the way in is over', async () => (await delayMs('b', 'a')) + (await delayMs('c', 'b')) < 60);
  const before = await hops();
  for (const [name, delaysMs, addedMs] of [
    ['both ways', { out: ADDED_MS, back: ADDED_MS }, ADDED_MS],
    ['the way back', { out: 0, back: ADDED_MS }, 0],
    ['the way of media', { out: ADDED_MS, back: 0 }, ADDED_MS],
  ] as const) {
    slow(delaysMs);
    const startedMs = performance.now();
    const isSeen = async () => Math.abs((await delayMs('b', 'a')) - before.ab - addedMs) < ERROR_MS;
    await until(`the hop tells ${addedMs} ms more: ${name}`, isSeen, 10_000);
    const tookMs = Math.round(performance.now() - startedMs);
    // It stays so: what is measured is the way, and not the change of it.
    await until('a second', () => performance.now() - startedMs > tookMs + 1_000);
    const now = await hops();
    console.log(name, { tookMs, before, now });
    expect(Math.abs(now.ab - before.ab - addedMs)).toBeLessThan(ERROR_MS);
    expect(Math.abs(now.bc - before.bc)).toBeLessThan(ERROR_MS);
  }
  cluster.heal();
  expect((await hereAt(cluster.node('c'), KEY))?.path).toEqual(['a', 'b', 'c']);
  expect(await caughtUp(publisher, [player])).toEqual([0]);
  expect([player.check.isClean, player.check.words]).toEqual([true, []]);
}, 60_000);
