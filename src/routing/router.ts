// Chooses nodes for players, publishers and preloads, and remembers what that leaves behind: promises, sessions and the
// reasons. It reads its own snapshot of the cluster and asks nobody.
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { type Ask, type Choice, choose, type Filtered } from './choose.ts';
import { ClusterView, type ViewOptions } from './cluster-view.ts';
import type { ChoiceDecision, Decisions } from './decisions.ts';
import { lotOf } from './lots.ts';
import type { Door, NodeView, Place } from './node-view.ts';
import { Reservations } from './reservations.ts';
import type { LimitReason } from './score.ts';
import { Sessions } from './sessions.ts';
import type { Holders, Policy } from './ways.ts';

export interface RouterOptions extends Policy, ViewOptions {
  /** This node. */
  readonly self: string;
}

export interface RouterNeeds {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly decisions: Decisions;
}

/** Who asks, and for what. */
export interface RouteAsk {
  readonly kind: ChoiceDecision['kind'];
  readonly stream: StreamKey | undefined;
  readonly place: Place;
  readonly holders: Holders | undefined;
  /** What it comes by; undefined: nothing that could be shut. */
  readonly door: Door | undefined;
  readonly session: string | undefined;
  /** The node that it is at: it stays there if that is near-best. */
  readonly at?: string;
  /** What it will take of the node that is chosen; undefined: as most streams do. */
  readonly bytesPerS: number | undefined;
  /** Not these. */
  readonly except?: ReadonlySet<string>;
  /** Only nodes of this region. */
  readonly region?: string;
}

export interface Routed {
  /** Undefined: no node is left. */
  readonly node: string | undefined;
  /** Next best, at most MAX_ALTERNATIVES. */
  readonly alternatives: readonly string[];
  readonly why: string;
  readonly choice: Choice;
}

/** Of a stream whose rate nobody knows: 2 Mbit/s. */
const USUAL_BYTES_PER_S = 250_000;
const MAX_ALTERNATIVES = 3;
const NOBODY: ReadonlySet<string> = new Set();

export class Router {
  readonly #options: RouterOptions;
  readonly #needs: RouterNeeds;
  readonly #reservations = new Reservations();
  readonly #sessions = new Sessions();
  #view: ClusterView;
  /** Asks that no node was left for. */
  unmet = 0;

  constructor(options: RouterOptions, needs: RouterNeeds) {
    this.#options = options;
    this.#needs = needs;
    this.#view = new ClusterView([], options);
  }

  get view(): ClusterView {
    return this.#view;
  }

  get reservationCount(): number {
    return this.#reservations.count;
  }

  get tables(): Table[] {
    const nodes = { table: 'routing_nodes', entries: this.#view.nodes.length, limit: undefined };
    return [this.#sessions.table, this.#needs.decisions.table, nodes];
  }

  /** Takes the nodes as they are now, this one included. */
  setNodes(nodes: readonly NodeView[]): void {
    const before = this.#view;
    this.#view = new ClusterView(nodes, this.#options, before);
    this.#reservations.move(
      nodes.map(({ node }) => before.placeOf(node)),
      this.#needs.clock.now(),
    );
  }

  /** Why this node should not be chosen now; undefined if it may. */
  ownLimit(): LimitReason | undefined {
    return this.#view.get(this.#options.self)?.limit;
  }

  /** Chooses a node, promises it what is asked for, and records why. */
  route(ask: RouteAsk): Routed {
    const nowMs = this.#needs.clock.now();
    const { session } = ask;
    const choice = choose(
      this.#view,
      {
        place: ask.place,
        holders: ask.holders,
        door: ask.door,
        except: ask.except ?? NOBODY,
        region: ask.region,
        stay: this.#stay(ask, nowMs),
        lot: session === undefined ? undefined : lotOf(session),
      },
      this.#options,
      this.#reservations.at(nowMs),
      this.#needs.random,
    );
    const { node } = choice;
    if (node === undefined) this.unmet += 1;
    else {
      this.#reservations.add(this.#view.placeOf(node) ?? 0, ask.bytesPerS ?? USUAL_BYTES_PER_S, nowMs);
      if (session !== undefined) this.#sessions.seen(session, node, nowMs);
    }
    const why = whyOf(choice);
    this.#needs.decisions.add({
      ...{ kind: ask.kind, stream: ask.stream, place: ask.place, node, why },
      ...{ considered: choice.considered, filtered: choice.filtered },
    });
    const alternatives = choice.considered.map((one) => one.node).filter((one) => one !== node);
    return { node, alternatives: alternatives.slice(0, MAX_ALTERNATIVES), why, choice };
  }

  /** One with a session of its own was taken here, without being sent anywhere. */
  tookIn(session: string): void {
    this.#sessions.seen(session, this.#options.self, this.#needs.clock.now());
  }

  #stay({ session, at }: RouteAsk, nowMs: number): Ask['stay'] {
    const before = session === undefined ? undefined : this.#sessions.nodeOf(session, nowMs);
    if (before !== undefined) return { at: before, if: 'able' };
    return at === undefined ? undefined : { at, if: 'near-best' };
  }
}

/** In one line, for people. */
function whyOf({ node, by, considered, near, filtered }: Choice): string {
  const without = filtered.length === 0 ? '' : `; not ${filteredText(filtered)}`;
  if (node === undefined) return `no node is left${without}`;
  const score = considered.find((one) => one.node === node)?.score.toFixed(3);
  if (by === 'stay') return `it is there already, or was before (score ${score})${without}`;
  const among = near === 1 ? 'the best' : `the best of some drawn from ${near} that are near`;
  return `${among} (score ${score})${without}`;
}

/** `a, b (cpu), 12 nodes (draining)`. */
function filteredText(filtered: readonly Filtered[]): string {
  return filtered
    .map(({ reason, count, nodes }) => {
      const who = count <= nodes.length ? nodes.join(', ') : `${count} nodes`;
      return `${who} (${reason})`;
    })
    .join(', ');
}
