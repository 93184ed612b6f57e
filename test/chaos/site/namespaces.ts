// A network namespace for each node, all at one bridge, where Redis and the harness are: cut by nft in the namespaces. It
// takes root, ip, nft, ss and nsenter.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { NodeProcess } from '../../support/node-process.ts';
import { run } from '../../support/programs.ts';
import type { CutHow } from '../site.ts';
import { cutRules } from './cut-rules.ts';
import { isLeftOf, siteName } from './site-name.ts';
import type { NodePlace, SiteNetwork } from './site-network.ts';

const FIRST_NODE = 11;

/** A node's namespace, and what it is cut off from. */
interface Place {
  readonly namespace: string;
  readonly address: string;
  readonly peers: Map<string, CutHow>;
  redis: CutHow | undefined;
  /** Ends with what was asked for last: one change at a time. */
  settled: Promise<unknown>;
}

export class NamespaceNetwork implements SiteNetwork {
  readonly redisHost: string;
  readonly #bridge: string;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #redisPorts: number[] = [];
  readonly #onExit = () => this.#remove();

  private constructor(ids: readonly string[]) {
    const subnet = freeSubnet();
    this.redisHost = `${subnet}.1`;
    this.#bridge = siteName();
    this.#places = new Map(
      ids.map((id, at) => {
        const address = `${subnet}.${FIRST_NODE + at}`;
        return [
          id,
          { namespace: this.#bridge + id, address, peers: new Map(), redis: undefined, settled: DONE },
        ];
      }),
    );
  }

