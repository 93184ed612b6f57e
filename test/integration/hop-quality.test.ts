// A way between two nodes of three becomes slow, in real processes: the API tells it of that hop, and of no other.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TreeAnswer } from '../../src/http/forms/streams.ts';
import { CheckedPlayer, caughtUp } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import type { Direction } from '../support/fault-proxy.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const KEY = 'live/show';
const ADDED_MS = 80;
const ERROR_MS = 10;
/** From a change until what is smoothed has it all. */
const SETTLED_MS = 4_000;

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

/** What any node tells of the hop between two, ms. */
async function delayMs(to: string, from: string): Promise<number> {
  const { nodes } = (await cluster.node('a').api(`/api/v1/streams/${KEY}`)) as TreeAnswer;
  const hop = nodes.find(({ node }) => node === to)?.hop;
  return hop?.from === from && hop.delayMs !== null ? hop.delayMs : Number.NaN;
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

/**
 * Both hops tell what is added to their ways, and hardly more. A busy machine adds to all of them: then the next moment is
 * looked at.
 */
function told(name: string, addedMs: { readonly ab: number; readonly bc: number }): Promise<unknown> {
  return until(
    name,
    async () => {
      const now = { ab: await delayMs('b', 'a'), bc: await delayMs('c', 'b') };
      const isClose = Math.max(Math.abs(now.ab - addedMs.ab), Math.abs(now.bc - addedMs.bc)) < ERROR_MS;
      return isClose && now;
    },
    15_000,
  );
}

test('80 ms more on one hop of two are told by that hop, to within 10 ms, also where they are on one way alone', async () => {
  await told('both ways are quick', { ab: 0, bc: 0 });
  for (const [name, delaysMs] of [
    ['80 ms both ways', { out: ADDED_MS, back: ADDED_MS }],
    ['80 ms the way of media', { out: ADDED_MS, back: 0 }],
  ] as const) {
    slow(delaysMs);
    const startedMs = performance.now();
    // What passes by on its way to something else is not it.
    await until('the change is over', () => performance.now() - startedMs > SETTLED_MS);
    console.log(name, await told(name, { ab: ADDED_MS, bc: 0 }));
  }
  cluster.heal();
  expect((await hereAt(cluster.node('c'), KEY))?.path).toEqual(['a', 'b', 'c']);
  expect(await caughtUp(publisher, [player])).toEqual([0]);
  expect([player.check.isClean, player.check.words]).toEqual([true, []]);
}, 60_000);
