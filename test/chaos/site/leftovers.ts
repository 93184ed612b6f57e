// What is taken away of sites whose process is gone without having closed them (SIGKILL): their processes, folders, groups.
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryGroup } from '../../support/memory-group.ts';
import { until } from '../../support/until.ts';
import { isLeftOf } from './site-name.ts';
import { forgetClock } from './wall-clocks.ts';

/** The environment of each node of a site has its folder's path by this name. */
export const FOLDER_VARIABLE = 'CHAOS_SITE_FOLDER';

/** Where a site of this name keeps its files. */
export function folderOf(name: string): string {
  return join(tmpdir(), name);
}

/** Namespaces are not among them: see `NamespaceNetwork`. */
export async function sweepLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter(isLeftOf)) {
    const folder = folderOf(name);
    await until(`nothing runs in ${folder}`, () => {
      const pids = processesOf(folder);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      for (const pid of pids) forgetClock(pid);
      return pids.length === 0;
    });
    rmSync(folder, { recursive: true, force: true });
  }
  MemoryGroup.sweep(isLeftOf);
}

/** Redis works in a folder of its own in the site's. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isIn = readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
        return (
          isIn || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${FOLDER_VARIABLE}=${folder}\0`)
        );
      } catch {
        return false; // it ended, or is another user's
      }
    })
    .map(Number);
}
