// A cluster fills, runs, gets new nodes, loses some, and comes to rest.
import { type ClusterOptions, SimCluster } from './cluster.ts';
import { Random } from './random.ts';
import { type Borders, bordersOf, Watch } from './watch.ts';

export interface SteadyPlan extends ClusterOptions {
  readonly publishMs: number;
  readonly fillMs: number;
  /** How long each of the phases is. */
  readonly phaseMs: number;
  readonly restMs: number;
}

/** Until all nodes know of each other, and all streams of their first replicas. */
const SETTLE_MS = 3_000;
const EVEN = 1.3;
const CHANGED_NODES = 0.1;

interface Phase {
  /** Busiest node over the mean of its region. */
  readonly imbalance: number;
  /** Arrivals at a node over its share, at most. */
  readonly rush: number;
}

interface Change extends Phase {
  /** Until the load was even, and stayed so. */
  readonly evenAfterMs: number;
}

export interface SteadyFigures {
  readonly fill: Pick<Phase, 'rush'>;
  readonly steady: Phase;
  /** And the load of the new nodes over the mean, at the end. */
  readonly join: Change & { readonly newcomerLoad: number };
  readonly die: Change;
  readonly rest: Borders;
  readonly trees: {
    readonly cycles: number;
    readonly tooDeep: number;
    readonly overfull: number;
    readonly deepest: number;
    readonly mostChildren: number;
    readonly copies: number;
    readonly moves: number;
    /** Copies that came to stand too deep and left their parent. */
    readonly displaced: number;
    /** Copies without a parent at the end. */
    readonly lost: number;
  };
  readonly decisions: number;
  readonly unmet: number;
  /** Players that were sent to dead nodes. */
  readonly toTheDead: number;
  readonly longestDeadMs: number;
  /** In the mean, at the end. */
  readonly load: number;
}

export interface Steadied {
  readonly figures: SteadyFigures;
  readonly cluster: SimCluster;
}

export function runSteady(plan: SteadyPlan, note: (line: string) => void): Steadied {
  const cluster = new SimCluster(plan);
  const watch = new Watch(cluster);
  const random = new Random(`${plan.seed} faults`);
  const { agenda } = cluster;
  const perS = plan.players / (plan.fillMs / 1_000);
  agenda.runUntil(SETTLE_MS);
  cluster.publishAll(plan.publishMs);
  agenda.runUntil(agenda.now() + plan.publishMs + SETTLE_MS);
  const fullMs = agenda.now() + plan.fillMs;
  cluster.arrive(perS, fullMs);
  agenda.runUntil(fullMs);
  note(`${cluster.players} players are there`);
  const fillRush = watch.takeRush();
  cluster.arrive((plan.players / plan.stayMs) * 1_000);
  agenda.runUntil(agenda.now() + plan.phaseMs / 2);
  const steadyMs = agenda.now();
  agenda.runUntil(steadyMs + plan.phaseMs);
  const steady = { imbalance: watch.worstImbalance(steadyMs, agenda.now()), rush: watch.takeRush() };
  note('steady');

  const joinMs = agenda.now();
  const count = Math.max(1, Math.round(plan.nodes * CHANGED_NODES));
  const regions = random
    .shuffled(cluster.live)
    .slice(0, count)
    .map(({ region }) => region);
  const joined = regions.map((region) => cluster.addNode(region));
  agenda.runUntil(joinMs + plan.phaseMs);
  const join = {
    imbalance: watch.worstImbalance(joinMs + plan.phaseMs / 2, agenda.now()),
    evenAfterMs: watch.evenAfterMs(joinMs, agenda.now(), EVEN),
    rush: watch.takeRush(),
    newcomerLoad: mean(joined.map(({ load }) => load)) / mean(cluster.live.map(({ load }) => load)),
  };
  note(`${count} nodes joined`);
  const dieMs = agenda.now();
  for (const node of random.shuffled(cluster.live).slice(0, count)) cluster.kill(node);
  agenda.runUntil(dieMs + plan.phaseMs);
  const die = {
    imbalance: watch.worstImbalance(dieMs + plan.phaseMs / 2, agenda.now()),
    evenAfterMs: watch.evenAfterMs(dieMs, agenda.now(), EVEN),
    rush: watch.takeRush(),
  };
  note(`${count} nodes died`);
  cluster.freeze();
  agenda.runUntil(agenda.now() + plan.restMs);
  const copies = cluster.streams.reduce((sum, { tree }) => sum + tree.copies.size, 0);
  const figures: SteadyFigures = {
    ...{ fill: { rush: fillRush }, steady, join, die, rest: bordersOf(cluster) },
    trees: {
      ...{ cycles: watch.cycles, tooDeep: watch.tooDeep, overfull: watch.overfull },
      ...{ deepest: watch.deepest, mostChildren: watch.mostChildren, copies },
      moves: cluster.streams.reduce((sum, { tree }) => sum + tree.moves, 0),
      displaced: cluster.streams.reduce((sum, { tree }) => sum + tree.displaced, 0),
      lost: cluster.streams.reduce(
        (sum, { tree }) => sum + [...tree.copies.values()].filter(({ state }) => state !== 'fed').length,
        0,
      ),
    },
    ...{ decisions: cluster.decisions, unmet: cluster.unmet, toTheDead: cluster.toTheDead },
    longestDeadMs: cluster.longestDeadMs,
    load: mean(cluster.live.map(({ load }) => load)),
  };
  return { figures, cluster };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
