// Opens a site for chaos: five nodes, Redis with a replica and sentinels, and all that is needed to do things to them.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { MemoryGroup } from '../../support/memory-group.ts';
import { NodeProcess, PROJECT_FOLDER } from '../../support/node-process.ts';
import type { CutHow, FailoverHow, Site } from '../site.ts';
import { FOLDER_VARIABLE, folderOf, sweepLeftovers } from './leftovers.ts';
import { NamespaceNetwork } from './namespaces.ts';
import { Neighbour } from './neighbour.ts';
import { ProxyNetwork } from './proxies.ts';
import { siteName } from './site-name.ts';
import type { SiteNetwork } from './site-network.ts';
import { forgetClock, WallClocks } from './wall-clocks.ts';
import { WatchedRedis } from './watched-redis.ts';

export interface SiteOptions {
  /** Namespaces where they can be made, unless told. */
  readonly network?: Site['network'];
  /** Flags of all nodes, by key path. */
  readonly settings?: Readonly<Record<string, string>>;
  /** In 0..1. */
  readonly random?: () => number;
}

const IDS = ['a', 'b', 'c', 'd', 'e'];
const STALL = join(PROJECT_FOLDER, 'test/chaos/site/stall-on-order.mjs');
const MESH_SECRET = '5ec2e7'.repeat(11);
/** Who asks from the root namespace is another machine to a node. */
const API_TOKEN = 'a-token-of-chaos-only';

/** Starts all; resolves when the nodes listen. */
export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const site = new OpenSite(options);
  try {
    await site.open();
  } catch (error) {
    await site[Symbol.asyncDispose]();
    throw error;
  }
  return site;
}

interface Member {
  readonly node: NodeProcess;
  readonly group: MemoryGroup | undefined;
  readonly neighbour: Neighbour | undefined;
}

class OpenSite implements Site {
  readonly network: Site['network'];
  readonly ids = IDS;
  readonly missing: Site['missing'];
  readonly #options: SiteOptions;
  readonly #members = new Map<string, Member>();
  readonly #name = siteName();
  readonly #folder = folderOf(this.#name);
  readonly #clocks = WallClocks.open(this.#folder);
  readonly #whyNoMemory = MemoryGroup.whyNot();
  /** Ctrl-C, or an error that nobody caught: nothing can be waited for. */
  readonly #onExit = () => {
    void this.#redis?.[Symbol.asyncDispose]();
    for (const { node } of this.#members.values()) void node.kill();
    for (const { node, group } of this.#members.values()) {
      forgetClock(node.pid);
      group?.removeNow();
    }
    rmSync(this.#folder, { recursive: true, force: true });
  };
  #ways: SiteNetwork | undefined;
  #redis: WatchedRedis | undefined;

  constructor(options: SiteOptions) {
    this.#options = options;
    mkdirSync(this.#folder);
    this.network = options.network ?? (NamespaceNetwork.whyNot() ? 'proxies' : 'namespaces');
    this.missing = [
      ...(this.#clocks ? [] : [{ fault: 'clock' as const, why: 'libfaketime is not installed' }]),
      ...(this.#whyNoMemory ? [{ fault: 'squeeze' as const, why: this.#whyNoMemory }] : []),
    ];
  }

  async open(): Promise<void> {
    process.once('exit', this.#onExit);
    await sweepLeftovers();
    const { random = Math.random } = this.#options;
    const ways =
      this.network === 'namespaces' ? await NamespaceNetwork.open(IDS) : await ProxyNetwork.open(IDS, random);
    this.#ways = ways;
    this.#redis = await WatchedRedis.start(ways, this.#folder);
    for (const id of IDS) this.#members.set(id, this.#member(id, ways));
    await Promise.all(IDS.map((id) => this.start(id)));
  }

  node(id: string): NodeProcess {
    return this.#memberOf(id).node;
  }

  async start(id: string): Promise<void> {
    const node = this.node(id);
    await node.start();
    this.#network.listens(node);
  }

  async kill(id: string): Promise<void> {
    const node = this.node(id);
    await node.kill();
    forgetClock(node.pid);
  }

  pause(id: string): void {
    this.node(id).pause();
  }

  resume(id: string): void {
    this.node(id).resume();
  }

  stall(id: string, ms: number): void {
    this.node(id).tell({ stallMs: ms });
  }

  setClock(id: string, aheadMs: number): void {
    if (!this.#clocks) throw new Error('libfaketime is not installed');
    this.#clocks.set(id, aheadMs);
  }

  async squeeze(id: string): Promise<void> {
    await this.#neighbour(id).squeeze();
  }

  async release(id: string): Promise<void> {
    await this.#neighbour(id).release();
  }

  cut(one: string, other: string, how: CutHow): Promise<void> {
    return this.#network.cut(one, other, how);
  }

  mend(one: string, other: string): Promise<void> {
    return this.#network.mend(one, other);
  }

  cutRedis(id: string, how: CutHow): Promise<void> {
    return this.#network.cutRedis(id, how);
  }

  mendRedis(id: string): Promise<void> {
    return this.#network.mendRedis(id);
  }

  async wipeRedis(): Promise<void> {
    await this.redis.flushall();
  }

  failRedisOver(how: FailoverHow): Promise<void> {
    return this.#watched.failOver(how);
  }

  healRedis(): Promise<void> {
    return this.#watched.heal();
  }

  get redis(): Redis {
    return this.#watched.admin;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#members].map(async ([id, { group, neighbour }]) => {
        await neighbour?.release();
        await this.kill(id);
        await group?.[Symbol.asyncDispose]();
      }),
    );
    await this.#redis?.[Symbol.asyncDispose]();
    await this.#ways?.[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
    process.off('exit', this.#onExit);
  }

  #member(id: string, ways: SiteNetwork): Member {
    const { prefix = [], settings = {}, ...place } = ways.placeOf(id);
    const group = this.#whyNoMemory ? undefined : new MemoryGroup(this.#name + id);
    const node = new NodeProcess({
      ...place,
      id,
      prefix: [...(group?.prefix ?? []), ...prefix],
      settings: {
        'registry.url': this.#watched.url,
        'mesh.secret': MESH_SECRET,
        'api.token': API_TOKEN,
        'api.requestsPerSecond': '10000', // who waits for something looks 100 times a second
        ...settings,
        ...this.#options.settings,
      },
      env: { [FOLDER_VARIABLE]: this.#folder, ...this.#clocks?.envOf(id) },
      preloads: [STALL],
    });
    return { node, group, neighbour: group && new Neighbour(group) };
  }

  #memberOf(id: string): Member {
    const member = this.#members.get(id);
    if (!member) throw new Error(`there is no node ${id}`);
    return member;
  }

  #neighbour(id: string): Neighbour {
    const { neighbour } = this.#memberOf(id);
    if (!neighbour) throw new Error(this.#whyNoMemory);
    return neighbour;
  }

  get #network(): SiteNetwork {
    if (!this.#ways) throw new Error('the site is not open');
    return this.#ways;
  }

  get #watched(): WatchedRedis {
    if (!this.#redis) throw new Error('the site is not open');
    return this.#redis;
  }
}
