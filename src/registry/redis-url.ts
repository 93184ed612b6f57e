// The URL that names a Redis, read: pure.
import { TidewayError } from '../base/errors.ts';
import type { RedisHost, RedisPlace, RedisTarget } from './redis-client.ts';

/**
 * Reads a URL: `redis://user:password@host:port/db`, `rediss://` for TLS. More hosts in `hosts=h2:p2,h3:p3`;
 * `sentinel=<name of the master>` says that the hosts are sentinels, `cluster=yes` that they are a cluster.
 * @throws TidewayError `registry.url`; the message never repeats the URL, which may hold a password
 */
export function parseRedisUrl(text: string): RedisTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '') throw badUrl('redis://host:port/db');
  const query = url.searchParams;
  const defaultPort = query.has('sentinel') ? 26_379 : 6_379;
  const more = (query.get('hosts') ?? '').split(',').filter((host) => host !== '');
  const hosts = [url.host, ...more].map((host) => readHost(host, defaultPort));
  const [first] = hosts;
  const db = url.pathname.slice(1) || '0';
  if (!first || !/^\d{1,5}$/.test(db)) throw badUrl('the path is the number of the database');
  const unknown = [...query.keys()].find((key) => !['hosts', 'sentinel', 'cluster'].includes(key));
  if (unknown !== undefined) throw badUrl('its options are hosts, sentinel and cluster');
  const name = query.get('sentinel');
  if (query.get('cluster') === 'yes') {
    if (db !== '0' || name) throw badUrl('a cluster has one database, 0, and no sentinels');
    return { place: { is: 'cluster', nodes: hosts }, ...access(url) };
  }
  if (more.length > 0 && !name) throw badUrl('several hosts are sentinels or a cluster: say which');
  const place: RedisPlace = name ? { is: 'sentinel', sentinels: hosts, name } : { is: 'server', ...first };
  return { place, db: Number(db), ...access(url) };
}

function access({ username, password, protocol }: URL): Omit<RedisTarget, 'place'> {
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  };
}

function readHost(text: string, defaultPort: number): RedisHost {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined || Number(port ?? 0) > 65_535)
    throw badUrl('a host is a name or address, and a port');
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? defaultPort : Number(port) };
}

function badUrl(rule: string): TidewayError {
  return new TidewayError('registry.url', `the URL of the registry can't be read: ${rule}`);
}
