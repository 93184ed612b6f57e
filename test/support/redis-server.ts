// A real redis-server for a test: started on a unix socket or a free port, paused, killed, started again empty.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.ts';

type Child = ReturnType<typeof spawn>;

export interface RedisServerOptions {
  /** TCP port on 127.0.0.1; without it there is only the unix socket. */
  readonly port?: number;
  /** More arguments for redis-server. */
  readonly args?: readonly string[];
}

export class RedisServer implements AsyncDisposable {
  /** Its own; with the socket, logs and whatever it writes. */
  readonly folder = mkdtempSync(join(tmpdir(), 'tideway-redis-'));
  readonly path = join(this.folder, 'redis.sock');
  readonly port: number;
  readonly #args: readonly string[];
  #child: Child | undefined;
  #admin: Redis | undefined;

  private constructor({ port, args }: RedisServerOptions) {
    this.port = port ?? 0;
    this.#args = args ?? [];
  }

  /** Starts one, and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options);
    await server.start();
    return server;
  }

  /** A connection of the test's own, for looking and meddling. */
  get admin(): Redis {
    if (!this.#admin) throw new Error('redis-server is not running');
    return this.#admin;
  }

  /** Starts it, empty. */
  async start(): Promise<void> {
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--unixsocket', this.path],
        ...['--save', '', '--appendonly', 'no', '--dir', this.folder, '--loglevel', 'warning'],
        ...this.#args,
      ],
      { stdio: 'ignore' },
    );
    this.#child = child;
    const admin = new Redis({ path: this.path, retryStrategy: () => 10, maxRetriesPerRequest: null });
    admin.on('error', () => {});
    this.#admin = admin;
    await until('redis-server answers', async () => (await admin.ping()) === 'PONG');
  }

  /** Stops answering, and keeps all connections. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#admin?.disconnect();
    this.#admin = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
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
