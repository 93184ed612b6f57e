// A guard around any registry: no call takes longer than it may, a registry that is away is left alone for a while, and
// lookups are remembered. It never tries anything again: its callers do.
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import {
  type BackupAnswer,
  type BackupRecord,
  type BeatAnswer,
  type BeatCursor,
  CALL_WITHIN_MS,
  type ClaimAnswer,
  type ClaimRequest,
  type Hint,
  type Lookup,
  type NodeRecord,
  type NodeSeen,
  type Owner,
  type Registry,
  type ReleaseAnswer,
  type RenewAnswer,
  type RenewRequest,
  type ReplicaRecord,
} from './registry.ts';

/** How long a registry that is away is not asked. */
export const DOWN_MS = 2_000;
/** A lookup this old is as good as a new one. */
export const FRESH_MS = 1_000;
/** A lookup this old is better than none. */
export const USABLE_MS = 600_000;
/** Lookups remembered; beyond it the one that was made first is forgotten. */
export const MAX_KEPT = 10_000;

/** `down`: calls fail at once. `trying`: one call is on its way to see whether it is up again. */
export type GuardState = 'up' | 'down' | 'trying';

interface Kept {
  readonly found: Lookup;
  readonly atMs: number;
  readonly isFresh: boolean;
}

export class GuardedRegistry implements Registry {
  readonly #inner: Registry;
  readonly #clock: Clock;
  readonly #kept = new Map<StreamKey, Kept>();
  /** Lookups that are under way; bounded by what the inner registry takes within CALL_WITHIN_MS. */
  readonly #flying = new Map<StreamKey, Promise<Lookup>>();
  #downUntilMs = 0;
  /** What the node shows; counters only grow. */
  state: GuardState = 'up';
  calls = 0;
  /** Calls that failed because the registry was away, timeouts among them. */
  failures = 0;
  timeouts = 0;
  /** Calls that were not made, because it was down. */
  spared = 0;
  freshHits = 0;
  /** Lookups answered from memory while it was away. */
  staleHits = 0;

  constructor(inner: Registry, deps: { clock: Clock }) {
    this.#inner = inner;
    this.#clock = deps.clock;
  }

