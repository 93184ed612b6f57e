// What the benchmark asks of the machine: cores for server and load, CPU time and memory of a process, how busy a core is.
// It measures from outside, by /proc; where that is missing, figures are undefined, never guessed.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Which core does what; without a number nothing is pinned. */
export interface Cores {
  readonly server: number | undefined;
  /** Of the crowd, whose busyness is watched. */
  readonly crowd: number | undefined;
  /** Of the publisher; with two cores that of the crowd. */
  readonly publisher: number | undefined;
}

const UNPINNED: Cores = { server: undefined, crowd: undefined, publisher: undefined };

/** Shares out the cores that this process may use: the first serves, the last has the crowd, one between publishes. */
export function coresOf(allowed: readonly number[]): Cores {
  const server = allowed[0];
  const crowd = allowed.at(-1);
  if (allowed.length < 2 || server === undefined || crowd === undefined) return UNPINNED;
  return { server, crowd, publisher: allowed.length > 2 ? allowed.at(-2) : crowd };
}

/** The cores of this run: shared out where `taskset` is there and there are two, else unpinned. */
export function findCores(): Cores {
  if (spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status !== 0) return UNPINNED;
  return coresOf(allowedCores());
}

/** The cores that this process may use; none where /proc does not tell. */
function allowedCores(): number[] {
  const list = textOf('/proc/self/status')?.match(/^Cpus_allowed_list:\s*(\S+)/m)?.[1];
  return list === undefined ? [] : coreList(list);
}

/** proc(5): `0-2,5` */
export function coreList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

/** A command on one core: `['node', 'x']` -> `['taskset', '-c', '1', 'node', 'x']`. */
export function pinned(core: number | undefined, command: readonly string[]): string[] {
  return core === undefined ? [...command] : ['taskset', '-c', String(core), ...command];
}

/** Moves this process, and what it starts, off the server's core. */
export function stepAside({ server, crowd }: Cores): void {
  if (server === undefined || crowd === undefined) return;
  const list = allowedCores()
    .filter((core) => core !== server)
    .join(',');
  spawnSync('taskset', ['-a', '-p', '-c', list, String(process.pid)], { stdio: 'ignore' });
}

/** CPU seconds that processes took since they began, all threads; undefined: /proc does not tell. */
export function cpuSeconds(pids: readonly number[]): number | undefined {
  const each = pids.map(cpuSecondsOf);
  return each.reduce(
    (sum, seconds) => (sum === undefined || seconds === undefined ? undefined : sum + seconds),
    0,
  );
}

function cpuSecondsOf(pid: number): number | undefined {
  let ns = 0;
  try {
    // In ns, where /proc/<pid>/stat counts ticks of 10 ms; of each thread, as the file of the process is its first only.
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(textOf(`/proc/${pid}/task/${task}/schedstat`)?.split(' ')[0] ?? 0);
    }
  } catch {
    return undefined;
  }
  return ns > 0 ? ns / 1e9 : undefined;
}

/** Memory of processes that is in RAM, KB of 1,024 bytes; undefined: /proc does not tell. */
export function rssKB(pids: readonly number[]): number | undefined {
  let sum = 0;
  for (const pid of pids) {
    // The kernel keeps the sum in `status` per core and rounds it; smaps_rollup walks the pages.
    const text =
      textOf(`/proc/${pid}/smaps_rollup`)?.match(/^Rss:\s+(\d+)/m) ??
      textOf(`/proc/${pid}/status`)?.match(/^VmRSS:\s+(\d+)/m);
    if (!text) return undefined;
    sum += Number(text[1]);
  }
  return sum;
}

/** Child processes of a process, as the kernel lists them. */
export function childPids(pid: number): number[] {
  const text = textOf(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** The command line of a process, arguments apart by NUL; empty: it is gone. */
export function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`) ?? '';
}

/** How busy one core was since it was asked last, 0 to 1; without a core, or /proc, undefined. */
export class CoreWatch {
  readonly #core: number | undefined;
  #last: CoreTicks | undefined;

  constructor(core: number | undefined) {
    this.#core = core;
    this.#last = coreTicks(core, textOf('/proc/stat') ?? '');
  }

  take(): number | undefined {
    const now = coreTicks(this.#core, textOf('/proc/stat') ?? '');
    const last = this.#last;
    this.#last = now;
    if (!now || !last || now.total === last.total) return undefined;
    return 1 - (now.idle - last.idle) / (now.total - last.total);
  }
}

export interface CoreTicks {
  readonly total: number;
  readonly idle: number;
}

/** proc(5), a line `cpu1`: user nice system idle iowait irq softirq steal. */
export function coreTicks(core: number | undefined, stat: string): CoreTicks | undefined {
  const line = stat.split('\n').find((each) => each.startsWith(`cpu${core} `));
  if (core === undefined || line === undefined) return undefined;
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  return { total: ticks.reduce((sum, each) => sum + each, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
}

/** For people and for the JSON. */
export function machineName(): string {
  return `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}`;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
