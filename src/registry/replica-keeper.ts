// Keeps this node's replicas in the registry, so that other nodes find them. At most one call is on its way for each
// stream; nothing waits for any of them.
import { type Clock, jittered, type Timer } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Owner, Registry, ReplicaRecord } from './registry.ts';

export const REPLICA_RENEW_MS = 10_000;
/** After a call that failed: one while the registry is known to be down costs nothing (guarded.ts). */
export const REPLICA_RETRY_MS = 1_000;
/** A replica that moves about in the tree tells the registry at most this often. */
export const REPLICA_UPDATE_MS = 200;

/** Where a replica is in the stream's tree. */
export type ReplicaPlace = Pick<ReplicaRecord, 'epoch' | 'hops' | 'upstream'>;

export interface ReplicaKeeperNeeds {
  readonly owner: Owner;
  readonly registry: Pick<Registry, 'putReplica' | 'deleteReplica'>;
  readonly clock: Clock;
  /** 0 to 1: spreads the renewals of many replicas. */
  readonly random: () => number;
}

interface Kept {
  /** Undefined: it is to be taken out. */
  place: ReplicaPlace | undefined;
  /** A call is on its way. */
  isCalling: boolean;
  /** `place` changed since it was last sent. */
  isNew: boolean;
  timer: Timer | undefined;
}

export class ReplicaKeeper {
  readonly #needs: ReplicaKeeperNeeds;
  /** Bounded by limits.streams, and by the deletions that are on their way. */
  readonly #kept = new Map<StreamKey, Kept>();
  /** Counters that metrics read. */
  puts = 0;
  failures = 0;

  constructor(needs: ReplicaKeeperNeeds) {
    this.#needs = needs;
  }

  /** Replicas that are kept. */
  get count(): number {
    let count = 0;
    for (const { place } of this.#kept.values()) if (place) count += 1;
    return count;
  }

  get table(): Table {
    return { table: 'registered_replicas', entries: this.#kept.size, limit: undefined };
  }

  /** Registers a replica at once, or tells within REPLICA_UPDATE_MS that it moved. */
  keep(key: StreamKey, place: ReplicaPlace): void {
    const known = this.#kept.get(key);
    if (known?.place && isSame(known.place, place)) return;
    const kept = known ?? { place, isCalling: false, isNew: false, timer: undefined };
    const isAdded = !known?.place;
    this.#kept.set(key, kept);
    kept.place = place;
    if (isAdded) {
      kept.isNew = true;
      this.#call(key, kept);
    } else if (!kept.isNew) {
      kept.isNew = true;
      this.#schedule(key, kept, REPLICA_UPDATE_MS);
    }
  }

  /** Takes a replica out. If that fails, its lease runs out. Calm when repeated. */
  drop(key: StreamKey): void {
    const kept = this.#kept.get(key);
    if (!kept?.place) return;
    kept.place = undefined;
    kept.isNew = true;
    this.#call(key, kept);
  }

  /** Puts each at a random moment of the next `ms`: the registry was wiped, or is back. */
  renewAllWithin(ms: number): void {
    for (const [key, kept] of this.#kept) {
      if (!kept.place) continue;
      kept.isNew = true;
      this.#schedule(key, kept, ms * this.#needs.random());
    }
  }

  /** Takes all out. */
  close(): void {
    for (const key of [...this.#kept.keys()]) this.drop(key);
  }

  #call(key: StreamKey, kept: Kept): void {
    kept.timer?.cancel();
    if (!kept.isCalling) void this.#send(key, kept);
  }

  async #send(key: StreamKey, kept: Kept): Promise<void> {
    const { registry, owner } = this.#needs;
    const { place } = kept;
    kept.isCalling = true;
    kept.isNew = false;
    let isDone = false;
    try {
      if (place) await registry.putReplica(key, { ...owner, ...place });
      else await registry.deleteReplica(key, owner);
      isDone = true;
      if (place) this.puts += 1;
    } catch {
      this.failures += 1;
    }
    kept.isCalling = false;
    if (!kept.place && !place) this.#kept.delete(key);
    else if (!kept.place || !place) this.#call(key, kept);
    else if (!isDone) this.#schedule(key, kept, REPLICA_RETRY_MS);
    else if (kept.isNew) this.#schedule(key, kept, REPLICA_UPDATE_MS);
    else this.#schedule(key, kept, jittered(REPLICA_RENEW_MS, this.#needs.random));
  }

  #schedule(key: StreamKey, kept: Kept, ms: number): void {
    kept.timer?.cancel();
    kept.timer = this.#needs.clock.after(ms, () => this.#call(key, kept));
  }
}

function isSame(a: ReplicaPlace, b: ReplicaPlace): boolean {
  return a.epoch === b.epoch && a.hops === b.hops && a.upstream === b.upstream;
}
