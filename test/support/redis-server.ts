// Real redis-servers for a test, each in a folder of its own: started on a unix socket or a free port, paused, killed,
// started again empty; as a replica, as a cluster of one, and watched by a sentinel.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.ts';

export interface RedisServerOptions {
  /** TCP port on 127.0.0.1; without it there is only the unix socket. */
  readonly port?: number;
  /** More arguments for redis-server. */
  readonly args?: readonly string[];
}

/** A redis-server that runs, or was killed and may be started again. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  /** Of its unix socket. */
  readonly path: string;
  readonly #folder = temporaryFolder();
  readonly #args: readonly string[];
  #process: ServerProcess | undefined;
  #admin: Redis | undefined;

  private constructor({ port = 0, args = [] }: RedisServerOptions) {
    this.port = port;
    this.path = join(this.#folder, 'redis.sock');
    this.#args = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', this.path],
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
      args: ['--replicaof', '127.0.0.1', String(master.port)],
    });
    await until('the replica is in step', async () => {
      return (await replica.admin.info('replication')).includes('master_link_status:up');
    });
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

  /** Starts it, empty. */
  async start(): Promise<void> {
    this.#process = new ServerProcess(this.#args);
    this.#admin = await connectAdmin({ path: this.path });
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

/** A sentinel that watches one master, calls it `main`, and decides alone. */
export class RedisSentinel implements AsyncDisposable {
  readonly port: number;
  readonly #folder = temporaryFolder();
  readonly #process: ServerProcess;

  private constructor(port: number, master: RedisServer) {
    this.port = port;
    const config = join(this.#folder, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      'protected-mode no',
      `dir ${this.#folder}`,
      `sentinel monitor main 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds main 300',
      'sentinel failover-timeout main 3000',
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    this.#process = new ServerProcess([config, '--sentinel']);
  }

  /** Starts one, and waits until it knows of the master's replica. */
  static async start(master: RedisServer): Promise<RedisSentinel> {
    const sentinel = new RedisSentinel(await freePort(), master);
    const admin = await connectAdmin({ host: '127.0.0.1', port: sentinel.port });
    await until('the sentinel knows the replica', async () => {
      const replicas = (await admin.call('SENTINEL', 'REPLICAS', 'main')) as string[][];
      return replicas.length === 1 && replicas[0]?.includes('ok');
    });
    admin.disconnect();
    return sentinel;
  }

  /** Changes an option of the master that it watches. */
  async configure(option: string, value: string): Promise<void> {
    const admin = await connectAdmin({ host: '127.0.0.1', port: this.port });
    await admin.call('SENTINEL', 'SET', 'main', option, value);
    admin.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
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

async function connectAdmin(at: { path: string } | { host: string; port: number }): Promise<Redis> {
  const admin = new Redis({ ...at, retryStrategy: () => 10, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  await until('redis-server answers', async () => (await admin.ping()) === 'PONG');
  return admin;
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tideway-redis-'));
}

/** A TCP port of 127.0.0.1 that nobody listened on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}
