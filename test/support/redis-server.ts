// Real redis-servers for a test, each in a folder of its own: started on a unix socket or a free port, paused, killed,
// started again empty; as a replica, as a cluster of one, and watched by a sentinel.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-ports.ts';
import { until } from './until.ts';

export interface RedisPlace {
  readonly host: string;
  readonly port: number;
}

export interface RedisServerOptions {
  /** TCP port; without it there is only the unix socket. */
  readonly port?: number;
  /** Address that it listens on; 127.0.0.1 unless told. */
  readonly host?: string;
  /** More arguments for redis-server. */
  readonly args?: readonly string[];
  /** Its own folder is made in this one. */
  readonly parent?: string;
}

/** A redis-server that runs, or was killed and may be started again. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  /** Of its unix socket. */
  readonly path: string;
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ServerProcess | undefined;
  #admin: Redis | undefined;

  private constructor({ port = 0, host = '127.0.0.1', args = [], parent }: RedisServerOptions) {
    this.#folder = temporaryFolder(parent);
    this.port = port;
    this.path = join(this.#folder, 'redis.sock');
    this.#args = [
      ...['--port', String(port), '--bind', host, '--unixsocket', this.path],
      // Nodes of a test cluster come from 127.0.1.x, which Redis takes for another machine.
      ...['--protected-mode', 'no'],
      ...['--save', '', '--appendonly', 'no', '--dir', this.#folder],
      ...args,
    ];
  }

  /** Starts one, and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options);
    await server.start();
    return server;
  }

  /** A replica of another server, in step with it. */
  static async startReplica(master: RedisServer): Promise<RedisServer> {
    const replica = await RedisServer.start({
      port: await freePort(),
      args: replicaOf({ host: '127.0.0.1', port: master.port }),
    });
    await replica.inStep();
    return replica;
  }

  /** A cluster of one, which has all slots. */
  static async startCluster(): Promise<RedisServer> {
    const busPort = String(await freePort());
    const args = [
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      busPort,
      '--cluster-announce-ip',
      '127.0.0.1',
    ];
    const server = await RedisServer.start({ port: await freePort(), args });
    await server.admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until('the cluster is up', async () => {
      return String(await server.admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok');
    });
    return server;
  }

  /** A connection of the test's own, for looking and meddling. */
  get admin(): Redis {
    if (!this.#admin) throw new Error('redis-server is not running');
    return this.#admin;
  }

  /** Resolves once it has all that its master has. */
  async inStep(withinMs?: number): Promise<void> {
    const look = async () => (await this.admin.info('replication')).includes('master_link_status:up');
    await until('the replica is in step', look, withinMs);
  }

  /**
   * Starts it, empty.
   * @param args after those that it was made with
   */
  async start(args: readonly string[] = []): Promise<void> {
    this.#process = new ServerProcess([...this.#args, ...args]);
    this.#admin = await connectAdmin(this.path);
  }

  /** It stops answering, and keeps all connections. */
  pause(): void {
    this.#process?.signal('SIGSTOP');
  }

  resume(): void {
    this.#process?.signal('SIGCONT');
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#admin?.disconnect();
    this.#admin = undefined;
    await this.#process?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface RedisSentinelOptions {
  readonly port: number;
  /** Where its master is. */
  readonly master: RedisPlace;
  readonly host?: string;
  /** So many sentinels have to agree that the master is gone; 1 unless told. */
  readonly quorum?: number;
  readonly downAfterMs?: number;
  /** Further lines of its configuration. */
  readonly lines?: readonly string[];
  /** Its own folder is made in this one. */
  readonly parent?: string;
}

/** A sentinel that watches one master, and calls it `main`. */
export class RedisSentinel implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ServerProcess;
  #admin: Redis | undefined;

  private constructor(options: RedisSentinelOptions) {
    const { port, master, host = '127.0.0.1', quorum = 1, downAfterMs = 300, lines = [], parent } = options;
    this.#folder = temporaryFolder(parent);
    this.port = port;
    const config = join(this.#folder, 'sentinel.conf');
    const all = [
      `port ${port}`,
      `bind ${host}`,
      'protected-mode no',
      `unixsocket ${this.#socket}`,
      `dir ${this.#folder}`,
      `sentinel monitor main ${master.host} ${master.port} ${quorum}`,
      `sentinel down-after-milliseconds main ${downAfterMs}`,
      'sentinel failover-timeout main 3000',
      ...lines,
    ];
    writeFileSync(config, `${all.join('\n')}\n`);
    this.#process = new ServerProcess([config, '--sentinel']);
  }

  /** Starts one that decides alone, and waits until it knows of the master's replica. */
  static async start(master: RedisServer): Promise<RedisSentinel> {
    const sentinel = await RedisSentinel.open({
      port: await freePort(),
      master: { host: '127.0.0.1', port: master.port },
    });
    await sentinel.knows({ replicas: 1, sentinels: 0 });
    return sentinel;
  }

  /** Starts one; it may know nobody yet. */
  static async open(options: RedisSentinelOptions): Promise<RedisSentinel> {
    const sentinel = new RedisSentinel(options);
    sentinel.#admin = await connectAdmin(sentinel.#socket);
    return sentinel;
  }

  /** Resolves once it knows so many replicas that are well, and so many other sentinels. */
  async knows(
    { replicas, sentinels }: { readonly replicas: number; readonly sentinels: number },
    withinMs?: number,
  ): Promise<void> {
    const look = async () => {
      const known = (await this.#ask('REPLICAS', 'main')) as string[][];
      const others = (await this.#ask('SENTINELS', 'main')) as string[][];
      return known.length === replicas && known.every((row) => isWell(row)) && others.length === sentinels;
    };
    await until(`the sentinel knows ${replicas} replicas, ${sentinels} sentinels`, look, withinMs);
  }

  /** Where it says that the master is. */
  async master(): Promise<RedisPlace> {
    const [host = '', port = ''] = (await this.#ask('GET-MASTER-ADDR-BY-NAME', 'main')) as string[];
    return { host, port: Number(port) };
  }

  /** Changes an option of the master that it watches. */
  async configure(option: string, value: string): Promise<void> {
    await this.#ask('SET', 'main', option, value);
  }

  /** How often it looks at servers, and tells other sentinels of itself; 10 s and 2 s by default. Redis 7 has this. */
  async hurry({ infoMs, publishMs }: { readonly infoMs: number; readonly publishMs: number }): Promise<void> {
    await this.#ask('DEBUG', 'info-period', String(infoMs), 'publish-period', String(publishMs));
  }

  get #socket(): string {
    return join(this.#folder, 'sentinel.sock');
  }

  #ask(...args: string[]): Promise<unknown> {
    if (!this.#admin) throw new Error('the sentinel does not answer yet');
    return this.#admin.call('SENTINEL', ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin?.disconnect();
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What SENTINEL REPLICAS says of one: names and values in turn. */
function isWell(row: readonly string[]): boolean {
  const of = (name: string) => row[row.indexOf(name) + 1];
  return of('flags') === 'slave' && of('master-link-status') === 'ok';
}

/** Arguments that make a server the replica of another. */
export function replicaOf({ host, port }: RedisPlace): string[] {
  return ['--replicaof', host, String(port)];
}

class ServerProcess {
  readonly #child: ReturnType<typeof spawn>;
  readonly #gone: Promise<unknown>;

  constructor(args: readonly string[]) {
    this.#child = spawn('redis-server', args, { stdio: 'ignore' });
    this.#gone = once(this.#child, 'exit');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }
}

async function connectAdmin(path: string): Promise<Redis> {
  const admin = new Redis({ path, retryStrategy: () => 10, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  await until('redis-server answers', async () => (await admin.ping()) === 'PONG');
  return admin;
}

function temporaryFolder(parent = tmpdir()): string {
  return mkdtempSync(join(parent, 'tideway-redis-'));
}
