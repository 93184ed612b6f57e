// Control groups of a test's own, with a limit of CPU or of memory: processes are put into them, and nothing of them is
// left. It takes root, and a hierarchy with the controller in which groups can be made.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { numberOf } from '../../src/observe/small-file.ts';
import { until } from './until.ts';

const MOUNT = '/sys/fs/cgroup';
const V1_MEMORY = join(MOUNT, 'memory');
/** For processes that were killed to be gone, 10 ms each. */
const MOST_TRIES = 50;
const PERIOD_US = 100_000;
let made = 0;

/** A group without any limit yet, in each hierarchy that it takes. */
class ControlGroup implements AsyncDisposable {
  readonly folders: readonly string[];

  /**
   * @param parents folders of groups
   * @param name as no other has it
   * @throws Error if none can be made here
   */
  protected constructor(
    parents: readonly string[],
    name: string,
    limit: (folder: string) => void = () => {},
  ) {
    const folders: string[] = [];
    this.folders = folders;
    try {
      for (const parent of parents) {
        const folder = join(parent, name);
        mkdirSync(folder);
        folders.push(folder);
        limit(folder);
      }
    } catch (error) {
      for (const folder of folders) rmdirSync(folder);
      throw error;
    }
  }

  /** Moves a running process, with all its threads, into the group. */
  add(pid: number): void {
    for (const folder of this.folders) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
  }

  /** Beginning of a command line that starts a program in the group: memory is charged to the group of who asks for it. */
  get prefix(): readonly string[] {
    const enter = this.folders.map((folder) => `echo $$ > ${folder}/cgroup.procs && `).join('');
    return ['sh', '-c', `${enter}exec "$@"`, 'sh'];
  }

  /** Removes the group, whose processes were killed, without letting anything else happen meanwhile. */
  removeNow(): void {
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    for (const folder of this.folders) {
      for (let tries = 0; !removed(folder) && tries < MOST_TRIES; tries += 1) Atomics.wait(asleep, 0, 0, 10);
    }
  }

  /** Moves processes out, removes the group. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.folders) {
      await until(`${folder} is removed`, () => {
        for (const pid of members(folder)) move(pid, join(folder, '..'));
        return removed(folder);
      });
    }
  }
}

export class CpuLimitedGroup extends ControlGroup {
  readonly #burners = new Set<ChildProcess>();

  /**
   * @param cores what all its processes together get
   * @throws Error if none can be made here: see `whyNot`
   */
  constructor(cores: number) {
    super(cpuParents(), `tideway-test-${process.pid}-${made++}`, (folder) => limitCpu(folder, cores));
  }

  /** Why no such group can be made here; undefined: it can. */
  static whyNot(): string | undefined {
    return whyNone('CPU-limited', () => new CpuLimitedGroup(1));
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

  /** Ends what burns, too. */
  override async [Symbol.asyncDispose](): Promise<void> {
    for (const burner of this.#burners) burner.kill('SIGKILL');
    await super[Symbol.asyncDispose]();
  }
}

/** A group whose memory can be limited while it is in use; it begins without a limit. */
export class MemoryGroup extends ControlGroup {
  /**
   * @param name as no other has it
   * @throws Error if none can be made here: see `whyNot`
   */
  constructor(name: string) {
    super(memoryParents(), name);
  }

  /** Why no such group can be made here; undefined: it can. */
  static whyNot(): string | undefined {
    return whyNone('memory-limited', () => {
      const group = new MemoryGroup(`tideway-test-${process.pid}-${made++}`);
      group.limit(1 << 30);
      return group;
    });
  }

  /** Removes groups whose name says so, if nothing is in them any more. */
  static sweep(isLeft: (name: string) => boolean): void {
    for (const parent of MemoryGroup.whyNot() ? [] : memoryParents()) {
      for (const name of readdirSync(parent)) if (isLeft(name)) removed(join(parent, name));
    }
  }

  /** What its processes use, but for pages of files that the kernel gives back at once: as src/observe/cgroup.ts counts. */
  get usedBytes(): number {
    const stat = this.#read('memory.stat');
    const [use, unused] = hasV1Memory()
      ? ([this.#read('memory.usage_in_bytes'), numberOf('total_inactive_file', stat)] as const)
      : ([this.#read('memory.current'), numberOf('inactive_file', stat)] as const);
    return Number(use) - (unused ?? 0);
  }

  /** @param bytes that its processes may use together from now on; undefined: no limit */
  limit(bytes: number | undefined): void {
    const [file, none] = hasV1Memory() ? ['memory.limit_in_bytes', '-1'] : ['memory.max', 'max'];
    for (const folder of this.folders) writeFileSync(join(folder, file), String(bytes ?? none));
  }

  #read(file: string): string {
    return readFileSync(join(this.folders[0] ?? '', file), 'utf8');
  }
}

function whyNone(kind: string, make: () => ControlGroup): string | undefined {
  try {
    const group = make();
    for (const folder of group.folders) rmdirSync(folder);
    return undefined;
  } catch (error) {
    return `no ${kind} control group can be made: ${(error as Error).message}`;
  }
}

/** The tops of v1's cpu and cpuacct, which are often one; else that of v2, if it hands cpu down. */
function cpuParents(): string[] {
  const [cpu, cpuacct] = [join(MOUNT, 'cpu'), join(MOUNT, 'cpuacct')];
  if (existsSync(cpu)) return existsSync(join(cpu, 'cpuacct.usage')) ? [cpu] : [cpu, cpuacct];
  return [topOfV2('cpu')];
}

/** The top of v1's memory, else that of v2, if it hands memory down. */
function memoryParents(): string[] {
  return [hasV1Memory() ? V1_MEMORY : topOfV2('memory')];
}

function hasV1Memory(): boolean {
  return existsSync(join(V1_MEMORY, 'memory.usage_in_bytes'));
}

function topOfV2(controller: string): string {
  const handed = readFileSync(join(MOUNT, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
  if (handed.includes(controller)) return MOUNT;
  throw new Error(`${MOUNT} hands down no ${controller}`);
}

function limitCpu(folder: string, cores: number): void {
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
