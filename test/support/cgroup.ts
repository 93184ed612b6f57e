// A control group of a test's own, with a limit of CPU: processes are put into it, CPU is burnt in it, and nothing of it is
// left. It takes root, and a hierarchy with the controller cpu in which groups can be made.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

const MOUNT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;
let made = 0;

export class CpuLimitedGroup implements AsyncDisposable {
  /** One in each hierarchy that it takes. */
  readonly #folders: readonly string[];
  readonly #burners = new Set<ChildProcess>();

  /**
   * @param cores what all its processes together get
   * @throws Error if none can be made here: see `whyNot`
   */
  constructor(cores: number) {
    const name = `tideway-test-${process.pid}-${made++}`;
    const folders: string[] = [];
    this.#folders = folders;
    try {
      for (const parent of parents()) {
        const folder = join(parent, name);
        mkdirSync(folder);
        folders.push(folder);
        limit(folder, cores);
      }
    } catch (error) {
      for (const folder of folders) rmdirSync(folder);
      throw error;
    }
  }

  /** Why no such group can be made here; undefined: it can. */
  static whyNot(): string | undefined {
    try {
      const group = new CpuLimitedGroup(1);
      for (const folder of group.#folders) rmdirSync(folder);
      return undefined;
    } catch (error) {
      return `no CPU-limited control group can be made: ${(error as Error).message}`;
    }
  }

  /** Moves a running process, with all its threads, into the group. */
  add(pid: number): void {
    for (const folder of this.#folders) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
  }

  /** Another process in the group that takes all CPU it gets, until the answer is called. */
  burn(): () => Promise<void> {
    const burner = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    this.#burners.add(burner);
    const gone = new Promise<void>((resolve) => burner.once('close', () => resolve()));
    this.add(burner.pid ?? 0);
    return () => {
      this.#burners.delete(burner);
      burner.kill('SIGKILL');
      return gone;
    };
  }

  /** Ends what burns, moves other processes out, removes the group. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const burner of this.#burners) burner.kill('SIGKILL');
    for (const folder of this.#folders) {
      await until(`${folder} is removed`, () => {
        for (const pid of members(folder)) move(pid, join(folder, '..'));
        return removed(folder);
      });
    }
  }
}

/** The tops of v1's cpu and cpuacct, which are often one; else that of v2, if it hands cpu down. */
function parents(): string[] {
  const [cpu, cpuacct] = [join(MOUNT, 'cpu'), join(MOUNT, 'cpuacct')];
  if (existsSync(cpu)) return existsSync(join(cpu, 'cpuacct.usage')) ? [cpu] : [cpu, cpuacct];
  const handed = readFileSync(join(MOUNT, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
  if (handed.includes('cpu')) return [MOUNT];
  throw new Error(`${MOUNT} hands down no cpu`);
}

function limit(folder: string, cores: number): void {
  const quota = Math.round(cores * PERIOD_US);
  if (existsSync(join(folder, 'cpu.max'))) writeFileSync(join(folder, 'cpu.max'), `${quota} ${PERIOD_US}`);
  if (!existsSync(join(folder, 'cpu.cfs_quota_us'))) return;
  writeFileSync(join(folder, 'cpu.cfs_period_us'), String(PERIOD_US));
  writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota));
}

function members(folder: string): string[] {
  return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
}

function move(pid: string, folder: string): void {
  try {
    writeFileSync(join(folder, 'cgroup.procs'), pid);
  } catch {
    // It ended while we looked.
  }
}

/** One whose last process is just ending is busy for a moment. */
function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
