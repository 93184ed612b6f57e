// Five nodes in two regions: who is sent where, and that nobody is sent to a node that is busy or gone.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CheckedPlayer, caughtUp } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { meshed } from '../support/cluster-view.ts';
import { CpuLimitedGroup } from '../support/cpu-limited-group.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];
const EU = ['a', 'b', 'c'];
/** Of each node. */
const CORES = 0.5;
/** Of a few answers, in which a node that may be chosen is hardly ever missing. */
const ASKS = 8;
const ASK_EVERY_MS = 100;
/** A node whose CPU is burnt is not chosen after so long. */
const BURNT_WITHIN_MS = 3_000;
/** A node that was killed is not named after so long. */
const DEAD_WITHIN_MS = 5_500;

/** Where groups can be made, each node has one, so that its CPU is its own and not that of the whole machine. */
const GROUPED = CpuLimitedGroup.whyNot() === undefined;
const groups = new Map<string, CpuLimitedGroup>();
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    ids: IDS,
    settings: {
      'routing.prices': 'eu>us=1,us>eu=1',
      // Half a core makes a loop late for a moment, and this is about load that lasts.
      ...{ 'routing.limits.cpu': '1', 'routing.limits.loop': '1', 'routing.limits.loopLagMs': '60000' },
    },
    nodeSettings: Object.fromEntries(IDS.map((id) => [id, settingsOf(id)])),
  });
  for (const node of GROUPED ? cluster.nodes : []) {
    const group = new CpuLimitedGroup(CORES);
    groups.set(node.id, group);
    group.add(node.pid);
  }
  await meshed(cluster.nodes);
  await until('every node knows all', async () => {
    const seen = await Promise.all(
      cluster.nodes.map((node) => node.metric('tideway_routing_nodes', 'may="yes"')),
    );
    return seen.every((count) => count === IDS.length);
  });
}, 60_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  for (const group of groups.values()) await group[Symbol.asyncDispose]();
});

/** c may send half of what the others may; e decides by what nodes may send alone, and not by how busy they are. */
function settingsOf(id: string): Record<string, string> {
  return {
    'node.region': EU.includes(id) ? 'eu' : 'us',
    'node.capacityMbps': id === 'c' ? '1000' : '2000',
    ...(id === 'e' && { 'routing.weights.cpu': '0', 'routing.weights.memory': '0' }),
  };
}

interface Answer {
  readonly node: string;
  readonly url: string;
}

async function route(asked: NodeProcess, verb: 'play' | 'publish', query: string): Promise<Answer> {
  return (await asked.api(`/api/v1/route/${verb}?${query}`)) as Answer;
}

