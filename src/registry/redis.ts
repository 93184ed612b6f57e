// The registry in Redis. Each call is one Lua script with one hash tag, so that it is atomic and works in a Cluster;
// what is decided, is decided by Redis's time (lua/*.lua, docs/decisions/0006-registry-in-redis.md).
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { Cluster } from 'ioredis';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { NodeSnapshot } from './node-snapshot.ts';
import {
  MAX_NODE_RECORD_BYTES,
  MAX_NODES,
  MAX_REPLICAS,
  readEpoch,
  readToken,
  readWhole,
} from './records.ts';
import {
  backupOf,
  badAnswer,
  nodesOf,
  originOf,
  readAnswer,
  registryError,
  replicasOf,
} from './redis-answers.ts';
import type { RedisClient } from './redis-client.ts';
import { RedisHints } from './redis-hints.ts';
import { type RedisScripts, SCRIPT_KEYS, SCRIPT_NAMES, type ScriptName } from './redis-scripts.ts';
import {
  type BackupAnswer,
  type BackupRecord,
  type BeatAnswer,
  type BeatCursor,
  CALL_WITHIN_MS,
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
  TOMBSTONE_MS,
} from './registry.ts';
import { StreamIndex } from './stream-index.ts';

export interface RedisRegistryOptions {
  /** What every key and channel starts with: no braces, which are for Cluster's hash tags. */
  readonly prefix: string;
}

export interface RedisRegistryNeeds {
  readonly clock: Clock;
  readonly scripts: RedisScripts;
  /** Opens a connection: one for calls, another for hints once somebody listens. */
  readonly connect: () => RedisClient;
}

type Call = (...args: readonly (string | number)[]) => Promise<unknown>;

export class RedisRegistry implements Registry {
  readonly #options: RedisRegistryOptions;
  readonly #clock: Clock;
  readonly #client: RedisClient;
  readonly #hints: RedisHints;
  readonly #index: StreamIndex;
  readonly #snapshot = new NodeSnapshot();
  /** The last Redis TIME that was answered, and when. */
  #sample: { readonly wallMs: number; readonly atMs: number } | undefined;
  /** The last beat: what was put before it by a process that it did not show is dead. */
  #beat: { readonly wallMs: number; readonly atMs: number } | undefined;
  #lastError = '';
  #isClosed = false;
  /** Resolves at the first connection that takes calls; never, if there is none. */
  readonly whenConnected: Promise<void>;

