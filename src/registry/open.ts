// From the configured URL to a registry in use: the driver, with the guard around it.
import type { Clock } from '../base/clock.ts';
import type { Table } from '../base/table.ts';
import { GuardedRegistry } from './guarded.ts';
import { MemoryRegistry } from './memory.ts';
import { RedisRegistry } from './redis.ts';
import { connectRedis } from './redis-client.ts';
import { loadScripts } from './redis-scripts.ts';
import { parseRedisUrl } from './redis-url.ts';

export interface RegistryPlace {
  /** `memory:`, or a URL of Redis (redis-url.ts). */
  readonly url: string;
  /** What every key and channel in Redis starts with. */
  readonly prefix: string;
}

export interface OpenedRegistry {
  readonly registry: GuardedRegistry;
  /** May there be other nodes? */
  readonly isShared: boolean;
  /** Of the driver, and of the guard around it. */
  tables(): Table[];
  /** The address that this machine has towards the registry; undefined without a connection. */
  localAddress(): string | undefined;
  /** Resolves at the first connection, or after `ms`: whether there is one. Nothing is asked before. */
  connected(ms: number): Promise<boolean>;
}

/**
 * Opens it: a connection is only begun.
 * @throws TidewayError `registry.url`
 */
export function openRegistry({ url, prefix }: RegistryPlace, deps: { clock: Clock }): OpenedRegistry {
  const { clock } = deps;
  if (url === 'memory:') {
    const memory = new MemoryRegistry({ clock });
    const registry = new GuardedRegistry(memory, { clock });
    return {
      registry,
      isShared: false,
      tables: () => [...registry.tables, ...memory.tables],
      localAddress: () => undefined,
      connected: async () => true,
    };
  }
  const target = parseRedisUrl(url);
  const connect = () => connectRedis(target);
  const redis = new RedisRegistry({ prefix }, { clock, scripts: loadScripts(), connect });
  const registry = new GuardedRegistry(redis, { clock });
  return {
    registry,
    isShared: true,
    tables: () => [...registry.tables, ...redis.tables],
    localAddress: () => redis.localAddress,
    connected: (ms) =>
      new Promise((resolve) => {
        const timer = clock.after(ms, () => resolve(redis.isConnected));
        void redis.whenConnected.then(() => {
          timer.cancel();
          resolve(true);
        });
      }),
  };
}
