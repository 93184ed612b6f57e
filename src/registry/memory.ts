// The registry of one process: for a single node, and for tests with several nodes over one MemoryState. Time is the
// clock's; nothing leaves the process.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { type OriginRules, type OriginSlot, originRules, standing, type Verdict } from './origin-rules.ts';
import { MAX_NODES, MAX_REPLICAS } from './records.ts';
import {
  type BackupAnswer,
  type BackupRecord,
  type BeatAnswer,
  type BeatCursor,
  CLAIM_LEASE_MS,
  type ClaimAnswer,
  type ClaimRequest,
  HIGHEST_EPOCH_MS,
  type Hint,
  type Lookup,
  NODE_LEASE_MS,
  type NodeRecord,
  type NodeSeen,
  type Owner,
  REPLICA_LEASE_MS,
  type Registry,
  type ReleaseAnswer,
  type RenewAnswer,
  type RenewRequest,
  type ReplicaRecord,
} from './registry.ts';

type Leased<R> = Omit<R, 'leaseMs'> & { readonly expiresMs: number };

interface StreamSlot {
  readonly origin: OriginSlot;
  readonly replicas: ReadonlyMap<string, Leased<ReplicaRecord>>;
  readonly backup: Leased<BackupRecord> | undefined;
  readonly touchedMs: number;
}

const EMPTY: StreamSlot = {
  origin: { entry: undefined, highest: 0 },
  replicas: new Map(),
  backup: undefined,
  touchedMs: 0,
};
/** Streams remembered at once; beyond it the one that was idle for longest is forgotten. */
const MAX_STREAMS = 100_000;

/** What a MemoryRegistry keeps; several may share it. */
export class MemoryState {
  /** In order of last touch; values are replaced, never changed. */
  readonly streams = new Map<StreamKey, StreamSlot>();
  readonly nodes = new Map<string, { readonly record: NodeRecord; readonly beatMs: number }>();
  readonly listeners = new Set<(hint: Hint) => void>();
  gen = newGeneration();

  /** Forgets everything, as a wiped registry does. */
  wipe(): void {
    this.streams.clear();
    this.nodes.clear();
    this.gen = newGeneration();
  }
}

export class MemoryRegistry implements Registry {
  readonly #state: MemoryState;
  readonly #rules: OriginRules;
  readonly #clock: Clock;
  /** Wall time when the clock stood at 0: registry time goes on steadily, whatever people do to the wall clock. */
  readonly #zeroWallMs: number;
  readonly #unsubscribes = new Set<() => void>();
  #isClosed = false;

  constructor(deps: { clock: Clock; state?: MemoryState; rules?: OriginRules }) {
    this.#clock = deps.clock;
    this.#state = deps.state ?? new MemoryState();
    this.#rules = deps.rules ?? originRules;
    this.#zeroWallMs = deps.clock.wallMs() - deps.clock.now();
  }

  get tables(): Table[] {
    const { streams, nodes } = this.#state;
    return [
      { table: 'registry_streams', entries: streams.size, limit: MAX_STREAMS },
      { table: 'registry_nodes', entries: nodes.size, limit: undefined },
    ];
  }

  async beat(record: NodeRecord, since?: BeatCursor): Promise<BeatAnswer> {
    const nowMs = this.#now();
    const { nodes } = this.#state;
    const known = nodes.get(record.node);
    const leaseMs = known ? known.beatMs + NODE_LEASE_MS - nowMs : 0;
    if (known && known.record.boot !== record.boot && leaseMs > 0) {
      return { is: 'taken', boot: known.record.boot, leaseMs };
    }
    for (const [id, { beatMs }] of nodes) if (beatMs + NODE_LEASE_MS <= nowMs) nodes.delete(id);
    nodes.set(record.node, { record, beatMs: nowMs });
    const from = since === undefined || since > nowMs ? 0 : since;
    const changed = this.#seen(nowMs).filter(
      ({ record: { node }, leaseMs: left }) => node !== record.node && nowMs + left - NODE_LEASE_MS >= from,
    );
    return { is: 'beaten', gen: this.#state.gen, cursor: nowMs, changed };
  }

