// How late this process's own timers fire: a result measured while they did is the harness's, not the cluster's. And
// how busy the machine was.
import { readFileSync } from 'node:fs';

const TICK_MS = 10;

export class LoopWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  /** Ticks that were late by more than one tick: when, and by how much. */
  readonly #late: { readonly atMs: number; readonly lateMs: number }[] = [];
  #lastMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      const lateMs = nowMs - this.#lastMs - TICK_MS;
      this.#lastMs = nowMs;
      if (lateMs > TICK_MS) this.#late.push({ atMs: nowMs, lateMs });
    }, TICK_MS);
  }

  /** The longest stall of the event loop that ended in these times, ms; below 10 ms it counts as none. */
  worstMs(fromMs: number, toMs: number): number {
    const within = this.#late.filter(({ atMs, lateMs }) => atMs >= fromMs && atMs - lateMs <= toMs);
    return Math.max(0, ...within.map(({ lateMs }) => lateMs));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Share of the machine's CPU time in use since it was asked last, 0 to 1. */
export class MachineLoad {
  #last = cpuTimes();

  take(): number {
    const now = cpuTimes();
    const total = now.total - this.#last.total;
    const busy = 1 - (now.idle - this.#last.idle) / Math.max(1, total);
    this.#last = now;
    return total === 0 ? 0 : busy;
  }
}

/** proc(5), the line `cpu`: user nice system idle iowait irq softirq steal, in ticks. */
function cpuTimes(): { total: number; idle: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  return { total: ticks.reduce((sum, each) => sum + each, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
}
