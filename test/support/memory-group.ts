// A control group with a limit of memory.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { numberOf } from '../../src/observe/small-file.ts';
import { CGROUP_MOUNT, ControlGroup, groupName, removed, topOfV2, whyNone } from './control-group.ts';

const V1_MEMORY = join(CGROUP_MOUNT, 'memory');

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
      const group = new MemoryGroup(groupName());
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

/** The top of v1's memory, else that of v2, if it hands memory down. */
function memoryParents(): string[] {
  return [hasV1Memory() ? V1_MEMORY : topOfV2('memory')];
}

function hasV1Memory(): boolean {
  return existsSync(join(V1_MEMORY, 'memory.usage_in_bytes'));
}
