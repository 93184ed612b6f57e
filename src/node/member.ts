// This node as a member of its cluster: the registry with all that is kept in it, what the cluster is told of the node,
// and whether that is in order. With the memory registry it is a cluster of one.
import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import type { Config } from '../config/schema.ts';
import { LoadProbe, type Traffic } from '../observe/load-probe.ts';
import { Claimant } from '../registry/claimant.ts';
import { epochTag } from '../registry/epoch.ts';
import type { GuardedRegistry } from '../registry/guarded.ts';
import { BEAT_MS, Membership } from '../registry/membership.ts';
import { type OpenedRegistry, openRegistry } from '../registry/open.ts';
import type { NodeLoad, NodeRecord, Owner } from '../registry/registry.ts';
import { ReplicaKeeper } from '../registry/replica-keeper.ts';
import { advertised, type DoorPorts, loopbackProblem, withoutPlainScheme } from './advertised.ts';
import { hostId } from './host-id.ts';

export interface MemberNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Where the doors listen now. */
  readonly ports: () => DoorPorts;
  readonly counts: () => Pick<NodeLoad, 'players' | 'publishers' | 'streams' | 'alarms'>;
  /** Of all doors and links; costs a look at each connection. */
  readonly traffic: () => Traffic;
  /** It takes nobody new, as it is emptied or stops. */
  readonly isDraining: () => boolean;
  /** Renew all claims within so many ms. */
  readonly renewClaimsWithin: (ms: number) => void;
  /** Another process has this node's id: stop. */
  readonly taken: (why: Reason) => void;
  /** Registry time as the linked peers have it. */
  readonly peersRegistryWallMs: () => number | undefined;
  /** Round trip to other regions, ms, by its links. */
  readonly rttMs: () => Readonly<Record<string, number>>;
  /** A beat was answered: look at the nodes of `membership`. */
  readonly nodesChanged: () => void;
}

/** How long a start waits for the first connection to the registry before it goes on without. */
const CONNECT_MS = 1_000;

export class Member {
  readonly owner: Owner;
  readonly registry: GuardedRegistry;
  readonly claimant: Claimant;
  readonly membership: Membership;
  readonly replicas: ReplicaKeeper;
  readonly load: LoadProbe;
  /** What it is known by in the cluster; where nodes have the same, they share a loopback. */
  readonly host = hostId();
  readonly #config: Config;
  readonly #needs: MemberNeeds;
  readonly #opened: OpenedRegistry;
  /** The last known: without a connection there is none, and it will hardly be another then. */
  #localAddress: string | undefined;
  #loopback: Reason | undefined;

  /** @throws TidewayError `registry.url` */
  constructor(config: Config, needs: MemberNeeds) {
    const { clock, log } = needs;
    this.#config = config;
    this.#needs = needs;
    this.owner = { node: config.node.id, boot: randomBytes(8).toString('hex') };
    this.#opened = openRegistry(config.registry, { clock });
    this.registry = this.#opened.registry;
    const { capacityMbps } = config.node;
    this.load = new LoadProbe({ capacityMbps }, { clock, traffic: needs.traffic });
    const { owner, registry } = this;
    this.replicas = new ReplicaKeeper({ owner, registry, clock, random: Math.random });
    this.membership = new Membership(owner, {
      ...{ registry, clock, log, random: Math.random },
      record: () => this.record(),
      peersRegistryWallMs: needs.peersRegistryWallMs,
      changed: () => this.#changed(),
      wiped: () => this.#renewAll(),
      back: () => this.#renewAll(),
      taken: needs.taken,
    });
    this.claimant = new Claimant(
      { owner, tag: epochTag(randomInt(2 ** 31)), whileAway: config.registry.whileAway },
      { registry, registryWallMs: () => this.membership.registryWallMs() },
    );
  }

  /**
   * Joins the cluster, before any door opens; with the registry away it goes on without, and joins later.
   * @throws TidewayError `registry.node-id-taken`
   */
  async start(): Promise<void> {
    this.load.start();
    await this.#opened.connected(CONNECT_MS);
    await this.membership.start();
  }

  /** Tells the cluster at once what changed of this node: its doors are open, or it stops. */
  tell(): void {
    this.membership.beatNow();
  }

  /** Leaves the cluster, and closes the registry: nothing asks it afterwards. */
  async stop(): Promise<void> {
    this.load.stop();
    this.replicas.close();
    await this.membership.leave();
    await this.registry.close();
  }

  get tables(): Table[] {
    return [...this.#opened.tables(), this.membership.table, this.replicas.table];
  }

  /** Why publishers and players had better go to another node; undefined: they need not. */
  get notReady(): Reason | undefined {
    const { state, beats } = this.membership;
    if (state.at === 'refused') return state.why;
    if (state.at === 'away' && beats === 0) return state.why;
    return this.#loopback;
  }

  /** What is wrong although the node serves: it may be so with all nodes, so no one should go elsewhere. */
  get trouble(): Reason | undefined {
    const { state } = this.membership;
    return state.at === 'away' ? state.why : undefined;
  }

  #renewAll(): void {
    this.#needs.renewClaimsWithin(BEAT_MS);
    this.replicas.renewAllWithin(BEAT_MS);
  }

  #changed(): void {
    const others = this.membership.nodes().map(({ record }) => record);
    const before = this.#loopback;
    this.#loopback = this.#opened.isShared
      ? loopbackProblem(this.#advertised(), this.host, others)
      : undefined;
    if (this.#loopback && !before) {
      this.#needs.log.warn({ detail: this.#loopback.message }, 'node.loopback-advertised');
    }
    this.#needs.nodesChanged();
  }

  #advertised() {
    const { host, mesh, rtmp, http } = this.#config;
    this.#localAddress = this.#opened.localAddress() ?? this.#localAddress;
    const options = { host, mesh: mesh.advertise, rtmp: rtmp.advertise, http: http.advertise };
    return advertised(options, this.#localAddress, this.#needs.ports());
  }

  /** What this node tells of itself. */
  record(): NodeRecord {
    return {
      ...this.owner,
      host: this.host,
      version: this.#needs.version,
      ...this.#advertised(),
      region: this.#config.node.region,
      zone: this.#config.node.zone,
      tags: this.#config.node.tags ?? [],
      rtmpInternal: withoutPlainScheme(this.#config.rtmp.advertiseInternal ?? ''),
      httpInternal: withoutPlainScheme(this.#config.http.advertiseInternal ?? ''),
      draining: this.#needs.isDraining(),
      load: { ...this.load.read(), ...this.#needs.counts() },
      rttMs: this.#needs.rttMs(),
    };
  }
}
