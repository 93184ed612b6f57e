// Many measured times in little memory, and what is said of them. Pure.
import type { Quantiles } from './orders.ts';

/** Beyond so many, every second one is dropped, and from then on only every second one is kept. */
const MAX_KEPT = 1_000_000;

/** Times in ms since the last `take`. */
export class Samples {
  #kept: number[] = [];
  #stride = 1;
  #count = 0;
  #max = 0;

  add(ms: number): void {
    if (this.#count % this.#stride === 0) this.#kept.push(ms);
    this.#count += 1;
    if (ms > this.#max) this.#max = ms;
    if (this.#kept.length < MAX_KEPT) return;
    this.#kept = this.#kept.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }

  /** What there is, which is forgotten; zeros if there is nothing. */
  take(): Quantiles {
    const sorted = Float64Array.from(this.#kept).sort();
    const at = (share: number) => rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
    const quantiles = { count: this.#count, p50: at(0.5), p99: at(0.99), max: rounded(this.#max) };
    this.#kept = [];
    this.#stride = 1;
    this.#count = 0;
    this.#max = 0;
    return quantiles;
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
