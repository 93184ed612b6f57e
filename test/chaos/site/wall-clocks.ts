// Wall clocks of nodes that can be put wrong, by libfaketime, which reads how wrong from a file; other clocks stay as they are.
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The one for programs with threads. */
const LIBRARY = 'faketime/libfaketimeMT.so.1';
/** How old what it read may be, s: it reads when more than that is over by whole seconds, so once a second. */
const MAX_AGE_S = 0;

export class WallClocks {
  readonly #library: string;
  readonly #folder: string;

  private constructor(library: string, folder: string) {
    this.#library = library;
    this.#folder = folder;
  }

  /**
   * Undefined: the library is not on this machine.
   * @param folder for the files
   */
  static open(folder: string): WallClocks | undefined {
    const library = foundLibrary();
    return library === undefined ? undefined : new WallClocks(library, folder);
  }

  /** For the environment of a node: its clock is right until `set`. */
  envOf(id: string): Record<string, string> {
    this.set(id, 0);
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_TIMESTAMP_FILE: this.#fileOf(id),
      FAKETIME_CACHE_DURATION: String(MAX_AGE_S),
      NO_FAKE_STAT: '1',
    };
  }

  /** From at most a second later on, the clock of a node is so much ahead of the right one. */
  set(id: string, aheadMs: number): void {
    const file = this.#fileOf(id);
    writeFileSync(`${file}.new`, clockText(aheadMs));
    renameSync(`${file}.new`, file); // half a number would be another one
  }

  #fileOf(id: string): string {
    return join(this.#folder, id);
  }
}

/** What the library shares between processes stays when one was killed. */
export function forgetClock(pid: number): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) {
    rmSync(join('/dev/shm', name), { force: true });
  }
}

/** As libfaketime reads it: `+12.500`, seconds. */
export function clockText(aheadMs: number): string {
  return `${aheadMs < 0 ? '-' : '+'}${(Math.abs(aheadMs) / 1e3).toFixed(3)}\n`;
}

function foundLibrary(): string | undefined {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'));
  return folders.map((name) => join('/usr/lib', name, LIBRARY)).find((path) => existsSync(path));
}
