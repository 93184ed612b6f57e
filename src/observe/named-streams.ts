// A counter by stream that names so many streams, and counts all others as one. No series of it ever goes down or leaps:
// what was counted under one name is never counted under another.
import type { StreamKey } from '../base/stream-key.ts';
import type { MetricSample } from './metrics.ts';

/** What is not named; no stream key is without a slash. */
const OTHER = 'other';

interface Series {
  /** What the stream had when it was named: it is of the others. Below 0: what was told before it counted anew. */
  base: number;
  /** As it was told last. */
  value: number;
}

export class NamedStreams {
  readonly #max: number;
  /** At most `max`. */
  readonly #named = new Map<StreamKey, Series>();
  /** Those that had no name when they were told last: counted with the others. Bounded by who gives the values. */
  #nameless = new Set<StreamKey>();
  /** What was told under names that were given up. */
  #retired = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * The series, as they stand. Who has a name keeps it while it is among the values; names that are free go to those with the
   * highest values.
   * @param values of each stream that there is: no value ever goes down
   * @param total of all streams ever
   */
  samples(values: ReadonlyMap<StreamKey, number>, total: number): MetricSample[] {
    for (const [stream, { value }] of this.#named) {
      if (values.has(stream)) continue;
      this.#retired += value;
      this.#named.delete(stream);
    }
    this.#name(values);
    let named = 0;
    const samples: MetricSample[] = [];
    for (const [stream, series] of this.#named) {
      const value = values.get(stream) ?? 0;
      // It was gone meanwhile and counts anew: the series goes on from where it was.
      if (value - series.base < series.value) series.base = -series.value;
      series.value = value - series.base;
      named += series.value;
      samples.push({ labels: { stream }, value: series.value });
    }
    samples.push({ labels: { stream: OTHER }, value: total - named - this.#retired });
    return samples;
  }

  #name(values: ReadonlyMap<StreamKey, number>): void {
    const without = [...values].filter(([stream]) => !this.#named.has(stream));
    const free = this.#max - this.#named.size;
    if (free > 0 && without.length > free) without.sort(([, a], [, b]) => b - a);
    const before = this.#nameless;
    this.#nameless = new Set();
    for (const [at, [stream, value]] of without.entries()) {
      if (at >= free) this.#nameless.add(stream);
      else this.#named.set(stream, { base: before.has(stream) ? value : 0, value: 0 });
    }
  }
}
