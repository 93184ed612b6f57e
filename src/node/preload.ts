// Has streams ready on other nodes before anybody plays them there: by the rules, as the origin of a stream; by orders of
// the API; and as a standby where many players hang on this node. It says when nodes are chosen and told; who is chosen
// is preload-task.ts's.
import { type Clock, every, jittered, type Timer } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { PreloadAnswer, PreloadOrder, PreloadOrders } from '../http/preload-api.ts';
import type { Stream } from '../media/stream.ts';
import { CodeCounter } from '../observe/metrics.ts';
import { MAX_REPLICAS } from '../registry/records.ts';
import type { Lookup } from '../registry/registry.ts';
import {
  type Aim,
  aimsOfRule,
  type PreloadRule,
  preloadRuleOf,
  wantsStandby,
} from '../routing/preload-rules.ts';
import type { PreloadNodes } from './preload-nodes.ts';
import { PreloadQueue } from './preload-queue.ts';
import { type Cause, type FoundCopies, PreloadTask, type Settled, type TaskNeeds } from './preload-task.ts';

const TICK_MS = 100;
/** Each stream has its turn in one of so many ticks, so that many streams hold up nothing else. */
const TICKS_A_ROUND = 5;
/** Who is asked for a stream is looked at so often. */
export const SETTLE_MS = 5_000;
/** While all who were asked have it, the registry is asked only so often. */
export const LOOKUP_MS = 30_000;
/** Who is asked is to have the stream ready for so long, and is told again long before. */
export const TTL_MS = 30_000;
export const RENEW_MS = 10_000;
export const MAX_ORDERS = 1_000;
/** Of what is unknown, so many are named. */
const MAX_TOLD = 5;
/** That nodes are missing is logged so often, whatever the stream. */
const SAY_AGAIN_MS = 10_000;
/** A lookup that is older was made before the registry went away. */
const BELIEVED_MS = 1_000;

export interface PreloadOptions {
  /** This node. */
  readonly self: { readonly node: string; readonly region: string };
  readonly rules: readonly PreloadRule[];
  /** Players of a stream on this node from which on it has a standby; 0: never. */
  readonly standbyPlayers: number;
}

export interface PreloadNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1: spreads what is done for many streams. */
  readonly random: () => number;
  /** @throws TidewayError if the registry is away and nothing is remembered */
  readonly lookup: (key: StreamKey) => Promise<Lookup>;
  readonly nodes: PreloadNodes;
  /** Streams of this node. */
  readonly streams: () => Iterable<Pick<Stream, 'key' | 'playerCount'>>;
  /** Is this node the stream's origin? */
  readonly isOrigin: (key: StreamKey) => boolean;
  /** The node that feeds this one with the stream. */
  readonly upstreamOf: (key: StreamKey) => string | undefined;
  /** The best node for one more copy, in the region (undefined: in any); undefined: there is none. */
  readonly chooseFor: (
    key: StreamKey,
    region: string | undefined,
    except: ReadonlySet<string>,
  ) => string | undefined;
  /** Asks a node, or this one, to have the stream ready for so long; 0: no longer. */
  readonly ask: (node: string, key: StreamKey, ttlMs: number) => void;
}

/** Of a node alone. */
export const NO_PRELOAD: PreloadOrders = { order: alone, show: alone, cancel: alone };

export class Preload implements PreloadOrders {
  readonly #options: PreloadOptions;
  readonly #needs: PreloadNeeds;
  /** Bounded by the streams of this node and MAX_ORDERS. */
  readonly #tasks = new Map<StreamKey, PreloadTask>();
  /** Those of them whose turn in this round is yet to come. */
  #round: Iterator<PreloadTask> = [].values();
  #ticks = 0;
  readonly #queue = new PreloadQueue((task) => this.#look(task));
  #orderCount = 0;
  /** When it was logged last that nodes are missing. */
  #saidMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** Counters that metrics read. */
  readonly asks = new CodeCounter('for');
  readonly dropped = new CodeCounter('why');
  lookups = 0;