/** Nodes that answers name, with how often. */
async function named(asked: NodeProcess, query: string, times: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let ask = 0; ask < times; ask += 1) {
    const { node } = await route(asked, 'play', query);
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/** Is the node named by some of a few answers? No faster than players come: promises are not what this is about. */
async function isNamed(id: string, region: string): Promise<boolean> {
  await delay(ASK_EVERY_MS);
  return (await named(cluster.node('a'), `stream=live/any&region=${region}`, ASKS)).has(id);
}

/** Asks for so long; how many ms from now somebody asked who was sent to the node, last. */
async function lastNamedMs(id: string, region: string, forMs: number): Promise<number> {
  const fromMs = performance.now();
  let lastMs = fromMs;
  while (performance.now() - fromMs < forMs) {
    const askedMs = performance.now();
    if (await isNamed(id, region)) lastMs = askedMs;
  }
  return Math.round(lastMs - fromMs);
}

describe('with nothing going on', () => {
  test('players spread by what nodes may send', async () => {
    const counts = await named(cluster.node('e'), 'stream=live/unknown&region=eu', 400);

    expect([...counts.keys()].sort()).toEqual(EU);
    const [a = 0, b = 0, c = 0] = ['a', 'b', 'c'].map((id) => counts.get(id));
    console.log(`of 400 players ${a} were sent to a, ${b} to b and ${c} to c, which may send half as much`);
    // 160, 160 and 80 would be exact.
    for (const whole of [a, b]) expect(Math.abs(whole - 160)).toBeLessThanOrEqual(30);
    expect(Math.abs(c - 80)).toBeLessThanOrEqual(30);
  });

  test('publishers land in their region, spread over it, and players get every frame by the URL that they are given', async () => {
    const publishers: NumberedPublisher[] = [];
    const at = new Map<string, number>();
    for (let number = 0; number < 6; number += 1) {
      const key = `live/show${number}`;
      // e, for which it does not count that one of them may be busier just now.
      const { node, url } = await route(cluster.node('e'), 'publish', `stream=${key}&region=eu`);
      expect(url).toBe(cluster.node(node).rtmpUrl(key));
      at.set(node, (at.get(node) ?? 0) + 1);
      publishers.push(
        await NumberedPublisher.start(cluster.node(node), { plan: PLANS['25 frames/s and audio'], key }),
      );
    }
    expect(
      [...at.keys()].every((id) => ['a', 'b', 'c'].includes(id)),
      [...at.keys()].join(),
    ).toBe(true);
    expect(at.size).toBeGreaterThan(1);
    await until('all are on air', () => publishers.every(({ sentId }) => sentId > 70));

    const players: CheckedPlayer[] = [];
    for (const { key } of publishers) {
      for (const protocol of ['http-flv', 'ws-flv', 'rtmp'] as const) {
        const { node, url } = await route(
          cluster.node('b'),
          'play',
          `stream=${key}&protocol=${protocol}&region=us`,
        );
        expect(['d', 'e']).toContain(node);
        const { flvUrl, wsUrl, rtmpUrl } = urlsOf(cluster.node(node), key);
        expect(url).toBe({ 'http-flv': flvUrl, 'ws-flv': wsUrl, rtmp: rtmpUrl }[protocol]);
        players.push(await CheckedPlayer.play(cluster.node(node), key, protocol));
      }
    }
    await until('all play', () => players.every(({ check }) => check.frames > 20));
    for (const publisher of publishers) {
      const own = players.filter(({ key }) => key === publisher.key);
      expect(await caughtUp(publisher, own)).toEqual(own.map(() => 0));
    }
    // Of six streams that two nodes play, one copy each crosses the border.

    await until('one copy of each crosses the border', async () => {
      const children = await Promise.all(EU.map((id) => cluster.node(id).metric('tideway_downstreams')));
      return children.reduce((sum: number, count) => sum + (count ?? 0), 0) === publishers.length;
    });
    for (const player of players) player.leave();
    for (const publisher of publishers) publisher.stop();
  }, 60_000);
});

describe.concurrent('a node', () => {
  test.skipIf(!GROUPED)(
    'whose CPU is burnt by another process is not chosen within 3 s, and is again afterwards',
    async () => {
      await until('b is named', () => isNamed('b', 'eu'));

      const stop = groups.get('b')?.burn();
      const lastMs = await lastNamedMs('b', 'eu', BURNT_WITHIN_MS + 2_000);
      console.log(`named last ${lastMs} ms after its CPU began to burn`);
      expect(lastMs).toBeLessThanOrEqual(BURNT_WITHIN_MS);

      await stop?.();
      await until('b is named again', () => isNamed('b', 'eu'), 15_000);
    },
    40_000,
  );

  test('that was killed is not named 5.5 s later', async () => {
    await until('e is named', () => isNamed('e', 'us'));

    await cluster.node('e').kill();
    const lastMs = await lastNamedMs('e', 'us', DEAD_WITHIN_MS + 1_000);
    console.log(`named last ${lastMs} ms after it was killed`);
    expect(lastMs).toBeLessThanOrEqual(DEAD_WITHIN_MS);
  }, 30_000);
});

function urlsOf(node: NodeProcess, key: string) {
  return { flvUrl: node.flvUrl(key), wsUrl: node.wsUrl(key), rtmpUrl: node.rtmpUrl(key) };
}
