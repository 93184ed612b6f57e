// How busy this process is: its share of a core and of the memory it may use, how late its event loop is, what it sends.
// It owns the figures and nothing that is done about them.
import { totalmem } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../base/clock.ts';

export interface Load {
  /** Of one core, 0 to 1: the event loop has no more. */
  readonly cpu: number;
  /** Of what the container or the machine has, 0 to 1. */
  readonly memory: number;
  /** What the worst in a hundred turns of the event loop was late. */
  readonly loopLagMs: number;
  readonly sentBytesPerS: number;
}

export interface LoadProbeNeeds {
  readonly clock: Clock;
  /** Bytes ever sent. */
  readonly sentBytes: () => number;
}

/** Figures are of at least this time; who asks more often gets the last ones again. */
const SPAN_MS = 900;
const RESOLUTION_MS = 20;

export class LoadProbe {
  readonly #needs: LoadProbeNeeds;
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #since = { atMs: Number.NEGATIVE_INFINITY, cpuUs: 0, sentBytes: 0 };
  #load: Load = { cpu: 0, memory: 0, loopLagMs: 0, sentBytesPerS: 0 };

  constructor(needs: LoadProbeNeeds) {
    this.#needs = needs;
  }

  /** Begins to watch. */
  start(): void {
    this.#since = this.#totals();
    this.#load = { ...this.#load, memory: memoryShare() };
    this.#delays.enable();
  }

  /** Calm when repeated. */
  stop(): void {
    this.#delays.disable();
  }

  /** The figures since they were last asked for. */
  read(): Load {
    const now = this.#totals();
    const ms = now.atMs - this.#since.atMs;
    if (ms < SPAN_MS) return this.#load;
    const delayMs = this.#delays.percentile(99) / 1e6;
    this.#load = {
      cpu: share((now.cpuUs - this.#since.cpuUs) / 1000, ms),
      memory: memoryShare(),
      loopLagMs: Math.max(0, Math.round(delayMs - RESOLUTION_MS)),
      sentBytesPerS: Math.max(0, Math.round(((now.sentBytes - this.#since.sentBytes) * 1000) / ms)),
    };
    this.#delays.reset();
    this.#since = now;
    return this.#load;
  }

  #totals() {
    const { user, system } = process.cpuUsage();
    return { atMs: this.#needs.clock.now(), cpuUs: user + system, sentBytes: this.#needs.sentBytes() };
  }
}

/** The memory that this process may use, bytes: the container's limit, else what the machine has. */
export function usableMemoryBytes(): number {
  // Without a limit, constrainedMemory() answers 0, or a number beyond any memory.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}

function memoryShare(): number {
  return share(process.memoryUsage.rss(), usableMemoryBytes());
}

function share(part: number, whole: number): number {
  return Math.round(Math.min(1, Math.max(0, part / whole)) * 1000) / 1000;
}
