// What a redis-server and a sentinel have in common: a process, a folder of its own, and a connection to look by.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.ts';

/** Where one listens. */
export interface RedisPlace {
  readonly host: string;
  readonly port: number;
}

/** One that runs. */
export class RedisProcess {
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

/** Connects to a unix socket; resolves once it answers. */
export async function connectAdmin(path: string): Promise<Redis> {
  const admin = new Redis({ path, retryStrategy: () => 10, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  await until('redis-server answers', async () => (await admin.ping()) === 'PONG');
  return admin;
}

/** For what one keeps, in `parent`. */
export function redisFolder(parent = tmpdir()): string {
  return mkdtempSync(join(parent, 'tideway-redis-'));
}
