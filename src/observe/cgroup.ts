// The limits of the container that this process is in, and what is used of them, by its control groups: v2, v1, or both
// beside each other. It reads what the kernel shows and never throws; without a limit it has nothing to say.
import { join } from 'node:path';
import { numberOf, readText, wholeNumber } from './small-file.ts';

export interface CpuUse {
  /** Whose it is; only readings of the same one can be compared. */
  readonly of: string;
  /** CPU time that was used ever, ms. */
  readonly usedMs: number;
  /** What may be used, in cores: 0.5 is half a second of CPU a second. */
  readonly cores: number;
}

export interface MemoryUse {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** Where a hierarchy of groups is mounted: v2's, or that of one v1 controller. */
interface Mount {
  readonly point: string;
  /** The group that the mount shows as its root. */
  readonly group: string;
}

/** A limit, and how to read what is used of it. */
interface Limit<Use> {
  readonly most: number;
  readonly use: () => Use | undefined;
}

const V2 = '';
/** Deeper than any that is in use. */
const MAX_LEVELS = 32;

/** cgroups(7) of this process. Read anew each time, since limits may change and a process may be moved. */
export class Cgroup {
  readonly #root: string;
  /** By v1 controller, or V2. Mounts of a container don't change. */
  readonly #mounts: ReadonlyMap<string, Mount>;

  /** @param root where /proc and /sys are looked for */
  constructor(root = '/') {
    this.#root = root;
    this.#mounts = mountsIn(readText(join(root, 'proc/self/mountinfo')) ?? '');
  }

  /** Of the tightest limit among this group's and its parents'; undefined without any whose use can be read. */
  cpu(): CpuUse | undefined {
    const groups = this.#groups();
    // The two are mounted together nearly everywhere; apart, use is that of a group only where both have the same ones.
    const levels = groups.get('cpu') === groups.get('cpuacct') ? this.#levels('cpu', groups) : [];
    const accounts = this.#levels('cpuacct', groups);
    return tightest([
      ...this.#levels(V2, groups).map(cpuOfV2),
      ...levels.map((level, at) => cpuOfV1(level, accounts[at] ?? level)),
    ]);
  }

  /** The same of memory. Pages of files that the kernel gives back at once are not in use. */
  memory(): MemoryUse | undefined {
    const groups = this.#groups();
    return tightest([
      ...this.#levels(V2, groups).map(memoryOfV2),
      ...this.#levels('memory', groups).map(memoryOfV1),
    ]);
  }