  get tables(): Table[] {
    return [
      { table: 'registry_lookups', entries: this.#kept.size, limit: MAX_KEPT },
      { table: 'registry_lookups_under_way', entries: this.#flying.size, limit: undefined },
    ];
  }

  beat(record: NodeRecord, since?: BeatCursor): Promise<BeatAnswer> {
    return this.#guard(() => this.#inner.beat(record, since));
  }

  leave(owner: Owner): Promise<void> {
    return this.#guard(() => this.#inner.leave(owner));
  }

  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#changing(request.key, () => this.#inner.claim(request));
  }

  async renew(request: RenewRequest): Promise<RenewAnswer> {
    const answer = await this.#guard(() => this.#inner.renew(request));
    if (answer.is !== 'ok') this.forget(request.key);
    return answer;
  }

  release(claim: { key: StreamKey; owner: Owner; epoch: number }): Promise<ReleaseAnswer> {
    return this.#changing(claim.key, () => this.#inner.release(claim));
  }

  putReplica(key: StreamKey, replica: Omit<ReplicaRecord, 'leaseMs'>): Promise<void> {
    return this.#guard(() => this.#inner.putReplica(key, replica));
  }

  deleteReplica(key: StreamKey, owner: Owner): Promise<void> {
    return this.#changing(key, () => this.#inner.deleteReplica(key, owner));
  }

  putBackup(key: StreamKey, backup: Omit<BackupRecord, 'leaseMs'>): Promise<BackupAnswer> {
    return this.#guard(() => this.#inner.putBackup(key, backup));
  }

  deleteBackup(key: StreamKey, owner: Owner): Promise<void> {
    return this.#changing(key, () => this.#inner.deleteBackup(key, owner));
  }

  /**
   * Answered from memory if that is fresh, or if the registry is away and a source was known within USABLE_MS;
   * `ageMs` tells. Those who ask for the same stream at once share one call.
   */
  async lookup(key: StreamKey): Promise<Lookup> {
    const kept = this.#kept.get(key);
    if (kept?.isFresh && this.#clock.now() - kept.atMs < FRESH_MS) {
      this.freshHits += 1;
      return this.#aged(kept);
    }
    try {
      return await (this.#flying.get(key) ?? this.#fly(key));
    } catch (error) {
      if (!kept || !isAway(error) || !hasSource(kept.found)) throw error;
      if (this.#clock.now() - kept.atMs >= USABLE_MS) throw error;
      this.staleHits += 1;
      return this.#aged(kept);
    }
  }

  /** What is remembered of a stream, USABLE_MS old at most; asks nobody. */
  remembered(key: StreamKey): Lookup | undefined {
    const kept = this.#kept.get(key);
    return kept && this.#clock.now() - kept.atMs < USABLE_MS ? this.#aged(kept) : undefined;
  }

  nodes(): Promise<readonly NodeSeen[]> {
    return this.#guard(() => this.#inner.nodes());
  }

  streams(limit: number): Promise<readonly StreamKey[]> {
    return this.#guard(() => this.#inner.streams(limit));
  }

  subscribe(hear: (hint: Hint) => void): () => void {
    return this.#inner.subscribe(hear);
  }

  registryWallMs(): number | undefined {
    return this.#inner.registryWallMs();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** The next lookup of the stream asks the registry; what was known stays for an outage. */
  forget(key: StreamKey): void {
    const kept = this.#kept.get(key);
    if (kept) this.#kept.set(key, { ...kept, isFresh: false });
    this.#flying.delete(key);
  }

  async #changing<T>(key: StreamKey, call: () => Promise<T>): Promise<T> {
    try {
      return await this.#guard(call);
    } finally {
      this.forget(key);
    }
  }

  #fly(key: StreamKey): Promise<Lookup> {
    const flight = this.#guard(() => this.#inner.lookup(key)).then((found) => {
      // After a `forget` it may be news of yesterday.
      if (this.#flying.get(key) === flight) this.#keep(key, found);
      return found;
    });
    this.#flying.set(key, flight);
    const land = () => {
      if (this.#flying.get(key) === flight) this.#flying.delete(key);
    };
    flight.then(land, land);
    return flight;
  }

  #keep(key: StreamKey, found: Lookup): void {
    this.#kept.delete(key);
    this.#kept.set(key, { found, atMs: this.#clock.now(), isFresh: true });
    for (const first of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(first);
    }
  }

  #aged({ found, atMs }: Kept): Lookup {
    return { ...found, ageMs: this.#clock.now() - atMs };
  }

  async #guard<T>(call: () => Promise<T>): Promise<T> {
    if (this.state === 'trying' || (this.state === 'down' && this.#clock.now() < this.#downUntilMs)) {
      this.spared += 1;
      throw new TidewayError('registry.down', 'the registry was away a moment ago: it is asked again soon');
    }
    const isTry = this.state === 'down';
    if (isTry) this.state = 'trying';
    this.calls += 1;
    try {
      const answer = await this.#within(call());
      this.state = 'up';
      return answer;
    } catch (error) {
      if (isAway(error)) this.#fail(isTry);
      else this.state = 'up';
      throw error;
    }
  }

  /** A call that began before the registry was found to be down doesn't prolong that. */
  #fail(isTry: boolean): void {
    this.failures += 1;
    if (this.state !== 'up' && !isTry) return;
    this.state = 'down';
    this.#downUntilMs = this.#clock.now() + DOWN_MS;
  }

  #within<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const expire = () => {
        this.timeouts += 1;
        const message = `the registry did not answer within ${CALL_WITHIN_MS} ms`;
        reject(new TidewayError('registry.timeout', message, { withinMs: CALL_WITHIN_MS }));
      };
      // If it was us who were late, the answer is there: this turn reads it first.
      let timer = this.#clock.after(CALL_WITHIN_MS, () => {
        timer = this.#clock.soon(expire);
      });
      call.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

/** Did a call fail because the registry is away, rather than because of what was asked? */
export function isAway(error: unknown): boolean {
  return error instanceof TidewayError && /^registry\.(unavailable|timeout|down)$/.test(error.code);
}

function hasSource({ origin, replicas }: Lookup): boolean {
  return origin !== undefined || replicas.length > 0;
}
