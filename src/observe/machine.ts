// What this process may use of CPU and memory, and how much of it is in use, by whomever: of its container where that has
// the tighter limit, else of the whole machine.
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { Cgroup, type CpuUse, type MemoryUse } from './cgroup.ts';
import { numberOf, readText, wholeNumber } from './small-file.ts';

/** USER_HZ of Linux, on all that Node runs on. */
const TICK_MS = 10;

export class Machine {
  readonly #root: string;
  readonly #cgroup: Cgroup;
  readonly #cores: number;

  /** @param root where /proc and /sys are looked for */
  constructor(root = '/') {
    this.#root = root;
    this.#cgroup = new Cgroup(root);
    this.#cores = this.#host().cores;
  }

  cpu(): CpuUse {
    const container = this.#cgroup.cpu();
    return container && container.cores < this.#cores ? container : this.#host();
  }

  memory(): MemoryUse {
    const container = this.#cgroup.memory();
    const text = readText(join(this.#root, 'proc/meminfo'));
    const limitBytes = kilobytes('MemTotal', text) ?? totalmem();
    if (container && container.limitBytes < limitBytes) return container;
    const freeBytes = kilobytes('MemAvailable', text) ?? kilobytes('MemFree', text) ?? freemem();
    return { usedBytes: Math.max(0, limitBytes - freeBytes), limitBytes };
  }

  #host(): CpuUse {
    return hostByTicks(readText(join(this.#root, 'proc/stat')) ?? '') ?? hostByNode();
  }
}

/** proc(5), `cpu  user nice system idle iowait irq softirq steal …`. What was stolen is no more ours than what was used. */
function hostByTicks(text: string): CpuUse | undefined {
  const lines = text.split('\n');
  const ticks = (lines.find((line) => line.startsWith('cpu ')) ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map(wholeNumber);
  const cores = lines.filter((line) => /^cpu\d/.test(line)).length;
  const [idle, waiting = 0] = [ticks[3], ticks[4]];
  if (cores === 0 || idle === undefined) return undefined;
  const all = ticks.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return { of: 'host', usedMs: (all - idle - waiting) * TICK_MS, cores };
}

/** On other systems than Linux. */
function hostByNode(): CpuUse {
  const each = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  return { of: 'host', usedMs: each.reduce((sum, ms) => sum + ms, 0), cores: Math.max(1, each.length) };
}

function kilobytes(name: string, text: string | undefined): number | undefined {
  const amount = numberOf(name, text);
  return amount ? amount * 1024 : undefined;
}
