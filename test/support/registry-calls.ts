// Which registry calls a node makes for a stream, as its Redis is told them.
import type { Redis } from 'ioredis';
import type { Member } from './cluster.ts';
import type { RedisServer } from './redis-server.ts';

export class RegistryCalls implements AsyncDisposable {
  readonly #monitor: Redis;
  /** The calls in Redis's order: where from, and their arguments. */
  readonly #seen: { readonly source: string; readonly args: readonly string[] }[] = [];

  private constructor(monitor: Redis) {
    this.#monitor = monitor;
    // (time, args, source, database); what scripts call has the source `lua` and is no call of a node.
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source !== 'lua') this.#seen.push({ source, args });
    });
  }

  /** Hears all calls from now on. */
  static async of(redis: RedisServer): Promise<RegistryCalls> {
    return new RegistryCalls(await redis.admin.monitor());
  }

  /** Calls of one node about one stream. */
  about(member: Pick<Member, 'toRedis'>, key: string): readonly (readonly string[])[] {
    const sources = new Set(member.toRedis.targetSidePorts.map((port) => `127.0.0.1:${port}`));
    return this.#seen
      .filter(({ source, args }) => sources.has(source) && args.some((arg) => arg.includes(`{st:${key}}`)))
      .map(({ args }) => args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#monitor.disconnect();
  }
}