  /** The group of this process in each hierarchy. */
  #groups(): ReadonlyMap<string, string> {
    const groups = new Map<string, string>();
    for (const line of (readText(join(this.#root, 'proc/self/cgroup')) ?? '').split('\n')) {
      const [, , names, group] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
      if (names === undefined || group === undefined) continue;
      for (const name of names.split(',')) if (!groups.has(name)) groups.set(name, group);
    }
    return groups;
  }

  /**
   * The folders of its group and of all above it, as far as the mount shows them. In a container the group's path may
   * be one of the host, which isn't there: then the mount's root is the container's own, and it is on the way up.
   */
  #levels(hierarchy: string, groups: ReadonlyMap<string, string>): string[] {
    const mount = this.#mounts.get(hierarchy);
    if (!mount) return [];
    const names = below(mount.group, groups.get(hierarchy) ?? '/');
    const base = join(this.#root, mount.point);
    const depth = Math.min(names.length, MAX_LEVELS);
    return Array.from({ length: depth + 1 }, (_, up) => join(base, ...names.slice(0, depth - up)));
  }
}

/** The way from one group down to another; none if it is not below. */
function below(top: string, group: string): string[] {
  const from = top.split('/').filter(Boolean);
  const to = group.split('/').filter(Boolean);
  const isBelow = from.every((name, at) => to[at] === name) && !to.includes('..');
  return isBelow ? to.slice(from.length) : [];
}

/** proc(5), mountinfo: `31 23 0:28 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct`. */
function mountsIn(text: string): ReadonlyMap<string, Mount> {
  const mounts = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [own = '', of = ''] = line.split(' - ');
    const [, , , group, point] = own.split(' ').map(unescaped);
    const [type, , options = ''] = of.split(' ');
    if (group === undefined || point === undefined) continue;
    const hierarchies = type === 'cgroup2' ? [V2] : type === 'cgroup' ? options.split(',') : [];
    // Others of the same are binds of some part of it.
    for (const each of hierarchies) if (!mounts.has(each)) mounts.set(each, { point, group });
  }
  return mounts;
}

/** Blanks in paths stand as `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function tightest<Use>(limits: readonly (Limit<Use> | undefined)[]): Use | undefined {
  const known = limits.filter((limit) => limit !== undefined).sort((a, b) => a.most - b.most);
  for (const { use } of known) {
    const found = use();
    if (found) return found;
  }
  return undefined;
}

function cpuOfV2(folder: string): Limit<CpuUse> | undefined {
  const [quota, period] = (readText(join(folder, 'cpu.max')) ?? '').split(' ');
  return cpuLimit(folder, wholeNumber(quota), wholeNumber(period), () =>
    scaled(numberOf('usage_usec', readText(join(folder, 'cpu.stat'))), 1e3),
  );
}

function cpuOfV1(folder: string, accounts: string): Limit<CpuUse> | undefined {
  // -1 is no limit.
  const quota = wholeNumber(readText(join(folder, 'cpu.cfs_quota_us')));
  if (quota === undefined) return undefined;
  return cpuLimit(folder, quota, wholeNumber(readText(join(folder, 'cpu.cfs_period_us'))), () =>
    scaled(wholeNumber(readText(join(accounts, 'cpuacct.usage'))), 1e6),
  );
}

function cpuLimit(
  of: string,
  quota: number | undefined,
  period: number | undefined,
  used: () => number | undefined,
): Limit<CpuUse> | undefined {
  if (!quota || !period) return undefined;
  const cores = quota / period;
  const use = () => {
    const usedMs = used();
    return usedMs === undefined ? undefined : { of, usedMs, cores };
  };
  return { most: cores, use };
}

function memoryOfV2(folder: string): Limit<MemoryUse> | undefined {
  // Above `high` a group is slowed down until nothing works: for us that is a limit too.
  const limits = ['memory.max', 'memory.high'].map((name) => wholeNumber(readText(join(folder, name))));
  const limitBytes = Math.min(...limits.filter((limit) => limit !== undefined));
  return memoryLimit(limitBytes, () =>
    without(
      wholeNumber(readText(join(folder, 'memory.current'))),
      numberOf('inactive_file', readText(join(folder, 'memory.stat'))),
    ),
  );
}

function memoryOfV1(folder: string): Limit<MemoryUse> | undefined {
  // Without a limit it is a number beyond any memory, which the machine's own is tighter than.
  const limitBytes = wholeNumber(readText(join(folder, 'memory.limit_in_bytes'))) ?? Number.POSITIVE_INFINITY;
  return memoryLimit(limitBytes, () =>
    without(
      wholeNumber(readText(join(folder, 'memory.usage_in_bytes'))),
      numberOf('total_inactive_file', readText(join(folder, 'memory.stat'))),
    ),
  );
}

function memoryLimit(limitBytes: number, used: () => number | undefined): Limit<MemoryUse> | undefined {
  if (!Number.isFinite(limitBytes) || limitBytes === 0) return undefined;
  const use = () => {
    const usedBytes = used();
    return usedBytes === undefined ? undefined : { usedBytes, limitBytes };
  };
  return { most: limitBytes, use };
}

function scaled(amount: number | undefined, by: number): number | undefined {
  return amount === undefined ? undefined : amount / by;
}

function without(whole: number | undefined, part = 0): number | undefined {
  return whole === undefined ? undefined : Math.max(0, whole - part);
}