  async leave({ node, boot }: Owner): Promise<void> {
    this.#now();
    if (this.#state.nodes.get(node)?.record.boot === boot) this.#state.nodes.delete(node);
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const answer = this.#judge(request.key, (slot, nowMs) => this.#rules.claim(slot, request, nowMs));
    if (answer.is === 'granted') this.#tell('claimed', request.key, answer.epoch, request.owner);
    return answer;
  }

  async renew(request: RenewRequest): Promise<RenewAnswer> {
    return this.#judge(request.key, (slot, nowMs) => this.#rules.renew(slot, request, nowMs));
  }

  async release(claim: { key: StreamKey; owner: Owner; epoch: number }): Promise<ReleaseAnswer> {
    const answer = this.#judge(claim.key, (slot, nowMs) => this.#rules.release(slot, claim, nowMs));
    if (answer === 'released') this.#tell('released', claim.key, claim.epoch, claim.owner);
    return answer;
  }

  async putReplica(key: StreamKey, replica: Omit<ReplicaRecord, 'leaseMs'>): Promise<void> {
    const nowMs = this.#now();
    const slot = this.#slot(key);
    const replicas = new Map([...slot.replicas].filter(([, { expiresMs }]) => expiresMs > nowMs));
    const known = replicas.get(replica.node);
    if (known ? known.boot !== replica.boot && known.epoch > replica.epoch : replicas.size >= MAX_REPLICAS)
      return;
    replicas.set(replica.node, { ...replica, expiresMs: nowMs + REPLICA_LEASE_MS });
    this.#keep(key, { ...slot, replicas }, nowMs);
  }

  async deleteReplica(key: StreamKey, { node, boot }: Owner): Promise<void> {
    const nowMs = this.#now();
    const slot = this.#slot(key);
    if (slot.replicas.get(node)?.boot !== boot) return;
    const replicas = new Map([...slot.replicas].filter(([id]) => id !== node));
    this.#keep(key, { ...slot, replicas }, nowMs);
  }

  async putBackup(key: StreamKey, backup: Omit<BackupRecord, 'leaseMs'>): Promise<BackupAnswer> {
    const nowMs = this.#now();
    const slot = this.#slot(key);
    const known = slot.backup;
    const isOther = known?.boot !== backup.boot && known?.node !== backup.node;
    if (known && isOther && known.expiresMs > nowMs) return 'taken';
    this.#keep(key, { ...slot, backup: { ...backup, expiresMs: nowMs + CLAIM_LEASE_MS } }, nowMs);
    return 'put';
  }

  async deleteBackup(key: StreamKey, { boot }: Owner): Promise<void> {
    const nowMs = this.#now();
    const slot = this.#slot(key);
    if (slot.backup?.boot === boot) this.#keep(key, { ...slot, backup: undefined }, nowMs);
  }

  async lookup(key: StreamKey): Promise<Lookup> {
    const nowMs = this.#now();
    const { origin, replicas, backup } = this.#slot(key);
    const beating = new Set(this.#seen(nowMs).map(({ record }) => record.node));
    return {
      key,
      origin: standing(origin.entry, nowMs),
      replicas: [...replicas.values()].flatMap((replica) =>
        beating.has(replica.node) ? (leasedAt(replica, nowMs) ?? []) : [],
      ),
      backup: backup && leasedAt(backup, nowMs),
      highestEpoch: origin.highest,
      ageMs: 0,
    };
  }

  async nodes(): Promise<readonly NodeSeen[]> {
    return this.#seen(this.#now()).slice(0, MAX_NODES);
  }

  async streams(limit: number): Promise<readonly StreamKey[]> {
    const nowMs = this.#now();
    return [...this.#state.streams]
      .filter(([, { origin }]) => standing(origin.entry, nowMs))
      .slice(0, limit)
      .map(([key]) => key);
  }

  subscribe(hear: (hint: Hint) => void): () => void {
    this.#now();
    // A listener of its own, so that hearing twice is ending twice.
    const listener = (hint: Hint) => hear(hint);
    const unsubscribe = () => {
      this.#state.listeners.delete(listener);
      this.#unsubscribes.delete(unsubscribe);
    };
    this.#state.listeners.add(listener);
    this.#unsubscribes.add(unsubscribe);
    return unsubscribe;
  }

  registryWallMs(): number {
    return Math.floor(this.#zeroWallMs + this.#clock.now());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
  }

  #now(): number {
    if (this.#isClosed) throw new TidewayError('registry.closed', 'the registry was closed');
    return this.registryWallMs();
  }

  #judge<A>(key: StreamKey, judge: (slot: OriginSlot, nowMs: number) => Verdict<A>): A {
    const nowMs = this.#now();
    const slot = this.#slot(key);
    const verdict = judge(slot.origin, nowMs);
    if (verdict.slot !== slot.origin) this.#keep(key, { ...slot, origin: verdict.slot }, nowMs);
    return verdict.answer;
  }

  #slot(key: StreamKey): StreamSlot {
    return this.#state.streams.get(key) ?? EMPTY;
  }

  #keep(key: StreamKey, slot: StreamSlot, nowMs: number): void {
    const { streams } = this.#state;
    streams.delete(key);
    streams.set(key, { ...slot, touchedMs: nowMs });
    for (const [oldest, { touchedMs }] of streams) {
      if (streams.size <= MAX_STREAMS && nowMs - touchedMs < HIGHEST_EPOCH_MS) break;
      streams.delete(oldest);
    }
  }

  #seen(nowMs: number): NodeSeen[] {
    return [...this.#state.nodes.values()].flatMap(({ record, beatMs }) => {
      const leaseMs = beatMs + NODE_LEASE_MS - nowMs;
      return leaseMs > 0 ? [{ record, leaseMs }] : [];
    });
  }

  #tell(is: Hint['is'], key: StreamKey, epoch: number, { node }: Owner): void {
    for (const hear of [...this.#state.listeners]) hear({ is, key, epoch, node });
  }
}

function leasedAt<R extends { readonly expiresMs: number }>(
  { expiresMs, ...record }: R,
  nowMs: number,
): (Omit<R, 'expiresMs'> & { readonly leaseMs: number }) | undefined {
  return expiresMs > nowMs ? { ...record, leaseMs: expiresMs - nowMs } : undefined;
}

function newGeneration(): string {
  return randomBytes(8).toString('hex');
}
