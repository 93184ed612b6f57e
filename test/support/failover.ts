// The relay in the middle dies: an origin `a`, a relay `m`, an edge `c` that pulls from the relay, and all that can happen
// to the relay. A trial is told as what players of the other nodes saw. `bench/failover.ts` and the tests share it.
import { CheckedPlayer, playAll } from './checked-player.ts';
import { Cluster } from './cluster.ts';
import { hereAt, meshed } from './cluster-view.ts';
import { type Cast, type PlayerSight, pass, sightOf } from './fault-window.ts';
import { LoopWatch, MachineLoad } from './loop-watch.ts';
import { PLANS, type PlanName } from './numbered-media.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import { until } from './until.ts';

export const FAULTS = ['kill', 'stop 0.5 s', 'stop 2 s', 'stop 30 s', 'blackhole'] as const;
/** `SIGTERM`: it is asked to stop, and sends those that it feeds elsewhere before it does. */
export type Fault = (typeof FAULTS)[number] | 'SIGTERM';

/** The most that a player may wait beyond what it did before, ms. */
export const MAX_GAP_MS: Readonly<Record<Fault, number>> = {
  kill: 100,
  'stop 0.5 s': 500,
  'stop 2 s': 500,
  'stop 30 s': 500,
  blackhole: 500,
  SIGTERM: 100,
};

const STOP_MS: Readonly<Partial<Record<Fault, number>>> = {
  'stop 0.5 s': 500,
  'stop 2 s': 2_000,
  'stop 30 s': 30_000,
};

const STREAMS: readonly PlanName[] = ['10 frames/s', '25 frames/s and audio'];
/** A stall of the harness of this length can make a gap of its own. */
const SPOILS_MS = 50;
const BLACKHOLE_MS = 4_000;
const AFTER_MS = 3_000;

export interface TrialOptions {
  /** How long all play before the fault. */
  readonly beforeMs?: number;
  /** Instead of the fault's own time. */
  readonly faultMs?: number;
  readonly afterMs?: number;
}

export interface Trial {
  readonly fault: Fault;
  readonly number: number;
  /** Players of the other nodes. */
  readonly players: readonly PlayerSight[];
  readonly lost: number;
  /** Frames that came twice, or in the wrong order. */
  readonly duplicated: number;
  /** Players that were disconnected. */
  readonly disconnects: number;
  /** Frames that were changed, times that fell or leapt, starts without a key frame or set-up, splices. */
  readonly otherFaults: number;
  /** Of the player that waited longest, ms. */
  readonly gapMs: number;
  /** A stall of the harness itself, ms; it is long enough to make a gap. */
  readonly harnessStallMs: number;
  readonly isSpoilt: boolean;
  /** Share of the machine's CPU in use, 0 to 1. */
  readonly machineLoad: number;
}

/** Of all trials of one fault, as `--json` tells it. */
export interface FaultCase {
  readonly fault: Fault;
  readonly trials: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly disconnects: number;
  /** Of each trial, the gap of the player that waited longest. */
  readonly gapMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The nodes, for one trial after the other. */
export class FailoverStage implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #watch = new LoopWatch();
  readonly #load = new MachineLoad();
  readonly #random: () => number;
  readonly #relays: readonly string[];
  #trials = 0;

  private constructor(cluster: Cluster, relays: readonly string[], random: () => number) {
    this.#cluster = cluster;
    this.#relays = relays;
    this.#random = random;
  }

