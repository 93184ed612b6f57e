// What is told as metrics, family by family, and the counters that have a label. Plain fields elsewhere are read when
// asked; metrics-text.ts makes text of them.

/** One family of samples. Its name ends in the unit, a counter's in `_total` behind it. */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Counts by a code; the codes come from the program, and beyond `MAX_CODES` they count as `other`. */
export class CodeCounter {
  readonly #label: string;
  readonly #counts = new Map<string, number>();

  constructor(label = 'code') {
    this.#label = label;
  }

  count(code: string): void {
    const known = this.#counts.has(code) || this.#counts.size < MAX_CODES ? code : 'other';
    this.#counts.set(known, (this.#counts.get(known) ?? 0) + 1);
  }

  /** One sample a code. */
  samples(): MetricSample[] {
    return [...this.#counts].map(([code, value]) => ({ value, labels: { [this.#label]: code } }));
  }
}

const MAX_CODES = 100;

/** @param of one value, or the samples */
export function gauge(name: string, help: string, of: number | MetricFamily['samples']): MetricFamily {
  return { name, type: 'gauge', help, samples: samplesOf(of) };
}

/** @param name ends in `_total` */
export function counter(name: string, help: string, of: number | MetricFamily['samples']): MetricFamily {
  return { name, type: 'counter', help, samples: samplesOf(of) };
}

function samplesOf(of: number | MetricFamily['samples']): MetricFamily['samples'] {
  return typeof of === 'number' ? [{ value: of }] : of;
}
