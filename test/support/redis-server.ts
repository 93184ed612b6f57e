// Real redis-servers for a test, each in a folder of its own: started on a unix socket or a free port, paused, killed,
// started again empty; as a replica, or as a cluster of one.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { freePort } from './free-ports.ts';
import { connectAdmin, type RedisPlace, RedisProcess, redisFolder } from './redis-process.ts';
import { until } from './until.ts';

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
  #process: RedisProcess | undefined;
  #admin: Redis | undefined;

  private constructor({ port = 0, host = '127.0.0.1', args = [], parent }: RedisServerOptions) {
    this.#folder = redisFolder(parent);
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
    this.#process = new RedisProcess([...this.#args, ...args]);
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

/** Arguments that make a server the replica of another. */
export function replicaOf({ host, port }: RedisPlace): string[] {
  return ['--replicaof', host, String(port)];
}
