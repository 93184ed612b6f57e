// What the network between nodes does to a cluster. It is cut in two, with a publisher of the same stream on both sides, and
// one side has no registry: once it heals there is one origin again, and nobody was disconnected. Or it jitters, under
// slow, fast and silent-looking streams: nobody takes that for a fault. `npm run bench:jitter` does that for ten minutes.
import { expect, test } from 'vitest';
import { playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed, streamAt } from '../support/cluster-view.ts';
import { pass } from '../support/fault-window.ts';
import { underJitter } from '../support/jitter.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const PLAN = PLANS['25 frames/s and audio'];
const NEAR = ['a', 'b'];
const FAR = ['c', 'd'];
const ONE_ORIGIN_WITHIN_MS = 10_000;
/** Long enough for leases of nodes to lapse. */
const APART_MS = 4_500;
/** Both tests wait most of the time, so that they do it together. */
const TOGETHER = { concurrent: true, timeout: 60_000 };
const JITTERS_FOR_MS = 8_000;

test(
  'two publishers on both sides of a partition: one origin within 10 s, one splice at most',
  TOGETHER,
  async () => {
    await using cluster = await Cluster.start({ ids: [...NEAR, ...FAR] });
    await meshed(cluster.nodes);
    const key = 'live/split';
    using first = await NumberedPublisher.start(cluster.node('a'), { plan: PLAN, key });
    const near = [...(await playAll(cluster.node('a'), key)), ...(await playAll(cluster.node('b'), key))];
    const far = [...(await playAll(cluster.node('c'), key)), ...(await playAll(cluster.node('d'), key))];
    const players = [...near, ...far];
    await until('all play', () => players.every(({ check }) => check.frames > 30));

    cluster.partition([NEAR, FAR]);
    for (const id of FAR) cluster.member(id).toRedis.blackhole();
    using second = await NumberedPublisher.start(cluster.node('c'), { plan: PLAN, key, firstSession: 1_001 });
    await until(
      'the far side follows its publisher',
      () => far.every(({ check }) => check.session === second.session),
      20_000,
    );
    await pass(APART_MS);
    expect(near.filter(({ check }) => check.splices > 0)).toEqual([]);
    expect([first.isClosed, second.isClosed]).toEqual([false, false]);

    const splices = new Map(players.map((player) => [player, player.check.splices]));
    cluster.heal();
    const healedMs = performance.now();
    const origins = async () => {
      const seen = await Promise.all(cluster.nodes.map((node) => hereAt(node, key)));
      return cluster.ids.filter((_, at) => seen[at]?.role === 'origin');
    };
    const [origin] = await until(
      'there is one origin, and all play it',
      async () => {
        const found = await origins();
        const sessions = new Set(players.map(({ check }) => check.session));
        return found.length === 1 && sessions.size === 1 && first.isClosed !== second.isClosed && found;
      },
      ONE_ORIGIN_WITHIN_MS + 5_000,
    );
    expect(performance.now() - healedMs).toBeLessThan(ONE_ORIGIN_WITHIN_MS);
    // What is told of the cluster is half a second old at most.
    await until('another node tells of it', async () => {
      return (await streamAt(cluster.node('b'), key))?.origin?.node === origin;
    });
    // It stays so.
    await pass(2_000);
    expect(await origins()).toEqual([origin]);
    for (const player of players) {
      const { check, ended, format } = player;
      expect(ended, format).toBeUndefined();
      expect(check.words, format).toEqual([]);
      expect(check.splices - (splices.get(player) ?? 0), format).toBeLessThanOrEqual(1);
    }
    for (const player of players) player.leave();
  },
);

test(
  '1 frame/s, audio only and 60 frames/s with jitter: no false switch, and every frame',
  TOGETHER,
  async () => {
    const { players, alarms } = await underJitter(JITTERS_FOR_MS, Math.random);
    expect(alarms).toEqual([]);
    for (const { node, format, stream, words, lost, duplicated, disconnected } of players) {
      expect(words, `${format} of ${stream} on ${node}`).toEqual([]);
      expect({ lost, duplicated, disconnected }).toEqual({ lost: 0, duplicated: 0, disconnected: undefined });
    }
  },
);
