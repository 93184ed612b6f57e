// Connections to Redis: one server, Sentinel or Cluster. It owns the settings that keep a call from waiting for ever;
// what is said over a connection is the driver's.
import { Cluster, Redis, type RedisOptions } from 'ioredis';

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is. */
export type RedisPlace =
  | ({ readonly is: 'server' } & RedisHost)
  | { readonly is: 'socket'; readonly path: string }
  /** The sentinels, and what they call the master. */
  | { readonly is: 'sentinel'; readonly sentinels: readonly RedisHost[]; readonly name: string }
  /** Some nodes of it; the others are learned. */
  | { readonly is: 'cluster'; readonly nodes: readonly RedisHost[] };

export interface RedisTarget {
  readonly place: RedisPlace;
  /** An ACL user; without it the password is that of the default user. */
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  /** `{}` for TLS with the system's authorities. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly servername?: string;
  };
}

export type RedisClient = Redis | Cluster;

/** A call whose answer did not come is given up; those who wait for it did so before (guarded.ts). */
const COMMAND_MS = 1_000;
const CONNECT_MS = 2_000;
/** A server that answers nothing for so long is connected to anew. */
const SILENT_MS = 2_000;
const RETRY_MS = 100;
const MAX_RETRY_MS = 1_000;

/**
 * Begins to connect, and goes on for as long as it takes. Calls fail at once while there is no connection; one that
 * failed otherwise may still be carried out.
 */
export function connectRedis(target: RedisTarget): RedisClient {
  const { place, username, password, db, tls } = target;
  const shared = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
    commandTimeout: COMMAND_MS,
    socketTimeout: SILENT_MS,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: 0,
    // What was sent is not sent again: the driver's callers decide what is tried again.
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
    // A master that became a replica refuses writes: its place is asked for anew.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
  const single = {
    ...shared,
    db: db ?? 0,
    enableOfflineQueue: false,
    retryStrategy: retryMs,
  } satisfies RedisOptions;
  const client = open();
  // Without a listener ioredis writes errors to the console. The calls that fail tell of them.
  client.on('error', () => {});
  return client;

  function open(): RedisClient {
    switch (place.is) {
      case 'server':
        return new Redis({ ...single, host: place.host, port: place.port });
      case 'socket':
        return new Redis({ ...single, path: place.path });
      case 'sentinel':
        return new Redis({
          ...single,
          sentinels: place.sentinels.map(({ host, port }) => ({ host, port })),
          name: place.name,
          sentinelRetryStrategy: retryMs,
          sentinelCommandTimeout: COMMAND_MS,
          ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
        });
      case 'cluster':
        return new Cluster(
          place.nodes.map(({ host, port }) => ({ host, port })),
          {
            redisOptions: shared,
            enableOfflineQueue: false,
            clusterRetryStrategy: retryMs,
            slotsRefreshTimeout: CONNECT_MS,
            // Certificates are for names: names are not looked up before.
            ...(tls && { dnsLookup: (address, done) => done(null, address) }),
          },
        );
    }
  }
}

function retryMs(times: number): number {
  return Math.min(RETRY_MS * times, MAX_RETRY_MS) * (1 + Math.random() / 10);
}