  /**
   * @param random in 0..1; it chooses where between two key frames a fault falls
   * @param relays each has streams of its own, and all have the fault at once; ids above `c`
   */
  static async open(random: () => number = Math.random, relays = ['m']): Promise<FailoverStage> {
    const cluster = await Cluster.start({
      ids: ['a', 'c', ...relays],
      // What is over shall not weigh on the next trial.
      settings: {
        'publish.holdAfterStopMs': '0',
        'relay.lingerMs': '500',
        'play.waitMs': '5000',
        'shutdown.graceMs': '500',
      },
      nodeSettings: { a: { 'relay.softChildren': '1' } },
    });
    try {
      await meshed(cluster.nodes);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return new FailoverStage(cluster, relays, random);
  }

  get cluster(): Cluster {
    return this.#cluster;
  }

  /** One trial, with streams of its own. */
  async trial(fault: Fault, options: TrialOptions = {}): Promise<Trial> {
    this.#trials += 1;
    const number = this.#trials;
    const casts: Cast[] = [];
    const guests: CheckedPlayer[] = [];
    try {
      await this.#mend();
      for (const relay of this.#relays) {
        for (const plan of STREAMS) casts.push(await this.#cast(plan, relay, guests));
      }
      const { beforeMs = 5_000, afterMs = AFTER_MS } = options;
      await pass(this.#random() * Math.min(beforeMs, 1_000));
      this.#load.take();
      const { players, harnessStallMs } = await sightOf(
        casts,
        {
          beforeMs,
          fault: async () => {
            await Promise.all(this.#relays.map((relay) => this.#do(fault, relay, options.faultMs)));
            this.#cluster.heal();
          },
          afterMs,
        },
        this.#watch,
      );
      return {
        ...{ fault, number, players, harnessStallMs },
        lost: sum(players, ({ lost }) => lost),
        duplicated: sum(players, ({ duplicated, disordered }) => duplicated + disordered),
        disconnects: players.filter(({ disconnected }) => disconnected !== undefined).length,
        otherFaults: sum(
          players,
          ({ corrupt, badTimes, badStarts, splices }) => corrupt + badTimes + badStarts + splices,
        ),
        gapMs: Math.max(...players.map(({ gapMs }) => gapMs)),
        isSpoilt: harnessStallMs > SPOILS_MS,
        machineLoad: this.#load.take(),
      };
    } finally {
      for (const guest of guests) guest.leave();
      for (const { publisher, players } of casts) {
        for (const { player } of players) player.leave();
        publisher.stop();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#cluster[Symbol.asyncDispose]();
  }

  /** A stream from `a` over a relay to `c`, with players of all formats at both ends. */
  async #cast(plan: PlanName, via: string, guests: CheckedPlayer[]): Promise<Cast> {
    const [a, c, m] = ['a', 'c', via].map((id) => this.#cluster.node(id));
    if (!a || !c || !m) throw new Error('a node is missing');
    const key = `trial/${this.#trials}-${via}-${plan.replace(/\W+/g, '-')}`;
    const publisher = await NumberedPublisher.start(a, { plan: PLANS[plan], key });
    try {
      // The relay comes first, and fills the one place that the origin has for children.
      const guest = await CheckedPlayer.play(m, key, 'http-flv');
      guests.push(guest);
      await until('the relay plays', () => guest.check.frames > 0);
      const atEdge = await playAll(c, key);
      const atOrigin = await playAll(a, key);
      const players = [
        ...atEdge.map((player) => ({ node: 'c', player })),
        ...atOrigin.map((player) => ({ node: 'a', player })),
      ];
      await until('the edge pulls from the relay', async () => {
        const [edge, relay] = await Promise.all([hereAt(c, key), hereAt(m, key)]);
        return edge?.upstream === via && relay?.upstream === 'a';
      });
      return { name: plan, publisher, players };
    } catch (error) {
      publisher.drop();
      throw error;
    }
  }

  async #do(fault: Fault, id: string, faultMs: number | undefined): Promise<void> {
    const relay = this.#cluster.node(id);
    const stopMs = STOP_MS[fault];
    if (fault === 'kill') {
      await relay.kill();
    } else if (fault === 'SIGTERM') {
      await relay.stop();
    } else if (stopMs !== undefined) {
      relay.pause();
      await pass(faultMs ?? stopMs);
      relay.resume();
    } else {
      this.#cluster.isolate(id);
      await pass(faultMs ?? BLACKHOLE_MS);
    }
  }

  /** After the trial before: all nodes run and have links. */
  async #mend(): Promise<void> {
    await Promise.all(
      this.#relays.map(async (id) => {
        const relay = this.#cluster.node(id);
        if (relay.isRunning) relay.resume();
        else await this.#cluster.restart(id);
      }),
    );
    await meshed(this.#cluster.nodes);
  }
}

/** All trials of one fault in one row. */
export function caseOf(fault: Fault, trials: readonly Trial[]): FaultCase {
  const gaps = trials.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
  const at = (share: number) => rounded(gaps[Math.max(0, Math.ceil(gaps.length * share) - 1)] ?? 0);
  return {
    ...{ fault, trials: trials.length },
    lost: sum(trials, ({ lost }) => lost),
    duplicated: sum(trials, ({ duplicated }) => duplicated),
    disconnects: sum(trials, ({ disconnects }) => disconnects),
    gapMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function sum<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((total, each) => total + of(each), 0);
}
