// The registry's interface: the shared directory of nodes, origins and replicas, and the arbiter of new claims. It is
// never on the media path. Drivers: memory.ts, redis.ts; guarded.ts around any of them. What a record must look like
// is in records.ts.
import type { StreamKey } from '../base/stream-key.ts';

/** The longest that a caller waits (guarded.ts). A claim that takes longer is not carried out. */
export const CALL_WITHIN_MS = 500;
/** A node that beat within this long is there. */
export const NODE_LEASE_MS = 4_000;
/** A claim, or a backup, that was renewed within this long stands. */
export const CLAIM_LEASE_MS = 10_000;
export const REPLICA_LEASE_MS = 30_000;
/** How long a release is remembered, so that a late renewal can't raise the dead. */
export const TOMBSTONE_MS = 60_000;
/** How long the highest epoch of a stream is remembered without a claim. */
export const HIGHEST_EPOCH_MS = 7 * 86_400_000;

/** One process: nodes keep their id over restarts, a boot is one life of it. */
export interface Owner {
  readonly node: string;
  /** 16 random hex digits, drawn at process start. */
  readonly boot: string;
}

/** What the origin has: a publisher, or players that wait for one. Anybody may claim a held stream. */
export type OriginState = 'live' | 'held';
/** `failover`: a backup took over from a silent primary, which then stands by instead of going. */
export type ClaimReason = 'publish' | 'failover';

/** A publisher's place: what is claimed. */
export interface Claim {
  readonly key: StreamKey;
  readonly owner: Owner;
  /** Names one publish, unique within the boot: a claim asked again with the same one is the same claim. */
  readonly publisher: string;
  readonly reason: ClaimReason;
}

export interface ClaimRequest extends Claim {
  /** What happens to a live origin on another node: it loses, or it keeps the stream. */
  readonly mode: 'takeover' | 'reject';
  /** The highest plausible epoch that the process has seen of any stream; the grant is above it. */
  readonly minEpoch: number;
  /** 12 random bits, drawn at process start. */
  readonly tag: number;
}

export interface RenewRequest extends Claim {
  readonly epoch: number;
  readonly state: OriginState;
  /** `provisional`: the node made the epoch itself while the registry was away. */
  readonly standing: 'granted' | 'provisional';
}

/** A stream's origin, as read: valid, and not expired when it was read. */
export interface OriginRecord extends Owner {
  readonly epoch: number;
  readonly publisher: string;
  readonly reason: ClaimReason;
  readonly state: OriginState;
  /** Registry time of the grant. */
  readonly sinceWallMs: number;
  /** How long it stood yet when it was read, ms. */
  readonly leaseMs: number;
}

export interface ReplicaRecord extends Owner {
  readonly epoch: number;
  /** Links between it and the origin, 1 to 16. */
  readonly hops: number;
  /** The node that it pulls from. */
  readonly upstream: string;
  readonly leaseMs: number;
}

/** A publisher that stands by on another node. */
export interface BackupRecord extends Owner {
  readonly publisher: string;
  readonly leaseMs: number;
}

/** What the registry knows of a stream. Everything in it was valid and alive `ageMs` ago. */
export interface Lookup {
  readonly key: StreamKey;
  readonly origin: OriginRecord | undefined;
  /** Without those whose node does not beat; at most MAX_REPLICAS. */
  readonly replicas: readonly ReplicaRecord[];
  readonly backup: BackupRecord | undefined;
  /** The highest epoch ever granted, as far as the registry remembers; 0 if none. */
  readonly highestEpoch: number;
  /** 0 from a driver; more from a cache. */
  readonly ageMs: number;
}

/** What a node tells of itself with each beat. At most MAX_NODE_RECORD_BYTES as JSON. */
export interface NodeRecord extends Owner {
  /** Of the machine: nodes of one host may reach each other over loopback. */
  readonly host: string;
  readonly version: string;
  /** "host:port" for other nodes, best first; at most 8. */
  readonly mesh: readonly string[];
  /** "host:port" for players and publishers, "rtmps://…" or "https://…" with TLS, empty where that door is shut. */
  readonly rtmp: string;
  readonly http: string;
  /** The same for those within the cluster's own network, empty where that is no other. */
  readonly rtmpInternal: string;
  readonly httpInternal: string;
  readonly region: string;
  readonly zone: string;
  /** At most 16, of up to 64 characters. */
  readonly tags: readonly string[];
  readonly draining: boolean;
  readonly load: NodeLoad;
  /** Round trip from it to other regions, ms: the median of its links into each; at most MAX_RTT_REGIONS. */
  readonly rttMs: Readonly<Record<string, number>>;
}