  constructor(options: PreloadOptions, needs: PreloadNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  /** Streams that it has others have ready; orders of the API; copies for which there is no node. */
  get counts(): { readonly streams: number; readonly orders: number; readonly missing: number } {
    let missing = 0;
    for (const task of this.#tasks.values()) missing += task.missing;
    return { streams: this.#tasks.size, orders: this.#orderCount, missing };
  }

  get tables(): Table[] {
    return [
      { table: 'preload_streams', entries: this.#tasks.size, limit: undefined },
      { table: 'preload_orders', entries: this.#orderCount, limit: MAX_ORDERS },
      ...this.#queue.tables,
      this.#needs.nodes.table,
    ];
  }

  start(): void {
    this.#needs.nodes.read();
    this.#timer = every(this.#needs.clock, TICK_MS, () => this.#tick());
  }

  /** Tells nobody any more; what others have ready for it runs out. Calm when repeated. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tasks.clear();
    this.#queue.clear();
    this.#orderCount = 0;
  }

  /** A stream of this node went live, into hold, or ended. */
  streamChanged({ key, state }: Pick<Stream, 'key' | 'state'>): void {
    if (!this.#timer) return;
    const task = this.#tasks.get(key);
    if (state.at === 'ended') {
      if (task) for (const cause of ['rule', 'standby'] as const) this.#end(task, cause);
    } else if (!this.#needs.isOrigin(key)) {
      // The new origin asks those that have it: they are not told to let go.
      task?.drop('rule');
      this.#forgetIfEmpty(task);
    } else if (state.at === 'live' && !task?.has('rule')) {
      const rule = preloadRuleOf(key, this.#options.rules);
      const aims = rule ? aimsOfRule(rule, this.#options.self.region) : [];
      if (aims.length > 0) this.#aimFor(key, 'rule', aims);
    }
  }

  // Orders of the API

  async order(key: StreamKey, { where, ttlMs }: PreloadOrder): Promise<PreloadAnswer> {
    const { clock, nodes, log } = this.#needs;
    nodes.read();
    if ('nodes' in where) this.#checkNodes(where.nodes);
    else this.#checkRegions(where.regions);
    const known = this.#tasks.get(key);
    if (known?.orderUntilMs === undefined) {
      if (this.#orderCount >= MAX_ORDERS) throw tooManyOrders();
      this.#orderCount += 1;
    }
    const task = this.#taskOf(key);
    task.orderUntilMs = clock.now() + ttlMs;
    task.aimFor('order', partsOf(where));
    log.info({ stream: key, ...where, ttlMs }, 'preload.order');
    await this.#look(task);
    // Those who were asked before are told of the new time.
    this.#renew(task);
    return this.#answer(task);
  }

  async show(key: StreamKey): Promise<PreloadAnswer> {
    const task = this.#tasks.get(key);
    if (!task) throw none(key);
    this.#needs.nodes.read();
    await this.#look(task);
    return this.#answer(task);
  }

  cancel(key: StreamKey): void {
    const task = this.#tasks.get(key);
    if (task?.orderUntilMs === undefined) throw none(key);
    this.#endOrder(task, 'asked');
  }

  #checkNodes(named: readonly string[]): void {
    const unknown = named.filter((node) => !this.#needs.nodes.has(node));
    if (unknown.length === 0) return;
    const message = `there is no node ${unknown.slice(0, MAX_TOLD).join(', ')}: see /api/v1/nodes`;
    throw new TidewayError('preload.unknown-node', message);
  }

  #checkRegions(named: readonly string[]): void {
    const unknown = named.filter((region) => !this.#needs.nodes.hasRegion(region));
    if (unknown.length === 0) return;
    const message = `no node is in region ${unknown.slice(0, MAX_TOLD).join(', ')}: see /api/v1/nodes`;
    throw new TidewayError('preload.unknown-region', message);
  }

  #answer(task: PreloadTask): PreloadAnswer {
    const { clock, nodes } = this.#needs;
    const untilMs = task.orderUntilMs;
    const leftMs = untilMs === undefined ? undefined : Math.max(0, untilMs - clock.now());
    return {
      node: this.#options.self.node,
      stream: task.key,
      until: leftMs === undefined ? null : new Date(clock.wallMs() + leftMs).toISOString(),
      asked: task.rows((node, region) => nodes.whyNot(node, region)),
    };
  }

  #endOrder(task: PreloadTask, how: 'asked' | 'ran-out'): void {
    this.#orderCount -= 1;
    task.orderUntilMs = undefined;
    this.#needs.log.info({ stream: task.key, how }, 'preload.order-over');
    this.#end(task, 'order');
  }

  // All streams

  #taskOf(key: StreamKey): PreloadTask {
    const task = this.#tasks.get(key) ?? new PreloadTask(key);
    this.#tasks.set(key, task);
    return task;
  }

  #forgetIfEmpty(task: PreloadTask | undefined): void {
    if (!task?.isEmpty) return;
    this.#tasks.delete(task.key);
    this.#queue.remove(task);
  }

  #aimFor(key: StreamKey, cause: Cause, aims: readonly Aim[]): void {
    const task = this.#taskOf(key);
    task.aimFor(
      cause,
      aims.map((aim) => ({ aim })),
    );
    this.#queue.addFirst(task);
  }

  /** Nothing more for a cause: who was asked for it is told. */
  #end(task: PreloadTask, cause: Cause): void {
    for (const node of task.drop(cause)) this.#letGo(task, node, 'over');
    this.#forgetIfEmpty(task);
  }

  #tick(): void {
    if (this.#ticks % TICKS_A_ROUND === 0) {
      this.#needs.nodes.read();
      this.#lookAtPlayers();
    }
    this.#ticks += 1;
    const nowMs = this.#needs.clock.now();
    for (let left = Math.ceil(this.#tasks.size / TICKS_A_ROUND); left > 0; left -= 1) {
      const next = this.#round.next();
      if (next.done) {
        this.#round = this.#tasks.values();
        break;
      }
      this.#visit(next.value, nowMs);
    }
    this.#queue.refill();
  }

  #visit(task: PreloadTask, nowMs: number): void {
    if (task.orderUntilMs !== undefined && task.orderUntilMs <= nowMs) this.#endOrder(task, 'ran-out');
    const { changes } = this.#needs.nodes;
    if (task.nodesSeen !== changes && task.hasLost(this.#whyNot)) {
      task.settleMs = 0;
      task.lookupMs = 0;
    }
    task.nodesSeen = changes;
    if (nowMs >= task.renewMs) this.#renew(task);
    if (task.isLooking || task.isEmpty || nowMs < task.settleMs) return;
    if (nowMs >= task.lookupMs || (task.isLive && !task.isReady)) this.#queue.add(task);
    else this.#settle(task, undefined);
  }

  /** Looks up who has the stream, and chooses anew. Never rejects. */
  async #look(task: PreloadTask): Promise<void> {
    task.isLooking = true;
    this.lookups += 1;
    const found = await this.#needs.lookup(task.key).catch(() => undefined);
    task.isLooking = false;
    if (this.#tasks.get(task.key) !== task) return;
    const isBelieved = found !== undefined && found.ageMs <= BELIEVED_MS;
    task.lookupMs = this.#needs.clock.now() + (isBelieved ? LOOKUP_MS : SETTLE_MS);
    this.#settle(task, isBelieved ? copiesIn(found) : undefined);
  }

  #settle(task: PreloadTask, found: FoundCopies | undefined): void {
    const { clock, random, log } = this.#needs;
    const nowMs = clock.now();
    const missedBefore = task.missing;
    const { added, dropped } = task.settle(this.#facts(task.key, nowMs), found);
    for (const { node, cause, region } of added) {
      this.asks.count(cause);
      log.info({ stream: task.key, peer: node, for: cause, region }, 'preload.ask');
    }
    const ttlMs = this.#ttlMs(task, nowMs);
    for (const node of new Set(added.map(({ node }) => node))) this.#needs.ask(node, task.key, ttlMs);
    for (const { node, why } of dropped) this.#letGo(task, node, why);
    if (added.length > 0) task.renewMs = Math.min(task.renewMs, nowMs + jittered(RENEW_MS, random));
    task.settleMs = nowMs + jittered(SETTLE_MS, random);
    if (task.missing > missedBefore) this.#sayMissing(task, nowMs);
  }

  #sayMissing(task: PreloadTask, nowMs: number): void {
    if (nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    // That there is nobody for a standby is no trouble of a small cluster.
    const row = task.rows(this.#whyNot).find((each) => each.missing > 0 && each.for !== 'standby');
    if (!row) return;
    this.#saidMs = nowMs;
    const fields = { stream: task.key, for: row.for, missing: row.missing, detail: row.why?.message };
    this.#needs.log.warn({ ...fields, inAll: this.counts.missing }, 'preload.missing');
  }

  #renew(task: PreloadTask): void {
    const { clock, random, ask } = this.#needs;
    const nowMs = clock.now();
    const asked = task.asked();
    task.renewMs = asked.size === 0 ? Number.POSITIVE_INFINITY : nowMs + jittered(RENEW_MS, random);
    const ttlMs = this.#ttlMs(task, nowMs);
    for (const node of asked) ask(node, task.key, ttlMs);
  }

  /** An order's end is no later for being told in time. */
  #ttlMs({ outlastsOrder, orderUntilMs }: PreloadTask, nowMs: number): number {
    if (outlastsOrder || orderUntilMs === undefined) return TTL_MS;
    return Math.max(1, Math.min(TTL_MS, orderUntilMs - nowMs));
  }

  #letGo({ key }: PreloadTask, node: string, why: Settled['dropped'][number]['why']): void {
    this.dropped.count(why);
    this.#needs.log.info({ stream: key, peer: node, why }, 'preload.let-go');
    this.#needs.ask(node, key, 0);
  }

  readonly #whyNot = (node: string, region?: string): string | undefined =>
    this.#needs.nodes.whyNot(node, region);

  #facts(key: StreamKey, nowMs: number): TaskNeeds {
    const { chooseFor, upstreamOf } = this.#needs;
    return {
      ...{ nowMs, self: this.#options.self, upstream: upstreamOf(key), whyNot: this.#whyNot },
      choose: (region, except) => chooseFor(key, region, except),
    };
  }

  #lookAtPlayers(): void {
    const { standbyPlayers } = this.#options;
    if (standbyPlayers === 0) return;
    for (const { key, playerCount } of this.#needs.streams()) {
      const task = this.#tasks.get(key);
      const had = task?.has('standby') ?? false;
      const wants = wantsStandby(playerCount, standbyPlayers, had);
      if (wants && !had) this.#aimFor(key, 'standby', [{ region: undefined, copies: 1 }]);
      else if (!wants && had && task) this.#end(task, 'standby');
    }
  }
}

function partsOf(where: PreloadOrder['where']): { readonly aim: Aim; readonly named?: readonly string[] }[] {
  if ('nodes' in where) {
    return [{ aim: { region: undefined, copies: where.nodes.length }, named: where.nodes }];
  }
  return where.regions.map((region) => ({ aim: { region, copies: where.copies } }));
}

function copiesIn({ origin, replicas }: Lookup): FoundCopies {
  const holders = [...(origin ? [origin.node] : []), ...replicas.map(({ node }) => node)];
  return { isLive: origin?.state === 'live', holders, isComplete: replicas.length < MAX_REPLICAS };
}

function tooManyOrders(): TidewayError {
  return new TidewayError(
    'preload.too-many-orders',
    `this node keeps ${MAX_ORDERS} preload orders already: end one, or order on another node`,
  );
}

function none(key: StreamKey): TidewayError {
  return new TidewayError('preload.none', `this node has nobody preload ${key}`);
}

function alone(): never {
  throw new TidewayError('preload.alone', 'this node is alone: set registry.url and mesh.secret');
}
