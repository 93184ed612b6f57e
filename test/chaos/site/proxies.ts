// The ways between nodes where there are no namespaces: all on 127.0.0.1, a fault proxy before each mesh port and each door of
// Redis, and an address of its own for each node to dial from.
import { FaultProxy } from '../../support/fault-proxy.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import type { CutHow } from '../site.ts';
import type { NodePlace, SiteNetwork } from './site-network.ts';

interface Place {
  /** What others reach its mesh by. */
  readonly mesh: FaultProxy;
  readonly address: string;
}

export class ProxyNetwork implements SiteNetwork {
  readonly redisHost = '127.0.0.1';
  readonly #random: () => number;
  readonly #places = new Map<string, Place>();
  readonly #redisDoors: FaultProxy[] = [];

  private constructor(random: () => number) {
    this.#random = random;
  }

  static async open(ids: readonly string[], random: () => number): Promise<ProxyNetwork> {
    const network = new ProxyNetwork(random);
    for (const [at, id] of ids.entries()) {
      network.#places.set(id, { mesh: await FaultProxy.start({ random }), address: `127.0.1.${at + 1}` });
    }
    return network;
  }

  async redisDoor(port: number): Promise<number> {
    const door = await FaultProxy.start({ targetPort: port, random: this.#random });
    this.#redisDoors.push(door);
    return door.port;
  }

  placeOf(id: string): NodePlace {
    const { mesh, address } = this.#place(id);
    return { dialFrom: address, settings: { 'mesh.advertise': `127.0.0.1:${mesh.port}` } };
  }

  listens({ id, meshPort }: NodeProcess): void {
    this.#place(id).mesh.target(meshPort);
  }

  async cut(one: string, other: string, how: CutHow): Promise<void> {
    cutAt(this.#place(one).mesh, this.#place(other).address, how);
    cutAt(this.#place(other).mesh, this.#place(one).address, how);
  }

  async mend(one: string, other: string): Promise<void> {
    this.#place(one).mesh.heal(this.#place(other).address);
    this.#place(other).mesh.heal(this.#place(one).address);
  }

  async cutRedis(id: string, how: CutHow): Promise<void> {
    for (const door of this.#redisDoors) cutAt(door, this.#place(id).address, how);
  }

  async mendRedis(id: string): Promise<void> {
    for (const door of this.#redisDoors) door.heal(this.#place(id).address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#redisDoors, ...[...this.#places.values()].map(({ mesh }) => mesh)];
    await Promise.all(all.map((proxy) => proxy[Symbol.asyncDispose]()));
  }

  #place(id: string): Place {
    const place = this.#places.get(id);
    if (!place) throw new Error(`there is no node ${id}`);
    return place;
  }
}

function cutAt(proxy: FaultProxy, from: string, how: CutHow): void {
  if (how === 'reset') proxy.turnAway(from);
  else proxy.blackhole({ from }, 'swallow');
}
