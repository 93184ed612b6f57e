// Redis as a cluster has it that means it: a master, a replica, and three sentinels of which two have to agree.
import type { Redis } from 'ioredis';
import { freePort } from '../../support/free-ports.ts';
import type { RedisPlace } from '../../support/redis-process.ts';
import { RedisSentinel } from '../../support/redis-sentinel.ts';
import { RedisServer, replicaOf } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import type { FailoverHow } from '../site.ts';
import type { SiteNetwork } from './site-network.ts';

const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 1_000;
/** Sentinels that were elected in vain try again after twice `failover-timeout`, 3 s each. */
const FAILED_OVER_WITHIN_MS = 30_000;
/** A former master that comes back as one is made a replica by the sentinels after so much and four times `publishMs`. */
const PERIODS = { infoMs: 1_000, publishMs: 500 };
const HEALED_WITHIN_MS = 30_000;

/** A server, and where all reach it. */
interface Known {
  readonly server: RedisServer;
  readonly place: RedisPlace;
}

export class WatchedRedis implements AsyncDisposable {
  readonly #opened: AsyncDisposable[] = [];
  readonly #host: string;
  readonly #folder: string;
  #sentinelPorts: readonly number[] = [];
  #sentinels: readonly RedisSentinel[] = [];
  #master: Known | undefined;
  #replica: Known | undefined;
  /** How the replica, that was the master, went; undefined: it is well. */
  #gone: FailoverHow | undefined;

  private constructor(host: string, folder: string) {
    this.#host = host;
    this.#folder = folder;
  }

  /** @param folder for what all of them keep */
  static async start(network: SiteNetwork, folder: string): Promise<WatchedRedis> {
    const redis = new WatchedRedis(network.redisHost, folder);
    try {
      await redis.#start(network);
    } catch (error) {
      await redis[Symbol.asyncDispose]();
      throw error;
    }
    return redis;
  }

  /** For `registry.url`. */
  get url(): string {
    const [first, ...more] = this.#sentinelPorts.map((port) => `${this.#host}:${port}`);
    return `redis://${first}/0?sentinel=main&hosts=${more.join(',')}`;
  }

  /** A connection to the master. */
  get admin(): Redis {
    return this.#pair.master.server.admin;
  }

  async failOver(how: FailoverHow): Promise<void> {
    const { master, replica } = this.#pair;
    if (this.#gone) throw new Error('the former master is not back yet: heal first');
    this.#gone = how;
    this.#master = replica;
    this.#replica = master;
    if (how === 'kill') await master.server.kill();
    else master.server.pause();
    await until(
      'the replica is the master',
      async () => (await replica.server.admin.info('replication')).includes('role:master'),
      FAILED_OVER_WITHIN_MS,
    );
  }

  async heal(): Promise<void> {
    const { master, replica } = this.#pair;
    // One that was killed is brought back as what it is now; one that stood still thinks that it is the master.
    if (this.#gone === 'kill') await replica.server.start(replicaOf(master.place));
    if (this.#gone === 'pause') replica.server.resume();
    this.#gone = undefined;
    await until('Redis has a master and a replica', () => this.#isPaired(), HEALED_WITHIN_MS);
    await this.#pair.replica.server.inStep(HEALED_WITHIN_MS);
    const { place } = this.#pair.master;
    await Promise.all(this.#sentinels.map((sentinel) => this.#isKnownTo(sentinel, place)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((each) => each[Symbol.asyncDispose]()));
  }

  get #pair(): { readonly master: Known; readonly replica: Known } {
    if (!this.#master || !this.#replica) throw new Error('Redis was not started');
    return { master: this.#master, replica: this.#replica };
  }

  /** Do all sentinels name one master, and the other follows it? They may have handed over once more: then that is so. */
  async #isPaired(): Promise<boolean> {
    const { master, replica } = this.#pair;
    const named = new Set(await Promise.all(this.#sentinels.map(async (each) => (await each.master()).port)));
    const [port] = named;
    if (named.size !== 1 || port === undefined) return false;
    const [leads, follows] = port === replica.place.port ? [replica, master] : [master, replica];
    this.#master = leads;
    this.#replica = follows;
    const info = await follows.server.admin.info('replication');
    return info.includes(`master_port:${leads.place.port}`);
  }

  async #start(network: SiteNetwork): Promise<void> {
    this.#master = await this.#server(network, []);
    const { place } = this.#master;
    this.#replica = await this.#server(network, replicaOf(place));
    await this.#replica.server.inStep();
    const sentinels = [];
    const ports = [];
    for (let at = 0; at < SENTINELS; at += 1) {
      const port = await freePort(this.#host);
      const door = await network.redisDoor(port);
      const lines = [`sentinel announce-ip ${this.#host}`, `sentinel announce-port ${door}`];
      const options = { port, host: this.#host, master: place, quorum: QUORUM, parent: this.#folder };
      const sentinel = await RedisSentinel.open({ ...options, downAfterMs: DOWN_AFTER_MS, lines });
      this.#opened.push(sentinel);
      await sentinel.hurry(PERIODS);
      sentinels.push(sentinel);
      ports.push(door);
    }
    this.#sentinels = sentinels;
    this.#sentinelPorts = ports;
    await Promise.all(sentinels.map((sentinel) => this.#isKnownTo(sentinel, place)));
  }

  async #server(network: SiteNetwork, more: readonly string[]): Promise<Known> {
    const host = this.#host;
    const port = await freePort(host);
    const place = { host, port: await network.redisDoor(port) };
    const announced = ['--replica-announce-ip', host, '--replica-announce-port', String(place.port)];
    // A replica is sent all of it at once, not only after seconds in which others could ask, too.
    const args = [...announced, '--repl-diskless-sync-delay', '0', ...more];
    const server = await RedisServer.start({ host, port, args, parent: this.#folder });
    this.#opened.push(server);
    return { server, place };
  }

  /** A sentinel could hand over at once if the master went. */
  async #isKnownTo(sentinel: RedisSentinel, master: RedisPlace): Promise<void> {
    const look = async () => (await sentinel.master()).port === master.port;
    await until('the sentinels agree on the master', look, HEALED_WITHIN_MS);
    await sentinel.knows({ replicas: 1, sentinels: SENTINELS - 1 }, HEALED_WITHIN_MS);
  }
}