  constructor(options: RedisRegistryOptions, needs: RedisRegistryNeeds) {
    this.#options = options;
    this.#clock = needs.clock;
    this.#client = needs.connect();
    this.#client.on('error', (error: NodeJS.ErrnoException) => {
      this.#lastError = error.message || (error.code ?? '');
    });
    this.whenConnected = new Promise((resolve) => void this.#client.once('ready', resolve));
    for (const name of SCRIPT_NAMES) {
      this.#client.defineCommand(commandOf(name), {
        numberOfKeys: SCRIPT_KEYS[name],
        lua: needs.scripts[name],
      });
    }
    this.#index = new StreamIndex(this.#client, `${options.prefix}{ix:`);
    this.#hints = new RedisHints(this.#channel, {
      connect: needs.connect,
      registryWallMs: () => this.registryWallMs() ?? needs.clock.wallMs(),
    });
  }

  get tables(): Table[] {
    return [this.#index.table, { ...this.#snapshot.table, table: 'registry_nodes' }];
  }

  /** Is there a connection that takes calls? */
  get isConnected(): boolean {
    return this.#client.status === 'ready';
  }

  /** The address that this machine has towards Redis, and so perhaps towards other nodes; undefined while there is none. */
  get localAddress(): string | undefined {
    const [client] = this.#client instanceof Cluster ? this.#client.nodes('all') : [this.#client];
    return client?.stream instanceof Socket ? client.stream.localAddress : undefined;
  }

  async beat(record: NodeRecord, since?: BeatCursor): Promise<BeatAnswer> {
    const json = JSON.stringify(record);
    if (json.length > MAX_NODE_RECORD_BYTES) {
      throw new TidewayError(
        'registry.too-large',
        `a node record has at most ${MAX_NODE_RECORD_BYTES} bytes`,
      );
    }
    const { node, boot } = record;
    const { nowMs, rest } = await this.#call(
      'beat',
      [this.#nodesKey('z'), this.#nodesKey('gen'), this.#nodesKey(`n:${node}`)],
      [node, boot, json, NODE_LEASE_MS, since ?? '', newGeneration(), this.#nodesKey('n:'), MAX_NODES],
    );
    const [is, token, number, nodes] = rest;
    const held = { token: readToken(token), number: readWhole(number) };
    if (held.token === undefined || held.number === undefined) throw badAnswer('beat');
    if (is === 'taken') return { is, boot: held.token, leaseMs: held.number };
    if (is !== 'beaten') throw badAnswer('beat');
    const changed = nodesOf(nodes);
    this.#snapshot.apply([{ record, leaseMs: NODE_LEASE_MS }, ...changed], this.#clock.now());
    this.#beat = { wallMs: nowMs, atMs: this.#clock.now() };
    return { is, gen: held.token, cursor: held.number, changed };
  }

  async leave({ node, boot }: Owner): Promise<void> {
    await this.#call('leave', [this.#nodesKey('z'), this.#nodesKey(`n:${node}`)], [node, boot]);
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const untilMs = this.#clock.now() + CALL_WITHIN_MS;
    // An answer sets registry time right. So a claim that was late by a wrong time is not late again.
    const answer = (await this.#tryClaim(request, untilMs)) ?? (await this.#tryClaim(request, untilMs));
    if (answer) return answer;
    throw new TidewayError(
      'registry.unavailable',
      'the claim reached Redis too late, and was not carried out',
    );
  }

  async renew(request: RenewRequest): Promise<RenewAnswer> {
    const { key, owner, publisher, reason, epoch, state, standing } = request;
    const { nowMs, rest } = await this.#call('renew', this.#streamKeys(key, 'o', 'e'), [
      ...[
        owner.node,
        owner.boot,
        publisher,
        reason,
        epoch,
        state,
        standing,
        CLAIM_LEASE_MS,
        HIGHEST_EPOCH_MS,
      ],
    ]);
    const [is, origin, highest] = rest;
    if (is === 'ok' || is === 'healed') {
      this.#index.touch(key, nowMs);
      return { is };
    }
    if (is !== 'lost') throw badAnswer('renew');
    this.#index.drop(key);
    return { is, by: originOf(origin, nowMs), highestEpoch: readEpoch(highest, nowMs) ?? 0 };
  }

  async release(claim: { key: StreamKey; owner: Owner; epoch: number }): Promise<ReleaseAnswer> {
    const { key, owner, epoch } = claim;
    const { rest } = await this.#call('release', this.#streamKeys(key, 'o', 'e'), [
      ...[owner.node, owner.boot, epoch, TOMBSTONE_MS, HIGHEST_EPOCH_MS, this.#channel, key],
    ]);
    const [is] = rest;
    if (is !== 'released' && is !== 'lost') throw badAnswer('release');
    if (is === 'released') this.#index.remove(key);
    else this.#index.drop(key);
    return is;
  }

  async putReplica(key: StreamKey, replica: Omit<ReplicaRecord, 'leaseMs'>): Promise<void> {
    const { node, boot, epoch, hops, upstream } = replica;
    const args = [node, boot, epoch, hops, upstream, REPLICA_LEASE_MS, MAX_REPLICAS];
    await this.#call('replica-put', this.#streamKeys(key, 'r'), args);
  }

  async deleteReplica(key: StreamKey, { node, boot }: Owner): Promise<void> {
    await this.#call('replica-delete', this.#streamKeys(key, 'r'), [node, boot]);
  }

  async putBackup(key: StreamKey, backup: Omit<BackupRecord, 'leaseMs'>): Promise<BackupAnswer> {
    const { node, boot, publisher } = backup;
    const args = [node, boot, publisher, CLAIM_LEASE_MS];
    const { rest } = await this.#call('backup-put', this.#streamKeys(key, 'b'), args);
    const [is] = rest;
    if (is !== 'put' && is !== 'taken') throw badAnswer('backup-put');
    return is;
  }

  async deleteBackup(key: StreamKey, { boot }: Owner): Promise<void> {
    await this.#call('backup-delete', this.#streamKeys(key, 'b'), [boot]);
  }

  async lookup(key: StreamKey): Promise<Lookup> {
    const { nowMs, rest } = await this.#call('lookup', this.#streamKeys(key, 'o', 'e', 'r', 'b'), [
      MAX_REPLICAS,
    ]);
    const [origin, highest, replicas, backup] = rest;
    return {
      key,
      origin: originOf(origin, nowMs),
      replicas: replicasOf(replicas, nowMs).filter((replica) => !this.#isDead(replica, nowMs)),
      backup: backupOf(backup),
      highestEpoch: readEpoch(highest, nowMs) ?? 0,
      ageMs: 0,
    };
  }

  async nodes(): Promise<readonly NodeSeen[]> {
    const args = [NODE_LEASE_MS, this.#nodesKey('n:'), MAX_NODES];
    const { rest } = await this.#call('nodes', [this.#nodesKey('z')], args);
    return nodesOf(rest[0]);
  }

  async streams(limit: number): Promise<readonly StreamKey[]> {
    this.#checkOpen();
    try {
      return await this.#index.list(this.registryWallMs() ?? this.#clock.wallMs(), limit);
    } catch (cause) {
      throw registryError(cause, this.#lastError);
    }
  }

  subscribe(hear: (hint: Hint) => void): () => void {
    this.#checkOpen();
    return this.#hints.subscribe(hear);
  }

  registryWallMs(): number | undefined {
    return this.#sample && Math.floor(this.#sample.wallMs + this.#clock.now() - this.#sample.atMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#hints.close();
    this.#client.disconnect();
  }

  /** One try; undefined if it was found to come too late, by Redis or already here. */
  async #tryClaim(request: ClaimRequest, untilMs: number): Promise<ClaimAnswer | undefined> {
    const leftMs = untilMs - this.#clock.now();
    if (leftMs <= 0) return undefined;
    const { key, owner, publisher, reason, mode, minEpoch, tag } = request;
    const sentMs = this.registryWallMs();
    const deadline = sentMs === undefined ? '' : sentMs + Math.floor(leftMs);
    const { nowMs, rest } = await this.#call('claim', this.#streamKeys(key, 'o', 'e'), [
      ...[owner.node, owner.boot, publisher, reason, mode, minEpoch, tag, CLAIM_LEASE_MS, HIGHEST_EPOCH_MS],
      ...[deadline, this.#channel, key],
    ]);
    const [is, value] = rest;
    if (is === 'late') return undefined;
    if (is === 'taken') {
      const by = originOf(value, nowMs);
      if (!by) throw badAnswer('claim');
      return { is, by };
    }
    const epoch = readEpoch(value, nowMs);
    if (is !== 'granted' || epoch === undefined) throw badAnswer('claim');
    this.#index.touch(key, nowMs);
    return { is, epoch };
  }

  /**
   * A replica whose process did not beat when we last did. One that was put after that may be too new for us to know,
   * and after an outage we know nothing yet.
   */
  #isDead({ node, boot, leaseMs }: ReplicaRecord, registryWallMs: number): boolean {
    if (!this.#beat || this.#clock.now() - this.#beat.atMs >= NODE_LEASE_MS) return false;
    const putWallMs = registryWallMs + leaseMs - REPLICA_LEASE_MS;
    return putWallMs < this.#beat.wallMs && this.#snapshot.get(node, this.#beat.atMs)?.boot !== boot;
  }

  async #call(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]) {
    this.#checkOpen();
    try {
      const call = Reflect.get(this.#client, commandOf(name)) as Call;
      const answer = readAnswer(name, await call.apply(this.#client, [...keys, ...args]));
      this.#sample = { wallMs: answer.nowMs, atMs: this.#clock.now() };
      return answer;
    } catch (cause) {
      throw registryError(cause, this.#lastError);
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new TidewayError('registry.closed', 'the registry was closed');
  }

  #streamKeys(key: StreamKey, ...parts: readonly string[]): string[] {
    return parts.map((part) => `${this.#options.prefix}{st:${key}}:${part}`);
  }

  #nodesKey(part: string): string {
    return `${this.#options.prefix}{nodes}:${part}`;
  }

  get #channel(): string {
    return `${this.#options.prefix}ev:streams`;
  }
}

function commandOf(name: ScriptName): string {
  return `tideway-${name}`;
}

function newGeneration(): string {
  return randomBytes(8).toString('hex');
}
