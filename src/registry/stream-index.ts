// The list of streams in Redis, over 64 sorted sets of key and last touch: best effort, for lists that people read.
// Whether a stream in it is live, its own record tells.
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { readStreamKey } from './records.ts';

const SHARDS = 64;
/** A claim that stands touches its stream this often. */
const TOUCH_EVERY_MS = 30_000;
/** A stream that nobody touched for so long is left out, and swept at the next touch of its shard. */
const FORGET_MS = 90_000;
/** Streams of this process whose last touch is remembered; one that was forgotten is touched again early. */
const MAX_REMEMBERED = 20_000;

/** The commands that it needs of a Redis client. */
export interface IndexCommands {
  zadd(key: string, score: number, member: string): Promise<unknown>;
  zrem(key: string, member: string): Promise<unknown>;
  zremrangebyscore(key: string, min: string, max: string): Promise<unknown>;
  zrangebyscore(
    key: string,
    min: string,
    max: string,
    limit: 'LIMIT',
    offset: number,
    count: number,
  ): Promise<string[]>;
}

export class StreamIndex {
  readonly #commands: IndexCommands;
  readonly #prefix: string;
  readonly #touchedMs = new Map<StreamKey, number>();

  /** @param prefix of its keys: `tw:{ix:` */
  constructor(commands: IndexCommands, prefix: string) {
    this.#commands = commands;
    this.#prefix = prefix;
  }

  get table(): Table {
    return { table: 'registry_touched_streams', entries: this.#touchedMs.size, limit: MAX_REMEMBERED };
  }

  /** Says that the stream is claimed. Writes now and then; a write that fails is made good by a later one. */
  touch(key: StreamKey, registryWallMs: number): void {
    const touchedMs = this.#touchedMs.get(key);
    if (touchedMs !== undefined && Math.abs(registryWallMs - touchedMs) < TOUCH_EVERY_MS) return;
    this.#touchedMs.set(key, registryWallMs);
    for (const oldest of this.#touchedMs.keys()) {
      if (this.#touchedMs.size <= MAX_REMEMBERED) break;
      this.#touchedMs.delete(oldest);
    }
    const shard = this.#shardOf(key);
    const forget = () => this.#touchedMs.delete(key);
    this.#commands.zadd(shard, registryWallMs, key).catch(forget);
    this.#commands.zremrangebyscore(shard, '-inf', String(registryWallMs - FORGET_MS)).catch(forget);
  }

  /** Says that the stream is no longer this process's. */
  drop(key: StreamKey): void {
    this.#touchedMs.delete(key);
  }

  /** Says that nobody has the stream. */
  remove(key: StreamKey): void {
    this.drop(key);
    this.#commands.zrem(this.#shardOf(key), key).catch(() => {});
  }

  /** Streams that were touched of late, as many as `limit`. */
  async list(registryWallMs: number, limit: number): Promise<StreamKey[]> {
    const since = String(registryWallMs - FORGET_MS);
    const shards = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) =>
        this.#commands.zrangebyscore(this.#keyOf(shard), since, '+inf', 'LIMIT', 0, limit),
      ),
    );
    return shards
      .flat()
      .flatMap((text) => readStreamKey(text) ?? [])
      .slice(0, limit);
  }

  #shardOf(key: StreamKey): string {
    // FNV-1a, 32 bits.
    let hash = 0x811c9dc5;
    for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    return this.#keyOf((hash >>> 0) % SHARDS);
  }

  #keyOf(shard: number): string {
    return `${this.#prefix}${shard}}`;
  }
}