export interface NodeLoad {
  /** Of the container, else of the host, 0 to 1. */
  readonly cpu: number;
  readonly memory: number;
  /** Of its time, how much the event loop was busy, 0 to 1. */
  readonly loopBusy: number;
  /** What the worst in a hundred turns of the event loop was late. */
  readonly loopLagMs: number;
  readonly sentBytesPerS: number;
  readonly receivedBytesPerS: number;
  /** What the node may send; 0 if nobody knows. */
  readonly capacityBytesPerS: number;
  readonly players: number;
  readonly publishers: number;
  readonly streams: number;
  /** Alarms that last. */
  readonly alarms: number;
}

/** A node, and how long its last beat counts yet. */
export interface NodeSeen {
  readonly record: NodeRecord;
  readonly leaseMs: number;
}

/** Where a node is in the row of changed records: from its last beat's answer. */
export type BeatCursor = number;

export type BeatAnswer =
  | {
      readonly is: 'beaten';
      /** A changed value says that the registry was wiped: put everything again. */
      readonly gen: string;
      readonly cursor: BeatCursor;
      /** Other nodes that beat since the caller's cursor. */
      readonly changed: readonly NodeSeen[];
    }
  /** Another boot beats under this node id. */
  | { readonly is: 'taken'; readonly boot: string; readonly leaseMs: number };

export type ClaimAnswer =
  | { readonly is: 'granted'; readonly epoch: number }
  /** There is a live origin on another node, and the mode was `reject`. */
  | { readonly is: 'taken'; readonly by: OriginRecord };

export type RenewAnswer =
  | { readonly is: 'ok' }
  /** The registry had lost it, and has it again, with the same epoch. */
  | { readonly is: 'healed' }
  /** It is over: step down. `by` is who has the stream, if anybody does. */
  | { readonly is: 'lost'; readonly by: OriginRecord | undefined; readonly highestEpoch: number };

/** `lost`: it was not the caller's to release; nothing changed. */
export type ReleaseAnswer = 'released' | 'lost';

/** `taken`: another process's backup stands by already. */
export type BackupAnswer = 'put' | 'taken';

/** News that may come late, twice, or never. */
export interface Hint {
  readonly is: 'claimed' | 'released';
  readonly key: StreamKey;
  readonly epoch: number;
  readonly node: string;
}

/**
 * Every call throws TidewayError `registry.*` when the registry is away or answers nonsense; a call that failed may
 * still be carried out.
 */
export interface Registry {
  /**
   * Keeps a node in the list, for NODE_LEASE_MS.
   * @param since the cursor of the node's last beat; without it all nodes are answered
   */
  beat(record: NodeRecord, since?: BeatCursor): Promise<BeatAnswer>;
  /** Takes a node out of the list, if it is this boot's. */
  leave(owner: Owner): Promise<void>;
  /** Asks for an epoch above all that are known of the stream. The same claim, asked twice, has one answer. */
  claim(request: ClaimRequest): Promise<ClaimAnswer>;
  renew(request: RenewRequest): Promise<RenewAnswer>;
  /** Gives a claim back, and remembers that for TOMBSTONE_MS. */
  release(claim: {
    readonly key: StreamKey;
    readonly owner: Owner;
    readonly epoch: number;
  }): Promise<ReleaseAnswer>;
  /** Keeps a replica in the stream's list, for REPLICA_LEASE_MS. A lower epoch of an earlier boot is ignored. */
  putReplica(key: StreamKey, replica: Omit<ReplicaRecord, 'leaseMs'>): Promise<void>;
  /** Ignored if the replica is another boot's. */
  deleteReplica(key: StreamKey, owner: Owner): Promise<void>;
  /** Keeps the backup of a stream, for CLAIM_LEASE_MS. */
  putBackup(key: StreamKey, backup: Omit<BackupRecord, 'leaseMs'>): Promise<BackupAnswer>;
  deleteBackup(key: StreamKey, owner: Owner): Promise<void>;
  lookup(key: StreamKey): Promise<Lookup>;
  /** All nodes that beat; at most MAX_NODES. */
  nodes(): Promise<readonly NodeSeen[]>;
  /** Streams that were claimed or renewed of late, best effort: look them up. */
  streams(limit: number): Promise<readonly StreamKey[]>;
  /** @returns ends the subscription; calm when repeated */
  subscribe(hear: (hint: Hint) => void): () => void;
  /** Registry time as far as the driver knows it, ms since 1970; undefined before the first answer. */
  registryWallMs(): number | undefined;
  /** Every call after it throws `registry.closed`. Calm when repeated. */
  close(): Promise<void>;
}
