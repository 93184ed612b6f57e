// This process as a node of the cluster: it beats, knows the other nodes from the answers, and tells when the registry
// went, came back or was wiped, and when another process has its node id. It keeps no claim and no replica.
import { type Clock, jittered, type Timer } from '../base/clock.ts';
import { messageOf, type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import { NodeSnapshot } from './node-snapshot.ts';
import type { BeatAnswer, BeatCursor, NodeRecord, NodeSeen, Owner, Registry } from './registry.ts';

export const BEAT_MS = 1_000;
/** After a beat that failed: a call while the registry is known to be down costs nothing (guarded.ts). */
export const BEAT_RETRY_MS = 500;
/** How much later than its lease ran out a node id is asked for again. */
const LEASE_MARGIN_MS = 100;

export interface MembershipNeeds {
  readonly registry: Pick<Registry, 'beat' | 'leave' | 'registryWallMs'>;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1: spreads the beats of many nodes. */
  readonly random: () => number;
  /** What this node tells of itself now; `node` and `boot` never change. */
  readonly record: () => NodeRecord;
  /** Registry time as the linked peers have it; undefined without one. */
  readonly peersRegistryWallMs: () => number | undefined;
  /** A beat was answered: the snapshot is new. */
  readonly changed: () => void;
  /** The registry lost everything: put all claims and replicas again, within BEAT_MS. */
  readonly wiped: () => void;
  /** The registry answers after it did not: renew all claims and replicas, within BEAT_MS. */
  readonly back: () => void;
  /** Another process beats under this node id: this one has to go. Called once, and never during `start`. */
  readonly taken: (why: Reason) => void;
}

export type MembershipState =
  | { readonly at: 'new' }
  | { readonly at: 'joined' }
  /** The registry does not answer. */
  | { readonly at: 'away'; readonly why: Reason }
  /** Another boot had the node id: its lease is waited for. */
  | { readonly at: 'waiting' }
  /** Another process has the node id. */
  | { readonly at: 'refused'; readonly why: Reason }
  | { readonly at: 'left' };

export class Membership {
  readonly #needs: MembershipNeeds;
  readonly #owner: Owner;
  readonly #snapshot = new NodeSnapshot();
  #state: MembershipState = { at: 'new' };
  #gen: string | undefined;
  #cursor: BeatCursor | undefined;
  #timer: Timer | undefined;
  #isBeating = false;
  /** Ends the wait of `start` for a lease. */
  #wake: (() => void) | undefined;
  /** Counters that metrics read. */
  beats = 0;
  failures = 0;
  wipes = 0;

  constructor(owner: Owner, needs: MembershipNeeds) {
    this.#owner = owner;
    this.#needs = needs;
  }

  get state(): MembershipState {
    return this.#state;
  }

  get table(): Table {
    return this.#snapshot.table;
  }

  /** The other nodes that beat, with what is left of their leases. */
  nodes(): NodeSeen[] {
    return this.#snapshot.list(this.#needs.clock.now());
  }

  /** Those, and those that fell silent of late, with a lease of 0. */
  known(): NodeSeen[] {
    return this.#snapshot.known(this.#needs.clock.now());
  }

  /** A process of another node says that it stops. */
  stops(boot: string): void {
    this.#snapshot.stops(boot);
  }

  /** Registry time, or the best guess at it: of the registry, of the peers, of the own wall clock. */
  registryWallMs(): number {
    const { registry, peersRegistryWallMs, clock } = this.#needs;
    return registry.registryWallMs() ?? peersRegistryWallMs() ?? clock.wallMs();
  }

  /**
   * Beats, and goes on to; with the registry away it goes on trying. An id in use is waited for, as long as a lease.
   * @throws TidewayError `registry.node-id-taken` if another process still beats under the id then
   */
  async start(): Promise<void> {
    let answer = await this.#beat();
    if (answer?.is === 'taken') {
      await this.#wait(answer.leaseMs + LEASE_MARGIN_MS);
      if (this.#state.at === 'left') return;
      answer = await this.#beat();
      if (answer?.is === 'taken') throw this.#refuse(answer.boot);
    }
    this.#schedule();
  }

  /** Beats at once, since the record changed; not while a beat is on its way, or an id is waited for. */
  beatNow(): void {
    const { at } = this.#state;
    if (this.#isBeating || (at !== 'joined' && at !== 'away')) return;
    this.#timer?.cancel();
    void this.#turn();
  }

  /** Takes the node out of the list, and beats no more. Calm when repeated, and with the registry away. */
  async leave(): Promise<void> {
    if (this.#state.at === 'left') return;
    const wasRefused = this.#state.at === 'refused';
    this.#state = { at: 'left' };
    this.#timer?.cancel();
    this.#wake?.();
    if (wasRefused) return;
    try {
      await this.#needs.registry.leave(this.#owner);
    } catch {
      // Its lease runs out.
      this.failures += 1;
    }
  }

  /** One beat, and what follows from its answer; undefined if there was none, or nobody needs it any more. */
  async #beat(): Promise<BeatAnswer | undefined> {
    let answer: BeatAnswer;
    this.#isBeating = true;
    try {
      answer = await this.#needs.registry.beat(this.#needs.record(), this.#cursor);
    } catch (error) {
      this.failures += 1;
      this.#away(error);
      return undefined;
    } finally {
      this.#isBeating = false;
    }
    if (this.#isOver) return undefined;
    this.beats += 1;
    if (answer.is === 'taken') this.#takenBy(answer);
    else this.#beaten(answer);
    return answer;
  }

  #beaten({ gen, cursor, changed }: Extract<BeatAnswer, { is: 'beaten' }>): void {
    const { clock, log } = this.#needs;
    const before = this.#state.at;
    const wasWiped = this.#gen !== undefined && this.#gen !== gen;
    this.#state = { at: 'joined' };
    this.#gen = gen;
    this.#cursor = cursor;
    this.#snapshot.apply(changed, clock.now());
    if (before === 'away') log.info({}, 'registry.back');
    if (wasWiped) {
      this.wipes += 1;
      log.warn({}, 'registry.wiped');
      this.#needs.wiped();
    } else if (before === 'away') this.#needs.back();
    this.#needs.changed();
  }

  #takenBy({ leaseMs }: Extract<BeatAnswer, { is: 'taken' }>): void {
    this.#state = { at: 'waiting' };
    this.#needs.log.warn({ waitMs: leaseMs }, 'registry.node-id-in-use');
  }

  #away(error: unknown): void {
    if (this.#isOver) return;
    const known = this.#state.at === 'away';
    const { code, message } = reasonOf(error);
    this.#state = { at: 'away', why: { code, message } };
    if (!known) this.#needs.log.warn({ code, detail: message }, 'registry.away');
  }

  #refuse(boot: string): TidewayError {
    const { node } = this.#owner;
    const message = `another process beats as node ${node}: stop it, or give this one another node.id`;
    const why = new TidewayError('registry.node-id-taken', message, { node, boot });
    this.#state = { at: 'refused', why };
    this.#needs.log.error({ code: why.code, detail: message }, 'registry.node-id-taken');
    return why;
  }

  /** What a turn of the clock does, once `start` is through. */
  async #turn(): Promise<void> {
    const startedMs = this.#needs.clock.now();
    const waited = this.#state.at === 'waiting';
    const answer = await this.#beat();
    if (answer?.is !== 'taken') return this.#schedule(this.#needs.clock.now() - startedMs);
    if (waited) return this.#needs.taken(this.#refuse(answer.boot));
    this.#timer = this.#needs.clock.after(answer.leaseMs + LEASE_MARGIN_MS, () => void this.#turn());
  }

  /** Sets the next beat, a tenth early or late. */
  #schedule(spentMs = 0): void {
    if (this.#isOver) return;
    const ms = this.#state.at === 'away' ? BEAT_RETRY_MS : BEAT_MS;
    const waitMs = Math.max(0, jittered(ms, this.#needs.random) - spentMs);
    this.#timer = this.#needs.clock.after(waitMs, () => void this.#turn());
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#needs.clock.after(ms, resolve);
    });
  }

  get #isOver(): boolean {
    return this.#state.at === 'left' || this.#state.at === 'refused';
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof TidewayError) return error;
  return { code: 'registry.answer', message: messageOf(error) };
}
