// The origin dies, the encoder goes to another node, or another encoder takes the stream over there: players everywhere
// stay, and time goes on for them.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CheckedPlayer, caughtUp, playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import { pass } from '../support/fault-window.ts';
import { LoopWatch } from '../support/loop-watch.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const PLAN = PLANS['25 frames/s and audio'];
/** After the encoder's first key frame: twice the limit, for a machine that does other things, too. */
const FIRST_FRAME_MS = 2 * 500;
const RECONNECT_MS = 2_000;

let cluster: Cluster;
let watch: LoopWatch;
beforeAll(async () => {
  watch = new LoopWatch();
  cluster = await Cluster.start({ ids: ['a', 'b', 'c'] });
  await meshed(cluster.nodes);
}, 60_000);
afterAll(async () => {
  watch[Symbol.dispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** A stream published at `a`, and players of all formats at `b` and `c`. */
async function staged(key: string) {
  const publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLAN, key });
  const players = [...(await playAll(cluster.node('b'), key)), ...(await playAll(cluster.node('c'), key))];
  await until('all play', () => players.every(({ check }) => check.frames > 30));
  return { publisher, players };
}

/** Everybody stayed, and saw one splice into the session, soon after its first key frame was sent. */
function expectSplice(players: readonly CheckedPlayer[], publisher: NumberedPublisher): void {
  const keySentMs = publisher.firstKeySentMs ?? Number.NaN;
  for (const { check, ended, format } of players) {
    expect(ended, format).toBeUndefined();
    expect(check.words, format).toEqual([]);
    expect(check, format).toMatchObject({ isClean: true, splices: 1, session: publisher.session });
    const start = check.starts.at(-1);
    const late = (start?.atMs ?? Number.NaN) - keySentMs;
    expect(late, format).toBeLessThanOrEqual(FIRST_FRAME_MS + watch.worstMs(keySentMs, keySentMs + late));
  }
}

test('the encoder leaves, and comes back at another node at once', async () => {
  const key = 'live/moved';
  const { publisher, players } = await staged(key);
  expect(await caughtUp(publisher, players)).toEqual(players.map(() => 0));
  await publisher.connect(cluster.node('c'));
  await until('all follow', () => players.every(({ check }) => check.session === publisher.session));
  expect(await caughtUp(publisher, players)).toEqual(players.map(() => 0));
  expectSplice(players, publisher);
  for (const player of players) player.leave();
  publisher.drop();
}, 60_000);

test('another encoder takes over at another node: all follow, and the first one is closed', async () => {
  const key = 'live/taken';
  const { publisher: first, players } = await staged(key);
  using second = await NumberedPublisher.start(cluster.node('c'), { plan: PLAN, key, firstSession: 1_001 });
  await until('all follow', () => players.every(({ check }) => check.session === second.session));
  await until('the first encoder is closed', () => first.isClosed);
  expect(await caughtUp(second, players)).toEqual(players.map(() => 0));
  expectSplice(players, second);
  for (const player of players) player.leave();
  expect((await hereAt(cluster.node('c'), key))?.role).toBe('origin');
}, 60_000);

test('the origin is killed, and the encoder comes back at another node', async () => {
  const key = 'live/killed';
  const { publisher, players } = await staged(key);
  await cluster.node('a').kill();
  await until('the encoder notices', () => publisher.isClosed);
  await pass(RECONNECT_MS);
  expect(players.filter(({ ended }) => ended !== undefined)).toEqual([]);
  await publisher.connect(cluster.node('b'));
  await until('all follow', () => players.every(({ check }) => check.session === publisher.session));
  expect(await caughtUp(publisher, players)).toEqual(players.map(() => 0));
  expectSplice(players, publisher);
  publisher.drop();
}, 60_000);
