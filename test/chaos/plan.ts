// What goes wrong, and when: rounds of faults that overlap, drawn from a seed, the same for the same seed. Pure.
import { Chance } from '../support/chance.ts';
import type { CutHow, FailoverHow } from './site.ts';

export const FAULT_KINDS = [
  'kill',
  'pause',
  'stall',
  'squeeze',
  'clock',
  'isolate',
  'cut',
  'cut-redis',
  'wipe-redis',
  'fail-over-redis',
  'hostile',
  'slow-players',
  'move-publisher',
  'ghost-publisher',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What one node is subjected to for so long. */
interface OfNode {
  readonly node: string;
  readonly forMs: number;
}

export type Fault =
  /** kill -9; started again after `forMs`. */
  | ({ readonly kind: 'kill' } & OfNode)
  /** SIGSTOP, then SIGCONT. */
  | ({ readonly kind: 'pause' } & OfNode)
  /** Its event loop is busy with something else. */
  | ({ readonly kind: 'stall' } & OfNode)
  /** Its control group is nearly out of memory. */
  | ({ readonly kind: 'squeeze' } & OfNode)
  /** Its wall clock leaps, and leaps back. */
  | ({ readonly kind: 'clock'; readonly aheadMs: number } & OfNode)
  /** No way to any other node, nor to Redis; publishers and players reach it. */
  | ({ readonly kind: 'isolate'; readonly how: CutHow } & OfNode)
  | {
      readonly kind: 'cut';
      readonly nodes: readonly [string, string];
      readonly how: CutHow;
      readonly forMs: number;
    }
  | ({ readonly kind: 'cut-redis'; readonly how: CutHow } & OfNode)
  | { readonly kind: 'wipe-redis' }
  /** Redis's master goes, and the replica takes its place. */
  | { readonly kind: 'fail-over-redis'; readonly how: FailoverHow }
  /** Strangers send what nobody should send to the node's doors. */
  | ({ readonly kind: 'hostile'; readonly seed: number } & OfNode)
  /** Players that read slowly, or not at all. */
  | ({ readonly kind: 'slow-players' } & OfNode)
  /** The encoder breaks off, and publishes at this node. */
  | { readonly kind: 'move-publisher'; readonly stream: string; readonly node: string }
  /** It publishes at this node, and its connection from before goes on sending. */
  | {
      readonly kind: 'ghost-publisher';
      readonly stream: string;
      readonly node: string;
      readonly forMs: number;
    };

export interface PlannedFault {
  /** From the start of the round, ms. */
  readonly atMs: number;
  readonly fault: Fault;
}

export interface Round {
  /** 1, 2, 3 … */
  readonly number: number;
  readonly faults: readonly PlannedFault[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly streams: readonly string[];
  /** Kinds that are left out. */
  readonly without?: readonly FaultKind[];
}

/** How long each kind lasts. */
const LASTS_MS: Readonly<Partial<Record<FaultKind, readonly [number, number]>>> = {
  kill: [500, 6_000],
  pause: [300, 8_000],
  stall: [100, 2_000],
  squeeze: [3_000, 6_000],
  clock: [2_000, 6_000],
  isolate: [500, 7_000],
  cut: [500, 8_000],
  'cut-redis': [1_000, 8_000],
  hostile: [2_000, 6_000],
  'slow-players': [3_000, 8_000],
  'ghost-publisher': [2_000, 8_000],
};
/** Those that take a node out of the cluster, for itself or for others: a round has at most two such nodes. */
const TAKES_OUT: readonly FaultKind[] = ['kill', 'pause', 'squeeze', 'isolate'];
const MAX_OUT = 2;
const MOST_IN_ROUND = 4;
/** Faults of a round begin within this. */
const SPREAD_MS = 5_000;
const DAY_MS = 86_400_000;

/** Deals rounds. */
export class Plan {
  readonly #chance: Chance;
  readonly #options: PlanOptions;
  readonly #kinds: readonly FaultKind[];
  /** Kinds that are still to come before all come again. */
  #deck: FaultKind[] = [];
  #rounds = 0;

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
    this.#kinds = FAULT_KINDS.filter((kind) => !options.without?.includes(kind));
    if (this.#kinds.length === 0) throw new RangeError('a plan without faults');
  }

  next(): Round {
    this.#rounds += 1;
    const draw = new RoundDraw(this.#chance, this.#options);
    const count = 2 + this.#chance.below(MOST_IN_ROUND - 1);
    const faults = Array.from({ length: count }, () => ({
      atMs: this.#chance.below(SPREAD_MS),
      fault: draw.fault(this.#deal(draw)),
    }));
    return { number: this.#rounds, faults: faults.sort((one, other) => one.atMs - other.atMs) };
  }

  /** The next kind that the round has room for. */
  #deal(draw: RoundDraw): FaultKind {
    let at = this.#deck.findIndex((kind) => draw.hasRoomFor(kind));
    if (at < 0) {
      this.#deck.push(...shuffled(this.#kinds, this.#chance));
      at = Math.max(
        0,
        this.#deck.findIndex((kind) => draw.hasRoomFor(kind)),
      );
    }
    const [kind] = this.#deck.splice(at, 1);
    if (kind === undefined) throw new RangeError('an empty deck');
    return kind;
  }
}

/** One round's faults: no node has two of them that could not be told apart. */
class RoundDraw {
  readonly #chance: Chance;
  readonly #options: PlanOptions;
  /** Nodes that have a fault of their own in this round. */
  readonly #taken = new Set<string>();
  #out = 0;
  #isRedisTaken = false;

  constructor(chance: Chance, options: PlanOptions) {
    this.#chance = chance;
    this.#options = options;
  }

  hasRoomFor(kind: FaultKind): boolean {
    if (kind === 'wipe-redis' || kind === 'fail-over-redis') return !this.#isRedisTaken;
    if (TAKES_OUT.includes(kind) && this.#out === MAX_OUT) return false;
    return this.#free.length >= 2;
  }

  fault(kind: FaultKind): Fault {
    const chance = this.#chance;
    const forMs = this.#lasts(kind);
    if (TAKES_OUT.includes(kind)) this.#out += 1;
    switch (kind) {
      case 'kill':
      case 'pause':
      case 'stall':
      case 'squeeze':
      case 'slow-players':
        return { kind, node: this.#take(), forMs };
      case 'hostile':
        return { kind, node: this.#take(), forMs, seed: chance.below(2 ** 31) };
      case 'clock': {
        const size = chance.pick([3_000, 60_000, 3_600_000, DAY_MS]);
        return { kind, node: this.#take(), forMs, aheadMs: chance.oneIn(2) ? size : -size };
      }
      case 'isolate':
      case 'cut-redis':
        return { kind, node: this.#take(), forMs, how: this.#cutHow() };
      case 'cut': {
        // Both may have faults of their own.
        const one = chance.pick(this.#options.nodes);
        const other = chance.pick(this.#options.nodes.filter((node) => node !== one));
        return { kind, nodes: [one, other], how: this.#cutHow(), forMs };
      }
      case 'wipe-redis':
        this.#isRedisTaken = true;
        return { kind };
      case 'fail-over-redis':
        this.#isRedisTaken = true;
        return { kind, how: chance.pick<FailoverHow>(['kill', 'pause']) };
      case 'move-publisher':
        return { kind, ...this.#move() };
      case 'ghost-publisher':
        return { kind, ...this.#move(), forMs };
    }
  }

  #move(): { stream: string; node: string } {
    const { streams, nodes } = this.#options;
    return { stream: this.#chance.pick(streams), node: this.#chance.pick(nodes) };
  }

  get #free(): string[] {
    return this.#options.nodes.filter((node) => !this.#taken.has(node));
  }

  #take(): string {
    const node = this.#chance.pick(this.#free);
    this.#taken.add(node);
    return node;
  }

  #cutHow(): CutHow {
    return this.#chance.pick<CutHow>(['swallow', 'reset']);
  }

  #lasts(kind: FaultKind): number {
    const [least, most] = LASTS_MS[kind] ?? [0, 0];
    return least + this.#chance.below(most - least);
  }
}

function shuffled<Item>(items: readonly Item[], chance: Chance): Item[] {
  const rest = [...items];
  return items.map(() => rest.splice(chance.below(rest.length), 1)[0] as Item);
}

/** A fault in words: `pause d 3.2 s`. */
export function textOf(fault: Fault): string {
  const lasts = 'forMs' in fault ? ` ${(fault.forMs / 1_000).toFixed(1)} s` : '';
  switch (fault.kind) {
    case 'cut':
      return `cut ${fault.nodes.join('-')} (${fault.how})${lasts}`;
    case 'isolate':
    case 'cut-redis':
      return `${fault.kind} ${fault.node} (${fault.how})${lasts}`;
    case 'clock':
      return `clock ${fault.node} ${fault.aheadMs / 1_000} s ahead,${lasts}`;
    case 'wipe-redis':
      return fault.kind;
    case 'fail-over-redis':
      return `${fault.kind} (${fault.how})`;
    case 'move-publisher':
      return `move-publisher ${fault.stream} to ${fault.node}`;
    case 'ghost-publisher':
      return `ghost-publisher ${fault.stream}, which goes to ${fault.node},${lasts}`;
    default:
      return `${fault.kind} ${fault.node}${lasts}`;
  }
}
