// How often each of many may do something: a token bucket for each (RFC 2697 calls it a meter). Pure: time comes in by hand.
import type { Table } from './table.ts';

export interface Rate {
  readonly perSecond: number;
  /** At once, after a pause. */
  readonly burst: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Whoever finds no room in the table shares this one with all others that find none. */
const OTHERS = '';
/** Those that have their whole burst again are forgotten at most so often, so that a flood of keys costs little. */
const SWEEP_EVERY_MS = 1_000;

export class RateLimiter {
  readonly #table: string;
  readonly #maxKeys: number;
  readonly #rate: () => Rate;
  /** Bounded by maxKeys, and one more for OTHERS. */
  readonly #buckets = new Map<string, Bucket>();
  #sweptMs = Number.NEGATIVE_INFINITY;

  /** @param options.table what its table is called in metrics; `rate` is asked each time */
  constructor(options: {
    readonly table: string;
    readonly maxKeys: number;
    readonly rate: () => Rate;
  }) {
    this.#table = options.table;
    this.#maxKeys = options.maxKeys;
    this.#rate = options.rate;
  }

  get table(): Table {
    return { table: this.#table, entries: this.#buckets.size, limit: this.#maxKeys + 1 };
  }

  /** Is there something left for the key? Nothing is taken. */
  allows(key: string, nowMs: number): boolean {
    const { perSecond, burst } = this.#rate();
    const bucket = this.#buckets.get(key) ?? (this.#isFull ? this.#buckets.get(OTHERS) : undefined);
    return bucket === undefined || leftIn(bucket, nowMs, { perSecond, burst }) >= 1;
  }

  /** Takes one; false: nothing is left. */
  take(key: string, nowMs: number): boolean {
    const rate = this.#rate();
    const bucket = this.#bucketOf(key, nowMs, rate);
    const left = leftIn(bucket, nowMs, rate);
    if (left < 1) return false;
    bucket.left = left - 1;
    bucket.atMs = nowMs;
    return true;
  }

  get #isFull(): boolean {
    return this.#buckets.size >= this.#maxKeys;
  }

  #bucketOf(key: string, nowMs: number, rate: Rate): Bucket {
    const known = this.#buckets.get(key);
    if (known) return known;
    if (this.#isFull) this.#sweep(nowMs, rate);
    const name = this.#isFull ? OTHERS : key;
    const bucket = this.#buckets.get(name) ?? { left: rate.burst, atMs: nowMs };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #sweep(nowMs: number, rate: Rate): void {
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return;
    this.#sweptMs = nowMs;
    for (const [key, bucket] of this.#buckets) {
      if (leftIn(bucket, nowMs, rate) >= rate.burst) this.#buckets.delete(key);
    }
  }
}

function leftIn({ left, atMs }: Bucket, nowMs: number, { perSecond, burst }: Rate): number {
  return Math.min(burst, left + ((nowMs - atMs) * perSecond) / 1000);
}
