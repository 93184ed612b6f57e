// What happens to Redis under a cluster that plays, and whether the registry is whole again afterwards. The bench and the
// tests share it, with other durations.
import { Cluster } from './cluster.ts';
import { meshed } from './cluster-view.ts';
import { type Cast, pass, type Sight, sightOf } from './fault-window.ts';
import { LoopWatch } from './loop-watch.ts';
import { PLANS } from './numbered-media.ts';
import { CheckedPlayer, NumberedPublisher, playAll } from './oracle.ts';
import { freePort, RedisSentinel, RedisServer } from './redis-server.ts';
import { until } from './until.ts';

export const REDIS_FAULTS = ['killed, back empty', 'stopped', 'FLUSHALL'] as const;
export type RedisFault = (typeof REDIS_FAULTS)[number];

/** After Redis is back, the registry is whole again within this. */
export const WHOLE_WITHIN_MS = 6_000;

export interface RedisFaultSight extends Sight {
  /** From its return until all was in the registry again, ms. */
  readonly wholeMs: number;
  /** The epochs of the streams are what they were. */
  readonly sameEpochs: boolean;
  /** A player that asked for a known stream at a node without it, while Redis was away, played it. */
  readonly joined: boolean;
}

const KEYS = ['live/one', 'live/two'];
/** The origin, a replica with players, and a node that has neither. */
const IDS = ['a', 'b', 'c'];

/** Three nodes that play two streams, for one fault after the other. */
export class RedisFaultStage implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #watch = new LoopWatch();
  readonly #casts: Cast[];

  private constructor(cluster: Cluster, casts: Cast[]) {
    this.#cluster = cluster;
    this.#casts = casts;
  }

  static async open(): Promise<RedisFaultStage> {
    const cluster = await Cluster.start({ ids: IDS, settings: { 'relay.lingerMs': '100' } });
    try {
      await meshed(cluster.nodes);
      return new RedisFaultStage(cluster, await castsOn(cluster));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @param awayMs how long Redis is away; FLUSHALL is done again and again for so long */
  async fault(fault: RedisFault, awayMs: number): Promise<RedisFaultSight> {
    const { redis } = this.#cluster;
    const before = await epochsIn(redis);
    let wholeMs = Number.POSITIVE_INFINITY;
    let joined = true;
    const sight = await sightOf(
      this.#casts,
      {
        beforeMs: 1_000,
        fault: async () => {
          joined = await this.#away(fault, awayMs);
          const backMs = performance.now();
          await whole(redis, 4 * WHOLE_WITHIN_MS);
          wholeMs = performance.now() - backMs;
        },
        afterMs: 1_000,
      },
      this.#watch,
    );
    const sameEpochs = JSON.stringify(await epochsIn(redis)) === JSON.stringify(before);
    return { ...sight, wholeMs, sameEpochs, joined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    leave(this.#casts);
    await this.#cluster[Symbol.asyncDispose]();
  }

  async #away(fault: RedisFault, awayMs: number): Promise<boolean> {
    const { redis } = this.#cluster;
    const untilMs = performance.now() + awayMs;
    switch (fault) {
      case 'killed, back empty': {
        await redis.kill();
        const joined = await this.#joins();
        await pass(Math.max(0, untilMs - performance.now()));
        await redis.start();
        return joined;
      }
      case 'stopped': {
        redis.pause();
        const joined = await this.#joins();
        await pass(Math.max(0, untilMs - performance.now()));
        redis.resume();
        return joined;
      }
      case 'FLUSHALL': {
        do {
          await redis.admin.flushall();
          await pass(Math.min(1_000, Math.max(0, untilMs - performance.now())));
        } while (performance.now() < untilMs);
        return true;
      }
    }
  }

  /** A player at the node that has no stream yet. */
  async #joins(): Promise<boolean> {
    const player = await CheckedPlayer.play(this.#cluster.node('c'), KEYS[0] ?? '', 'http-flv');
    const plays = await until('it plays', () => player.check.frames > 0 || player.ended).catch(() => false);
    player.leave();
    return plays === true && player.check.isClean;
  }
}

/** Redis is handed over by a sentinel to a replica that lost the tail: a stream that was claimed after it stood still. */
export async function sentinelFailover(): Promise<Omit<RedisFaultSight, 'joined'>> {
  await using master = await RedisServer.start({ port: await freePort() });
  await using replica = await RedisServer.startReplica(master);
  await using sentinel = await RedisSentinel.start(master);
  await using cluster = await Cluster.start({
    ids: IDS,
    registry: master,
    settings: { 'registry.url': `redis://127.0.0.1:${sentinel.port}/0?sentinel=main` },
  });
  using watch = new LoopWatch();
  await meshed(cluster.nodes);
  // The master throws the replica out, and it can't come back: what is claimed now is a tail that it never gets. The
  // sentinel still takes it, if it was in step ten times `down-after` ago.
  await sentinel.configure('down-after-milliseconds', '1000');
  await replica.admin.config('SET', 'masterauth', 'wrong');
  await master.admin.call('CLIENT', 'KILL', 'TYPE', 'replica');
  const casts = await castsOn(cluster);
  const epochs = await epochsIn(master);
  let wholeMs = Number.POSITIVE_INFINITY;
  const sight = await sightOf(
    casts,
    {
      beforeMs: 1_000,
      fault: async () => {
        await master.kill();
        replica.resume();
        await until(
          'the replica is the master',
          async () => (await replica.admin.info('replication')).includes('role:master'),
          30_000,
        );
        const backMs = performance.now();
        await whole(replica, 4 * WHOLE_WITHIN_MS);
        wholeMs = performance.now() - backMs;
      },
      afterMs: 1_000,
    },
    watch,
  );
  const sameEpochs = JSON.stringify(await epochsIn(replica)) === JSON.stringify(epochs);
  leave(casts);
  return { ...sight, wholeMs, sameEpochs };
}

/** Two streams of `a`, with players of all formats at `a` and `b`; all of it in the registry. */
async function castsOn(cluster: Cluster): Promise<Cast[]> {
  const casts: Cast[] = [];
  for (const key of KEYS) {
    const publisher = await NumberedPublisher.start(cluster.node('a'), {
      plan: PLANS['25 frames/s and audio'],
      key,
    });
    const players = await Promise.all(
      ['a', 'b'].map(async (node) =>
        (await playAll(cluster.node(node), key)).map((player) => ({ node, player })),
      ),
    );
    casts.push({ name: key, publisher, players: players.flat() });
  }
  await whole(cluster.redis, 15_000);
  return casts;
}

function leave(casts: readonly Cast[]): void {
  for (const { publisher, players } of casts) {
    for (const { player } of players) player.leave();
    publisher.drop();
  }
}

/** Resolves once Redis has all origins, replicas and nodes. */
async function whole(redis: RedisServer, withinMs: number): Promise<void> {
  const { admin } = redis;
  await until(
    'the registry is whole',
    async () => {
      for (const key of KEYS) {
        if ((await admin.hget(`tw:{st:${key}}:o`, 'node')) !== 'a') return false;
        if ((await admin.hget(`tw:{st:${key}}:r`, 'b')) === null) return false;
      }
      const nodes = await Promise.all(IDS.map((id) => admin.exists(`tw:{nodes}:n:${id}`)));
      return nodes.every((count) => count === 1);
    },
    withinMs,
  );
}

async function epochsIn(redis: RedisServer): Promise<(string | null)[]> {
  return Promise.all(KEYS.map((key) => redis.admin.hget(`tw:{st:${key}}:o`, 'epoch')));
}
