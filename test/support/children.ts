// The child processes of this one.
import { readdirSync, readFileSync } from 'node:fs';

export interface Child {
  readonly pid: number;
  /** The beginning of its command line. */
  readonly command: string;
}

/** Running child processes of this one, from /proc; those that only wait to be reaped are left out. */
export function children(): Child[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // proc(5): "pid (comm) state ppid …", and comm may hold any character.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) !== process.pid || state === 'Z') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), command: command.slice(0, 120) }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

/**
 * From now on, Ctrl-C and SIGTERM first kill the children, one by one, then end this process. A child that stands still
 * (SIGSTOP) would not hear of a Ctrl-C before it goes on.
 */
export function killChildrenOnInterrupt(): void {
  const end = (exitCode: number) => {
    for (const { pid } of children()) process.kill(pid, 'SIGKILL');
    process.exit(exitCode);
  };
  process.once('SIGINT', () => end(130));
  process.once('SIGTERM', () => end(143));
}