  static async open(ids: readonly string[]): Promise<NamespaceNetwork> {
    sweep();
    const network = new NamespaceNetwork(ids);
    process.once('exit', network.#onExit); // Ctrl-C
    try {
      network.#make();
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** Why there are no namespaces here; undefined: there are. */
  static whyNot(): string | undefined {
    if (process.getuid?.() !== 0) return 'it takes root';
    const bridge = siteName();
    const name = `${bridge}x`;
    try {
      batch([], [`link add ${bridge} type bridge`, `netns add ${name}`]);
      batch([], [`link add ${name} type veth peer name eth0 netns ${name}`]);
      inNamespace(name, 'nft', ['-f', '-'], cutRules({ ...NO_CUTS, redis: 'reset', redisPorts: [1] }));
      inNamespace(name, 'ss', ['-K', 'dst', '127.0.0.1']);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    } finally {
      removeNamespace(name);
      removeLink(bridge);
    }
  }

  async redisDoor(port: number): Promise<number> {
    this.#redisPorts.push(port);
    return port;
  }

  placeOf(id: string): NodePlace {
    const { namespace, address } = this.#place(id);
    // Not `ip netns exec`, which mounts another /sys, where no control groups are to be seen.
    return { host: address, prefix: ['nsenter', `--net=${fileOf(namespace)}`] };
  }

  listens(_node: NodeProcess): void {}

  async cut(one: string, other: string, how: CutHow): Promise<void> {
    const [place, peer] = this.#pair(one, other);
    place.peers.set(peer.address, how);
    await this.#follow(place, how === 'reset' ? ['dst', peer.address] : undefined);
  }

  async mend(one: string, other: string): Promise<void> {
    const [place, peer] = this.#pair(one, other);
    place.peers.delete(peer.address);
    await this.#follow(place);
  }

  async cutRedis(id: string, how: CutHow): Promise<void> {
    const place = this.#place(id);
    place.redis = how;
    const ports = this.#redisPorts.flatMap((port) => ['or', 'dport', '=', `:${port}`]).slice(1);
    const toRedis = ['dst', this.redisHost, 'and', '(', ...ports, ')'];
    await this.#follow(place, how === 'reset' ? toRedis : undefined);
  }

  async mendRedis(id: string): Promise<void> {
    const place = this.#place(id);
    place.redis = undefined;
    await this.#follow(place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    this.#remove();
  }

  #place(id: string): Place {
    const place = this.#places.get(id);
    if (!place) throw new Error(`there is no node ${id}`);
    return place;
  }

  /** A cut in one namespace is one in both directions: the same one is asked for each pair. */
  #pair(one: string, other: string): [Place, Place] {
    const [first = '', second = ''] = [one, other].sort();
    return [this.#place(first), this.#place(second)];
  }

  /** @param ended connections that are ended then, in the words of ss */
  async #follow(place: Place, ended?: readonly string[]): Promise<void> {
    const inside = `--net=${fileOf(place.namespace)}`;
    const follow = async () => {
      const { peers, redis } = place;
      await run('nsenter', [
        inside,
        'nft',
        cutRules({ peers, redis, redisHost: this.redisHost, redisPorts: this.#redisPorts }),
      ]);
      if (ended) await run('nsenter', [inside, 'ss', '-K', '-t', '-n', '-H', ...ended]);
    };
    const done = place.settled.then(follow);
    place.settled = done.catch(() => {});
    await done;
  }

  #make(): void {
    const bridge = this.#bridge;
    const all = [...this.#places.values()];
    batch(
      [],
      [
        `link add ${bridge} type bridge`,
        `addr add ${this.redisHost}/24 dev ${bridge}`,
        `link set ${bridge} up`,
        ...all.map(({ namespace }) => `netns add ${namespace}`),
      ],
    );
    // A namespace made in a batch can be named in another one only.
    batch(
      [],
      all.flatMap(({ namespace }) => [
        `link add ${namespace} type veth peer name eth0 netns ${namespace}`,
        `link set ${namespace} master ${bridge} up`,
      ]),
    );
    for (const { namespace, address } of all) {
      const lines = ['link set lo up', `addr add ${address}/24 dev eth0`, 'link set eth0 up'];
      batch(['-n', namespace], lines);
    }
  }

  /** Its own end of a way goes with the namespace; all of it at once, since the process may be about to end. */
  #remove(): void {
    for (const { namespace } of this.#places.values()) removeNamespace(namespace);
    removeLink(this.#bridge);
  }
}

const DONE = Promise.resolve();
const NO_CUTS = { peers: new Map(), redis: undefined, redisHost: '127.0.0.1', redisPorts: [] };

/** Takes away what processes left that are gone. */
function sweep(): void {
  for (const namespace of namesOf(['netns', 'list']).filter(isLeftOf)) removeNamespace(namespace);
  for (const link of namesOf(['link', 'show', 'type', 'bridge']).filter(isLeftOf)) removeLink(link);
}

function namesOf(args: readonly string[]): string[] {
  const rows = JSON.parse(tell('ip', ['-j', ...args]) || '[]') as { name?: string; ifname?: string }[];
  return rows.map(({ name, ifname }) => name ?? ifname ?? '');
}

/** The first three numbers of addresses that nothing on this machine has. */
function freeSubnet(): string {
  const all = tell('ip', ['-4', '-o', 'addr']) + tell('ip', ['-4', 'route']);
  for (let tries = 0; tries < 256; tries += 1) {
    const subnet = `10.77.${(process.pid + tries) % 256}`;
    if (!all.includes(` ${subnet}.`)) return subnet;
  }
  throw new Error('all of 10.77.0.0/16 is in use');
}

function removeNamespace(namespace: string): void {
  if (existsSync(fileOf(namespace))) spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
  removeLink(namespace);
}

function removeLink(name: string): void {
  if (existsSync(`/sys/class/net/${name}`)) spawnSync('ip', ['link', 'del', name], { stdio: 'ignore' });
}

function fileOf(namespace: string): string {
  return `/run/netns/${namespace}`;
}

function batch(args: readonly string[], lines: readonly string[]): void {
  tell('ip', [...args, '-batch', '-'], `${lines.join('\n')}\n`);
}

function inNamespace(namespace: string, command: string, args: readonly string[], input = ''): void {
  tell('nsenter', [`--net=${fileOf(namespace)}`, command, ...args], input);
}

/** @throws Error with what it wrote to standard error, when it fails */
function tell(command: string, args: readonly string[], input = ''): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}
