// Registries for tests, of both kinds, whose time stands still until the test turns it.
//
// How Redis time is turned: the scripts ask Redis's own TIME in one place, clock_ms() of lua/common.lua. Here that call
// is replaced, in the text of the scripts, by a look at a key of the test. libfaketime would do too, but it also moves
// what redis-server does by itself, and not exactly. Expiry as such needs no TIME to pass: scripts judge `expires`, and
// the keys' own TTLs, which run in real time, are a minute longer than any of these tests.
import { systemClock } from '../../src/base/clock.ts';
import { MemoryRegistry, MemoryState } from '../../src/registry/memory.ts';
import type { OriginRules } from '../../src/registry/origin-rules.ts';
import { RedisRegistry } from '../../src/registry/redis.ts';
import { connectRedis, type RedisTarget } from '../../src/registry/redis-client.ts';
import { loadScripts, type RedisScripts, type ScriptName } from '../../src/registry/redis-scripts.ts';
import type { NodeRecord, Owner, Registry } from '../../src/registry/registry.ts';
import { FakeClock } from './fake-clock.ts';
import type { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

/** A registry that a test holds in its hand. */
export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  /** Another client of the same registry. */
  another(): Promise<Registry>;
  /** Registry time now, ms since 1970. */
  nowWallMs(): number;
  /** Lets registry time go by. */
  tick(ms: number): Promise<void>;
  /** Everything is lost, as by FLUSHALL. */
  wipe(): Promise<void>;
  /** Only the origin's record is lost, not the highest epoch. */
  dropOrigin(key: string): Promise<void>;
  /** Remembers everything, for `rollback`. */
  snapshot(): Promise<void>;
  /** Goes back to what was at the last snapshot; empty without one. Time goes on. */
  rollback(): Promise<void>;
}

const START_WALL_MS = Date.UTC(2026, 0, 1);

export function memoryRegistry(options: { startWallMs?: number; rules?: OriginRules } = {}): TestRegistry {
  const clock = new FakeClock(1000, options.startWallMs ?? START_WALL_MS);
  const state = new MemoryState();
  const rules = options.rules ? { rules: options.rules } : {};
  const open = () => new MemoryRegistry({ clock, state, ...rules });
  const registry = open();
  let saved: MemoryState['streams'] = new Map();
  return {
    registry,
    another: async () => open(),
    nowWallMs: () => clock.wallMs(),
    tick: async (ms) => clock.advance(ms),
    wipe: async () => state.wipe(),
    dropOrigin: async (key) => {
      for (const [name, slot] of state.streams) {
        if (name === key) state.streams.set(name, { ...slot, origin: { ...slot.origin, entry: undefined } });
      }
    },
    snapshot: async () => {
      saved = new Map(state.streams);
    },
    rollback: async () => {
      state.streams.clear();
      for (const [key, slot] of saved) state.streams.set(key, slot);
    },
    [Symbol.asyncDispose]: () => registry.close(),
  };
}

export const TEST_PREFIX = 'test:';
const TIME_KEY = 'frozen-time';

/** The scripts, with a time that stands at what is in the test's key. */
export function frozenScripts(scripts: RedisScripts = loadScripts()): RedisScripts {
  return patchScripts(scripts, "redis.call('TIME')", `cjson.decode(redis.call('GET', '${TIME_KEY}'))`);
}

/** Every script that has `from`, with `to` in its place. */
export function patchScripts(
  scripts: RedisScripts,
  from: string,
  to: string,
  only?: ScriptName,
): RedisScripts {
  const patched = Object.entries(scripts).map(([name, lua]) => {
    if (only !== undefined && name !== only) return [name, lua];
    if (!lua.includes(from)) throw new Error(`${name}.lua has no "${from}"`);
    return [name, lua.replace(from, () => to)];
  });
  return Object.fromEntries(patched) as RedisScripts;
}

/** The registry in a real Redis, at a frozen time. */
export async function redisRegistry(
  server: RedisServer,
  options: { startWallMs?: number; scripts?: RedisScripts } = {},
): Promise<TestRegistry> {
  const { admin } = server;
  const scripts = frozenScripts(options.scripts);
  const opened: RedisRegistry[] = [];
  let nowMs = options.startWallMs ?? START_WALL_MS;
  let saved: { key: string; dump: Buffer; ttlMs: number }[] = [];
  const setTime = async () => {
    await admin.set(TIME_KEY, JSON.stringify([Math.floor(nowMs / 1000), (nowMs % 1000) * 1000]));
  };
  const open = async () => {
    const registry = await openRedis({ place: { is: 'socket', path: server.path } }, { scripts });
    opened.push(registry);
    return registry;
  };
  await admin.flushall();
  await setTime();
  return {
    registry: await open(),
    another: open,
    nowWallMs: () => nowMs,
    tick: async (ms) => {
      nowMs += ms;
      await setTime();
    },
    wipe: async () => {
      await admin.flushall();
      await setTime();
    },
    dropOrigin: async (key) => {
      await admin.del(`${TEST_PREFIX}{st:${key}}:o`);
    },
    snapshot: async () => {
      const keys = await admin.keys(`${TEST_PREFIX}{st:*`);
      saved = await Promise.all(
        keys.map(async (key) => ({
          key,
          dump: (await admin.dumpBuffer(key)) ?? Buffer.alloc(0),
          ttlMs: Math.max(0, await admin.pttl(key)),
        })),
      );
    },
    rollback: async () => {
      const keys = await admin.keys(`${TEST_PREFIX}{st:*`);
      if (keys.length > 0) await admin.del(...keys);
      await Promise.all(saved.map(({ key, dump, ttlMs }) => admin.restore(key, ttlMs, dump)));
    },
    [Symbol.asyncDispose]: async () => {
      for (const registry of opened) await registry.close();
    },
  };
}

/** A Redis driver as the node has it, connected. */
export async function openRedis(
  target: RedisTarget,
  options: { scripts?: RedisScripts; prefix?: string; connectWithinMs?: number } = {},
): Promise<RedisRegistry> {
  const registry = new RedisRegistry(
    { prefix: options.prefix ?? TEST_PREFIX },
    {
      clock: systemClock,
      scripts: options.scripts ?? loadScripts(),
      connect: () => connectRedis(target),
    },
  );
  await until('connected to Redis', () => registry.isConnected, options.connectWithinMs);
  return registry;
}

/** A process: the same name gives the same node; `life` tells its boots apart. */
export function ownerOf(node: string, life = 0): Owner {
  return { node, boot: `${Buffer.from(node).toString('hex')}${life}`.slice(0, 16).padStart(16, '0') };
}

export function nodeRecordOf(owner: Owner, more: Partial<NodeRecord> = {}): NodeRecord {
  return {
    ...owner,
    host: 'host-1',
    version: '0.1.0',
    mesh: ['10.0.0.1:7935'],
    rtmp: '10.0.0.1:1935',
    http: '',
    region: 'eu',
    zone: 'eu-1',
    tags: [],
    rtmpInternal: '',
    httpInternal: '',
    rttMs: {},
    draining: false,
    load: {
      cpu: 0.25,
      memory: 0.5,
      loopBusy: 0.2,
      loopLagMs: 1.5,
      sentBytesPerS: 1e6,
      receivedBytesPerS: 0,
      capacityBytesPerS: 0,
      publishers: 0,
      players: 10,
      streams: 1,
      alarms: 0,
    },
    ...more,
  };
}
