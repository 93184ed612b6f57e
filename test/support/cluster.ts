// Nodes in processes of their own with one Redis, all on this machine, and a fault proxy before each door that nodes use
// among themselves: their mesh ports, and each node's way to Redis. It starts all, and leaves nothing behind.
import { FaultProxy } from './fault-proxy.ts';
import { freePort } from './free-ports.ts';
import { NodeProcess } from './node-process.ts';
import { RedisServer } from './redis-server.ts';

export interface ClusterOptions {
  /** Ids of the nodes. Of two nodes the lower id dials, so that faults of one are best given to the highest. */
  readonly ids: readonly string[];
  /** Flags of all nodes, by key path. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Flags of one node. */
  readonly nodeSettings?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** `redis`: a server that the cluster starts; `memory`: none, for nodes that stand alone and have no mesh. */
  readonly registry?: 'redis' | 'memory' | RedisServer;
  /** In 0..1; for jitter. */
  readonly random?: () => number;
}

const SECRET = '5ec2e7'.repeat(11);

/** A node, and the proxies before its mesh port and on its way to Redis. */
export interface Member {
  readonly node: NodeProcess;
  /** What others reach its mesh by. */
  readonly mesh: FaultProxy;
  readonly toRedis: FaultProxy;
}

export class Cluster implements AsyncDisposable {
  readonly #members = new Map<string, Member>();
  #redis: RedisServer | undefined;
  #ownsRedis = false;

  private constructor() {}

  /** Starts all nodes at once; resolves when all are ready. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster();
    try {
      await cluster.#start(options);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get redis(): RedisServer {
    if (!this.#redis) throw new Error('this cluster has no Redis');
    return this.#redis;
  }

  get nodes(): readonly NodeProcess[] {
    return [...this.#members.values()].map(({ node }) => node);
  }

  get ids(): readonly string[] {
    return [...this.#members.keys()];
  }

  node(id: string): NodeProcess {
    return this.member(id).node;
  }

  member(id: string): Member {
    const member = this.#members.get(id);
    if (!member) throw new Error(`there is no node ${id}`);
    return member;
  }

  /** Starts a node again that was killed or stopped, under its id; resolves when it is ready. */
  async restart(id: string): Promise<void> {
    await this.#startMember(this.member(id));
  }

  /** Between nodes of different groups no byte of the mesh passes; connections stay open. A node in no group is left alone. */
  partition(groups: readonly (readonly string[])[], how: 'stall' | 'swallow' = 'stall'): void {
    for (const group of groups) {
      const others = groups.filter((each) => each !== group).flat();
      for (const id of group) {
        for (const other of others) {
          this.member(id).mesh.blackhole({ from: this.member(other).node.dialFrom ?? '' }, how);
        }
      }
    }
  }

  /** One node against all others. */
  isolate(id: string, how: 'stall' | 'swallow' = 'stall'): void {
    this.partition([[id], this.ids.filter((each) => each !== id)], how);
  }

  /** Takes back every fault of the mesh and of the ways to Redis. */
  heal(): void {
    for (const { mesh, toRedis } of this.#members.values()) {
      mesh.heal();
      toRedis.heal();
    }
  }

  /** Bytes between any two nodes are late by up to so much, in order. */
  jitter(jitterMs: number): void {
    for (const { mesh } of this.#members.values()) mesh.shape({ jitterMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#members.values()].map(async ({ node, mesh, toRedis }) => {
        await node.kill();
        await mesh[Symbol.asyncDispose]();
        await toRedis[Symbol.asyncDispose]();
      }),
    );
    if (this.#ownsRedis) await this.#redis?.[Symbol.asyncDispose]();
  }

  async #start({
    ids,
    settings,
    nodeSettings,
    registry = 'redis',
    random = Math.random,
  }: ClusterOptions): Promise<void> {
    if (registry === 'redis') {
      this.#redis = await RedisServer.start({ port: await freePort() });
      this.#ownsRedis = true;
    } else if (registry !== 'memory') {
      this.#redis = registry;
    }
    for (const [at, id] of ids.entries()) {
      const mesh = await FaultProxy.start({ random });
      const toRedis = await FaultProxy.start({
        random,
        ...(this.#redis && { targetPort: this.#redis.port }),
      });
      const clustered = {
        'registry.url': `redis://127.0.0.1:${toRedis.port}`,
        'mesh.secret': SECRET,
        'mesh.advertise': `127.0.0.1:${mesh.port}`,
      };
      const node = new NodeProcess({
        id,
        settings: { ...(this.#redis && clustered), ...settings, ...nodeSettings?.[id] },
        dialFrom: `127.0.1.${at + 1}`,
      });
      this.#members.set(id, { node, mesh, toRedis });
    }
    await Promise.all([...this.#members.values()].map((member) => this.#startMember(member)));
  }

  async #startMember({ node, mesh }: Member): Promise<void> {
    await node.start();
    if (node.meshPort > 0) mesh.target(node.meshPort);
    await node.ready();
  }
}
