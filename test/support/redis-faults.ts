// What happens to Redis under a cluster that plays, and whether the registry is whole again afterwards. The bench and the
// tests share it, with other durations.
import { CheckedPlayer, caughtUp, PLAYER_FORMATS, playAll } from './checked-player.ts';
import { Cluster } from './cluster.ts';
import { meshed } from './cluster-view.ts';
import { type Cast, pass, type Sight, sightOf } from './fault-window.ts';
import { freePort } from './free-ports.ts';
import { LoopWatch } from './loop-watch.ts';
import { PLANS } from './numbered-media.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import { RedisSentinel } from './redis-sentinel.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

export const REDIS_FAULTS = ['killed, back empty', 'stopped', 'FLUSHALL', 'origins deleted'] as const;
export type RedisFault = (typeof REDIS_FAULTS)[number];

/** After Redis is back, the registry is whole again within this. */
export const WHOLE_WITHIN_MS = 6_000;

export interface RedisFaultSight extends Sight {
  /** From its return until all was in the registry again, ms. */
  readonly wholeMs: number;
  /** The epochs of the streams are what they were. */
  readonly sameEpochs: boolean;
  /**
   * Of faults that take Redis away: meanwhile a stream was played on a node that had never heard of it, and another was
   * published, played everywhere, and is in the registry now with the epoch that it began with.
   */
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
  #faults = 0;

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
    this.#faults += 1;
    const before = await epochsIn(redis);
    let wholeMs = Number.POSITIVE_INFINITY;
    using guests = await Guests.come(this.#cluster, this.#faults);
    const sight = await sightOf(
      this.#casts,
      {
        beforeMs: 500,
        fault: async () => {
          await this.#away(fault, awayMs, guests);
          const backMs = performance.now();
          await whole(redis, 4 * WHOLE_WITHIN_MS, guests.lateKey);
          wholeMs = performance.now() - backMs;
        },
        afterMs: 500,
      },
      this.#watch,
    );
    const sameEpochs = JSON.stringify(await epochsIn(redis)) === JSON.stringify(before);
    return { ...sight, wholeMs, sameEpochs, joined: await guests.areWell() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    leave(this.#casts);
    await this.#cluster[Symbol.asyncDispose]();
  }

  async #away(fault: RedisFault, awayMs: number, guests: Guests): Promise<void> {
    const { redis } = this.#cluster;
    const untilMs = performance.now() + awayMs;
    const rest = () => pass(Math.max(0, untilMs - performance.now()));
    switch (fault) {
      case 'killed, back empty':
        await redis.kill();
        await guests.join();
        await rest();
        await redis.start();
        break;
      case 'stopped':
        redis.pause();
        await guests.join();
        await rest();
        redis.resume();
        break;
      case 'FLUSHALL':
        do {
          await redis.admin.flushall();
          await pass(Math.min(1_000, Math.max(0, untilMs - performance.now())));
        } while (performance.now() < untilMs);
        break;
      case 'origins deleted':
        await redis.admin.del(...KEYS.map((key) => `tw:{st:${key}}:o`));
    }
  }
}

/** Who comes while Redis is away: players of a stream that their node never heard of, and a publisher with players. */
class Guests implements Disposable {
  readonly #cluster: Cluster;
  readonly #known: NumberedPublisher;
  readonly #newKey: string;
  #new: NumberedPublisher | undefined;
  #players: CheckedPlayer[] = [];

  private constructor(cluster: Cluster, known: NumberedPublisher, newKey: string) {
    this.#cluster = cluster;
    this.#known = known;
    this.#newKey = newKey;
  }

  /** Redis is there yet: a stream is published that nobody plays. */
  static async come(cluster: Cluster, number: number): Promise<Guests> {
    const plan = PLANS['10 frames/s'];
    const known = await NumberedPublisher.start(cluster.node('a'), { plan, key: `live/quiet-${number}` });
    return new Guests(cluster, known, `live/late-${number}`);
  }

  /** The stream that was published while Redis was away. */
  get lateKey(): string | undefined {
    return this.#new && this.#newKey;
  }

  async join(): Promise<void> {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => this.#cluster.node(id));
    if (!a || !b || !c) throw new Error('a node is missing');
    this.#players = await playAll(c, this.#known.key);
    this.#new = await NumberedPublisher.start(b, { plan: PLANS['10 frames/s'], key: this.#newKey });
    for (const node of [a, b, c]) {
      this.#players.push(await CheckedPlayer.play(node, this.#newKey, 'http-flv'));
    }
    await until('all guests play', () =>
      this.#players.every(({ check, ended }) => check.frames > 0 || ended !== undefined),
    ).catch(() => {}); // areWell tells
  }

  /** With Redis back: all play on, and the new stream has the epoch in it that it was begun with. */
  async areWell(): Promise<boolean> {
    if (!this.#new) return true;
    const [start] = this.#cluster.node('b').events('publish.start').slice(-1);
    const epoch = await this.#cluster.redis.admin.hget(`tw:{st:${this.#newKey}}:o`, 'epoch');
    if (start?.stream !== this.#newKey || String(start.epoch) !== epoch) return false;
    const missing = [
      ...(await caughtUp(this.#known, this.#players.slice(0, PLAYER_FORMATS.length))),
      ...(await caughtUp(this.#new, this.#players.slice(PLAYER_FORMATS.length))),
    ];
    return (
      missing.every((count) => count === 0) &&
      this.#players.every(({ check, ended }) => ended === undefined && check.isClean && check.splices === 0)
    );
  }

  [Symbol.dispose](): void {
    for (const player of this.#players) player.leave();
    this.#known.drop();
    this.#new?.drop();
  }
}

/** Redis is handed over by a sentinel to a replica that lost the tail: a stream that was claimed after it stood still. */
export async function sentinelFailover(): Promise<Omit<RedisFaultSight, 'joined'>> {
  // A replica is sent all of it at once, not only after seconds in which others could ask, too.
  await using master = await RedisServer.start({
    port: await freePort(),
    args: ['--repl-diskless-sync-delay', '0'],
  });
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

/** Resolves once Redis has all origins, replicas and nodes, and the stream that `b` published meanwhile. */
async function whole(redis: RedisServer, withinMs: number, lateKey?: string): Promise<void> {
  const { admin } = redis;
  await until(
    'the registry is whole',
    async () => {
      for (const key of KEYS) {
        if ((await admin.hget(`tw:{st:${key}}:o`, 'node')) !== 'a') return false;
        if ((await admin.hget(`tw:{st:${key}}:r`, 'b')) === null) return false;
      }
      if (lateKey && (await admin.hget(`tw:{st:${lateKey}}:o`, 'node')) !== 'b') return false;
      const nodes = await Promise.all(IDS.map((id) => admin.exists(`tw:{nodes}:n:${id}`)));
      return nodes.every((count) => count === 1);
    },
    withinMs,
  );
}

async function epochsIn(redis: RedisServer): Promise<(string | null)[]> {
  return Promise.all(KEYS.map((key) => redis.admin.hget(`tw:{st:${key}}:o`, 'epoch')));
}
