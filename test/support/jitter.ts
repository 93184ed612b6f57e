// Streams of all rates over links with jitter: nothing is wrong, so nobody may switch. The bench and the tests share it,
// with other durations.
import { playAll } from './checked-player.ts';
import { Cluster } from './cluster.ts';
import { meshed } from './cluster-view.ts';
import { type Cast, pass, type Sight, sightOf } from './fault-window.ts';
import { LoopWatch } from './loop-watch.ts';
import { PLANS, type PlanName } from './numbered-media.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import { until } from './until.ts';

export const JITTER_PLANS: readonly PlanName[] = ['1 frame/s', 'audio only', '60 frames/s'];
export const JITTER_MS = 50;

export interface JitterSight extends Sight {
  /** What the nodes logged that they should not have: `relay.switch` and closed links, with the node and the line. */
  readonly alarms: readonly string[];
}

const ALARMS = ['relay.switch', 'mesh.link-closed', 'mesh.wire-error'];

/**
 * Three nodes with jitter between any two; an origin, and two others with players of all formats.
 * @param forMs how long it plays
 */
export async function underJitter(forMs: number, random: () => number): Promise<JitterSight> {
  await using cluster = await Cluster.start({ ids: ['a', 'b', 'c'], random });
  using watch = new LoopWatch();
  cluster.jitter(JITTER_MS);
  await meshed(cluster.nodes);
  const casts: Cast[] = [];
  for (const plan of JITTER_PLANS) {
    const key = `jitter/${plan.replace(/\W+/g, '-')}`;
    const publisher = await NumberedPublisher.start(cluster.node('a'), { plan: PLANS[plan], key });
    const players = await Promise.all(
      ['b', 'c'].map(async (node) =>
        (await playAll(cluster.node(node), key)).map((player) => ({ node, player })),
      ),
    );
    casts.push({ name: plan, publisher, players: players.flat() });
  }
  await until(
    'all play',
    () => casts.every(({ players }) => players.every(({ player }) => player.check.frames > 3)),
    20_000,
  );
  const linesBefore = new Map(cluster.nodes.map((node) => [node, node.lines.length]));
  const sight = await sightOf(casts, { beforeMs: 0, fault: () => pass(forMs), afterMs: 0 }, watch);
  const alarms = cluster.nodes.flatMap((node) =>
    node.lines
      .slice(linesBefore.get(node))
      .filter(({ event }) => ALARMS.includes(event))
      .map((line) => `${node.id}: ${JSON.stringify(line)}`),
  );
  for (const { publisher, players } of casts) {
    for (const { player } of players) player.leave();
    publisher.drop();
  }
  return { ...sight, alarms };
}
