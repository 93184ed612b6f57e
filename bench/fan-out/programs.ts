// Which programs are there.
import { spawnSync } from 'node:child_process';

/** Whether a program can be started; Debian has some where only root looks. */
export function isThere(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', env: withAdminPath() }).status === 0;
}

export function withAdminPath(): { PATH: string } {
  return { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin` };
}
