// One run: a site with an audience, round after round of faults, each until the cluster has come to rest again, and the
// rules, which are looked at all the time.
import { setTimeout as delay } from 'node:timers/promises';
import { LoopWatch } from '../support/loop-watch.ts';
import { Audience, type AudienceFigures, STREAMS } from './audience.ts';
import { Havoc } from './havoc.ts';
import { NodeWatch } from './node-watch.ts';
import { type Fault, type FaultKind, Plan, textOf } from './plan.ts';
import { SETTLES_WITHIN_MS, unrest } from './rest.ts';
import { openSite } from './site/open-site.ts';
import type { Site } from './site.ts';
import type { Rule, Violation } from './violation.ts';
import { World } from './world.ts';

const LOOK_EVERY_MS = 50;
const ASK_EVERY_MS = 250;
const STARTS_WITHIN_MS = 40_000;
const KEEP_ARRIVALS_MS = 120_000;
/** More than so many are not told. */
const MAX_VIOLATIONS = 200;

export interface ChaosOptions {
  readonly seed: number;
  /** No round but the first begins after this. */
  readonly ms: number;
  /** After each round all just play for so long. */
  readonly restMs: number;
  readonly network?: Site['network'];
  /** Kinds of faults that are left out. */
  readonly without?: readonly FaultKind[];
  /** Told of what happens, line by line. */
  readonly tell: (line: string) => void;
}

/** A fault that was done. */
export interface DoneFault {
  readonly round: number;
  /** From the start of the run, ms. */
  readonly atMs: number;
  readonly fault: Fault;
}

export interface ChaosReport extends AudienceFigures {
  readonly seed: number;
  readonly network: Site['network'];
  readonly ms: number;
  readonly rounds: number;
  readonly faults: readonly DoneFault[];
  /** Kinds that could not be done here, and why. */
  readonly missing: Site['missing'];
  readonly violations: readonly Violation[];
  /** From the end of a round's faults until the cluster was at rest, ms, of each round. */
  readonly settledMs: readonly number[];
  readonly mostResidentBytes: number;
  /** The slowest answer of a node that worked to `/healthz` and `/metrics` together, ms. */
  readonly worstAnswerMs: number;
  /** The longest stall of the harness itself, ms: waits may be longer by so much. */
  readonly harnessStallMs: number;
}

/** @throws Error if the cluster does not come up, or a fault cannot be done */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  await using site = await openSite({ ...(options.network && { network: options.network }) });
  return await new Run(site, options).run();
}

class Run {
  readonly #site: Site;
  readonly #options: ChaosOptions;
  readonly #world: World;
  readonly #plan: Plan;
  /** When all played, before the first fault. */
  #startMs = performance.now();
  readonly #faults: DoneFault[] = [];
  readonly #violations: Violation[] = [];
  readonly #settledMs: number[] = [];
  #round = 0;

  constructor(site: Site, options: ChaosOptions) {
    this.#site = site;
    this.#options = options;
    this.#world = new World(site.ids);
    const without = [...(options.without ?? []), ...site.missing.map(({ fault }) => fault)];
    this.#plan = new Plan({ seed: options.seed, nodes: site.ids, streams: STREAMS, without });
  }

  async run(): Promise<ChaosReport> {
    const site = this.#site;
    const world = this.#world;
    const violated = (rule: Rule, detail: string) => this.#violated(rule, detail);
    await using audience = new Audience({ site, world, violated });
    const nodes = new NodeWatch({ site, world, violated });
    using watch = new LoopWatch();
    await this.#begin(audience);
    const timer = setInterval(() => {
      const nowMs = performance.now();
      audience.look(nowMs);
      nodes.look(nowMs);
    }, LOOK_EVERY_MS);
    try {
      await this.#rounds(audience);
    } finally {
      clearInterval(timer);
      await nodes.answered();
    }
    const endMs = performance.now();
    return {
      ...{ seed: this.#options.seed, network: site.network, ms: Math.round(endMs - this.#startMs) },
      ...{ rounds: this.#round, faults: this.#faults, missing: site.missing, violations: this.#violations },
      ...audience.figures(),
      settledMs: this.#settledMs,
      ...{ mostResidentBytes: nodes.mostResidentBytes, worstAnswerMs: nodes.worstAnswerMs },
      harnessStallMs: Math.round(watch.worstMs(this.#startMs, endMs)),
    };
  }

  /** @throws Error if not all play in time */
  async #begin(audience: Audience): Promise<void> {
    const words = await this.#rest(audience, STARTS_WITHIN_MS);
    if (words.length > 0) throw new Error(`the cluster did not come up: ${words.join('; ')}`);
    this.#startMs = performance.now();
  }

  async #rounds(audience: Audience): Promise<void> {
    const havoc = new Havoc({
      ...{ site: this.#site, world: this.#world, encoders: audience.encoders },
      begins: (fault) => this.#begins(fault),
    });
    do {
      const { number, faults } = this.#plan.next();
      this.#round = number;
      await havoc.round(faults);
      const overMs = performance.now();
      const words = await this.#rest(audience, SETTLES_WITHIN_MS);
      for (const word of words) this.#violated('cluster-settles', word);
      this.#settledMs.push(Math.round(performance.now() - overMs));
      this.#options.tell(`${this.#time} round ${number} is over, at rest after ${this.#settledMs.at(-1)} ms`);
      await delay(this.#options.restMs);
      audience.forgetArrivals(performance.now() - KEEP_ARRIVALS_MS);
    } while (performance.now() - this.#startMs < this.#options.ms);
  }

  /** Waits until the cluster is at rest; what still was not in the end, in words. */
  async #rest(audience: Audience, withinMs: number): Promise<string[]> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      const words = await unrest(this.#site, audience);
      if (words.length === 0 || performance.now() > untilMs) return words;
      await delay(ASK_EVERY_MS);
    }
  }

  #begins(fault: Fault): void {
    this.#faults.push({ round: this.#round, atMs: this.#elapsedMs, fault });
    this.#options.tell(`${this.#time} round ${this.#round}: ${textOf(fault)}`);
  }

  #violated(rule: Rule, detail: string): void {
    if (this.#violations.length >= MAX_VIOLATIONS) return;
    this.#violations.push({ atMs: this.#elapsedMs, rule, detail });
    this.#options.tell(`${this.#time} BROKEN ${rule}: ${detail}`);
  }

  get #elapsedMs(): number {
    return Math.round(performance.now() - this.#startMs);
  }

  get #time(): string {
    return `${(this.#elapsedMs / 1_000).toFixed(1).padStart(6)} s`;
  }
}
