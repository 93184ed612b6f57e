// A real sentinel for a test, in a folder of its own.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { freePort } from './free-ports.ts';
import { connectAdmin, type RedisPlace, RedisProcess, redisFolder } from './redis-process.ts';
import type { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

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
  readonly #process: RedisProcess;
  #admin: Redis | undefined;

  private constructor(options: RedisSentinelOptions) {
    const { port, master, host = '127.0.0.1', quorum = 1, downAfterMs = 300, lines = [], parent } = options;
    this.#folder = redisFolder(parent);
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
    this.#process = new RedisProcess([config, '--sentinel']);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin?.disconnect();
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #socket(): string {
    return join(this.#folder, 'sentinel.sock');
  }

  #ask(...args: string[]): Promise<unknown> {
    if (!this.#admin) throw new Error('the sentinel does not answer yet');
    return this.#admin.call('SENTINEL', ...args);
  }
}

/** What SENTINEL REPLICAS says of one: names and values in turn. */
function isWell(row: readonly string[]): boolean {
  const of = (name: string) => row[row.indexOf(name) + 1];
  return of('flags') === 'slave' && of('master-link-status') === 'ok';
}
