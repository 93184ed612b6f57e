// Metric families as the text that Prometheus reads: prom-client checks names and labels, and writes it. It remembers what
// counters were: one that falls is taken for a restart, and all that it counts for new.
import { Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import type { MetricFamily, MetricSample } from './metrics.ts';

/** After so long, others have their turn of the event loop before the text goes on. */
const TURN_MS = 5;

export class MetricsText {
  readonly #clock: Clock;
  /** What each counter was when it was last told. Those alone: bounded as the samples are. */
  #told: ReadonlyMap<string, number> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The text, in the order of the families, those of `more` at the end. Samples are of now, however many turns it takes;
   * a counter never says less than it did.
   * @throws Error a name or label that Prometheus does not take, a family that comes twice
   */
  async write(families: readonly MetricFamily[], more?: Registry): Promise<string> {
    const registry = new Registry();
    const parts: string[] = [];
    let sinceMs = this.#clock.now();
    for (const family of this.#risen(families)) {
      register(family, registry);
      parts.push(await registry.getSingleMetricAsString(family.name), '\n');
      if (this.#clock.now() - sinceMs < TURN_MS) continue;
      await new Promise<void>((resolve) => this.#clock.soon(resolve));
      sinceMs = this.#clock.now();
    }
    if (more) parts.push(await more.metrics());
    return parts.join('');
  }

  /** What was given to a socket that then broke is counted no more by Node: sums over sockets can fall. */
  #risen(families: readonly MetricFamily[]): MetricFamily[] {
    const told = new Map<string, number>();
    const rise = (name: string, sample: MetricSample): MetricSample => {
      const key = `${name}${JSON.stringify(sample.labels ?? {})}`;
      const value = Math.max(sample.value, this.#told.get(key) ?? 0);
      told.set(key, value);
      return { ...sample, value };
    };
    const risen = families.map((family) =>
      family.type === 'counter'
        ? { ...family, samples: family.samples.map((sample) => rise(family.name, sample)) }
        : family,
    );
    this.#told = told;
    return risen;
  }
}

function register({ name, type, help, samples }: MetricFamily, registry: Registry): void {
  const labelNames = [...new Set(samples.flatMap(({ labels }) => Object.keys(labels ?? {})))];
  const options = { name, help, labelNames, registers: [registry] };
  if (type === 'counter') {
    const metric = new Counter(options);
    if (samples.length === 0) metric.remove();
    for (const { labels = {}, value } of samples) metric.inc({ ...labels }, value);
    return;
  }
  const metric = new Gauge(options);
  if (samples.length === 0) metric.remove();
  for (const { labels = {}, value } of samples) metric.set({ ...labels }, value);
}
