// How busy this node is: CPU and memory of its container or host, its event loop, what it sends and receives and what it
// could send. It owns the figures and nothing that is done about them.
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../base/clock.ts';
import type { CpuUse, MemoryUse } from './cgroup.ts';
import { Machine } from './machine.ts';
import { type Capacity, SendCapacity, type SendCapacityOptions } from './send-capacity.ts';

export interface Load {
  /** Of what the container may use, else of the host's: by all that run in it, 0 to 1, smoothed. */
  readonly cpu: number;
  /** The same of memory, as it is now. */
  readonly memory: number;
  /** Part of its time in which the event loop was busy, 0 to 1, smoothed: it has one core, however many there are. */
  readonly loopBusy: number;
  /** What the worst in a hundred turns of the event loop was late. */
  readonly loopLagMs: number;
  /** Smoothed. */
  readonly sentBytesPerS: number;
  readonly receivedBytesPerS: number;
  readonly capacityBytesPerS: number;
}

/** What turns of the event loop were late, s. */
export interface LoopLag {
  readonly max: number;
  /** In 99 of a hundred it was no more. */
  readonly p99: number;
}

/** What the shares are of. */
export interface LoadBasis {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly capacityFrom: Capacity['from'];
}

/** Bytes ever, of all connections. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface LoadProbeNeeds {
  readonly clock: Clock;
  /** A sum over all connections: asked for once a span. */
  readonly traffic: () => Traffic;
  readonly machine?: { cpu(): CpuUse; memory(): MemoryUse };
  /** Time ever that the event loop was busy, and idle, ms. */
  readonly loopTimes?: () => { readonly active: number; readonly idle: number };
}

/** Figures are of at least this time; who asks more often gets the last ones again. */
const SPAN_MS = 900;
const RESOLUTION_MS = 20;
/** A change has come through by 49 % after 1 s, 74 % after 2, 86 % after 3: a short peak does not move everybody. */
const SMOOTHING_MS = 1_500;
const NOTHING: Load = {
  ...{ cpu: 0, memory: 0, loopBusy: 0, loopLagMs: 0 },
  ...{ sentBytesPerS: 0, receivedBytesPerS: 0, capacityBytesPerS: 0 },
};

const NO_LAG: LoopLag = { max: 0, p99: 0 };

interface Totals extends Traffic {
  readonly atMs: number;
  readonly cpu: CpuUse;
  readonly loop: { readonly active: number; readonly idle: number };
}

export class LoadProbe {
  readonly #clock: Clock;
  readonly #traffic: () => Traffic;
  readonly #loopTimes: () => { readonly active: number; readonly idle: number };
  readonly #machine: { cpu(): CpuUse; memory(): MemoryUse };
  readonly #capacity: SendCapacity;
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  /** Since the lag was taken last. A second timer that measures it would cost as much as the first: 0.1 % of a core. */
  #lag = NO_LAG;
  #since: Totals | undefined;
  /** Before it is rounded, so that small changes count. */
  #smooth = { cpu: 0, loopBusy: 0, sentBytesPerS: 0, receivedBytesPerS: 0 };
  #load = NOTHING;
  #basis: LoadBasis = { cpuCores: 0, memoryBytes: 0, capacityFrom: 'measured' };

  constructor(options: SendCapacityOptions, needs: LoadProbeNeeds) {
    const { clock, traffic, machine = new Machine(options.root) } = needs;
    this.#clock = clock;
    this.#traffic = traffic;
    this.#loopTimes = needs.loopTimes ?? (() => performance.eventLoopUtilization());
    this.#machine = machine;
    this.#capacity = new SendCapacity(options, clock);
  }

  /** Begins to watch. What was before counts as no load. */
  start(): void {
    this.#since = this.#totals();
    this.#show(this.#since, 0);
    this.#delays.enable();
  }

  /** Calm when repeated. */
  stop(): void {
    this.#delays.disable();
  }

  /** The figures as of now, or of less than a span ago; all 0 before `start`. */
  read(): Load {
    const since = this.#since;
    if (!since || this.#clock.now() - since.atMs < SPAN_MS) return this.#load;
    const now = this.#totals();
    const ms = now.atMs - since.atMs;
    const weight = 1 - Math.exp(-ms / SMOOTHING_MS);
    const come = (before: number, value: number) => before + (Math.max(0, value) - before) * weight;
    const { cpu, loopBusy, sentBytesPerS, receivedBytesPerS } = this.#smooth;
    const active = now.loop.active - since.loop.active;
    const loopMs = active + now.loop.idle - since.loop.idle;
    this.#smooth = {
      // Of another group there is nothing to compare with: moved, or its limits changed.
      cpu:
        now.cpu.of === since.cpu.of
          ? come(cpu, share(now.cpu.usedMs - since.cpu.usedMs, ms * now.cpu.cores))
          : cpu,
      loopBusy: come(loopBusy, share(active, loopMs)),
      sentBytesPerS: come(sentBytesPerS, ((now.sentBytes - since.sentBytes) * 1000) / ms),
      receivedBytesPerS: come(receivedBytesPerS, ((now.receivedBytes - since.receivedBytes) * 1000) / ms),
    };
    const delayMs = this.#delays.percentile(99) / 1e6;
    const { max, p99 } = this.#lag;
    this.#lag = { max: Math.max(max, lateS(this.#delays.max)), p99: Math.max(p99, lateS(delayMs * 1e6)) };
    this.#delays.reset();
    this.#since = now;
    this.#show(now, Math.max(0, Math.round(delayMs - RESOLUTION_MS)));
    return this.#load;
  }

  /** Of the worst span since it was taken last. */
  takeLag(): LoopLag {
    const lag = this.#lag;
    this.#lag = NO_LAG;
    return lag;
  }

  /** As of the last figures. */
  get basis(): LoadBasis {
    return this.#basis;
  }

  #totals(): Totals {
    return {
      atMs: this.#clock.now(),
      cpu: this.#machine.cpu(),
      loop: this.#loopTimes(),
      ...this.#traffic(),
    };
  }

  #show({ cpu: { cores } }: Totals, loopLagMs: number): void {
    const { cpu, loopBusy, sentBytesPerS, receivedBytesPerS } = this.#smooth;
    const { usedBytes, limitBytes } = this.#machine.memory();
    const capacity = this.#capacity.read(sentBytesPerS);
    this.#load = {
      cpu: rounded(cpu),
      memory: rounded(share(usedBytes, limitBytes)),
      loopBusy: rounded(loopBusy),
      loopLagMs,
      sentBytesPerS: Math.round(sentBytesPerS),
      receivedBytesPerS: Math.round(receivedBytesPerS),
      capacityBytesPerS: capacity.bytesPerS,
    };
    this.#basis = { cpuCores: cores, memoryBytes: limitBytes, capacityFrom: capacity.from };
  }
}

/** The memory that this process may use, bytes: the container's limit, else what the machine has. */
export function usableMemoryBytes(): number {
  return new Machine().memory().limitBytes;
}

/** Measured delays hold the pause between two measurements, too; 0 without any. */
function lateS(delayNs: number): number {
  return Math.max(0, delayNs / 1e9 - RESOLUTION_MS / 1000);
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}

/** To a thousandth. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
