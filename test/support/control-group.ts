// Control groups of a test's own: processes are put into them, and nothing of them is left. It takes root, and a hierarchy
// with the controller in which groups can be made.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

/** Where the hierarchies of control groups are: of v2, or a folder for each controller of v1. */
export const CGROUP_MOUNT = '/sys/fs/cgroup';
/** For processes that were killed to be gone, 10 ms each. */
const MOST_TRIES = 50;
let made = 0;

/** A group without any limit yet, in each hierarchy that it takes. */
export class ControlGroup implements AsyncDisposable {
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

/** A name as no other group has it. */
export function groupName(): string {
  return `tideway-test-${process.pid}-${made++}`;
}

/** Why a group cannot be made; undefined: it can, and was removed again. */
export function whyNone(kind: string, make: () => ControlGroup): string | undefined {
  try {
    const group = make();
    for (const folder of group.folders) rmdirSync(folder);
    return undefined;
  } catch (error) {
    return `no ${kind} control group can be made: ${(error as Error).message}`;
  }
}

/**
 * The top of v2.
 * @throws Error if it does not hand the controller down
 */
export function topOfV2(controller: string): string {
  const handed = readFileSync(join(CGROUP_MOUNT, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
  if (handed.includes(controller)) return CGROUP_MOUNT;
  throw new Error(`${CGROUP_MOUNT} hands down no ${controller}`);
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

/** Was its folder removed? One whose last process is just ending is busy for a moment. */
export function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
