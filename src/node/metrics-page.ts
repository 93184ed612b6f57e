// What `/metrics` answers: what streams come to is summed up a few at a time, and one text is written for all who ask
// meanwhile. What is counted is its owners' to say.
import type { Clock } from '../base/clock.ts';
import type { Slices } from '../base/slices.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import type { LoopLag } from '../observe/load-probe.ts';
import type { MetricFamily } from '../observe/metrics.ts';
import { MetricsText } from '../observe/metrics-text.ts';
import { OthersSum } from '../observe/others-sum.ts';
import { RuntimeMetrics } from '../observe/runtime-metrics.ts';
import type { QualityWatch } from './quality-watch.ts';
import { type StreamTally, tallyStreams } from './stream-tally.ts';

export interface MetricsPageNeeds {
  readonly clock: Clock;
  readonly slices: Slices;
  readonly directory: StreamDirectory;
  readonly watch: QualityWatch;
  /** Streams that have a label of their own. */
  readonly maxNamed: () => number;
  /** What the parts of the node count. */
  readonly families: (tally: StreamTally) => readonly MetricFamily[];
  /** Of the event loop, since it was asked last. */
  readonly lag: () => LoopLag;
}

export class MetricsPage {
  readonly #needs: MetricsPageNeeds;
  readonly #text: MetricsText;
  readonly #runtime = new RuntimeMetrics();
  readonly #droppedOfOthers = new OthersSum();
  #making: Promise<string> | undefined;

  constructor(needs: MetricsPageNeeds) {
    this.#needs = needs;
    this.#text = new MetricsText(needs.clock);
  }

  /** Begins to watch the process. */
  start(): void {
    this.#runtime.start();
  }

  stop(): void {
    this.#runtime.stop();
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #make(): Promise<string> {
    const { slices, directory, watch, maxNamed, families, lag } = this.#needs;
    const sources = { directory, watch, droppedOfOthers: this.#droppedOfOthers };
    const tally = await slices.run(tallyStreams(sources, maxNamed()));
    const runtime = this.#runtime.families(lag());
    return this.#text.write([...families(tally), ...runtime], this.#runtime.registry);
  }
}
