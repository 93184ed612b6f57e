// How many files the process has open, of how many it may: each connection is one. What is not one of our connections is
// counted in /proc now and then; connections are counted by their doors.
import { readdir } from 'node:fs/promises';
import { type Clock, every, type Timer } from '../base/clock.ts';
import { gauge, type MetricFamily } from './metrics.ts';
import { readText } from './small-file.ts';

export interface OpenFilesNeeds {
  readonly clock: Clock;
  /** Connections that the doors have open now. */
  readonly connections: () => number;
  /** Files at most; undefined where nobody says. */
  readonly limit?: (() => number | undefined) | undefined;
  /** All files that are open now. */
  readonly count?: (() => Promise<number>) | undefined;
}

const COUNT_EVERY_MS = 10_000;

export class OpenFiles {
  /** Files at most; undefined where nobody says. */
  readonly limit: number | undefined;
  readonly #needs: OpenFilesNeeds;
  /** Those that are no connections of the doors, at the last count. */
  #others = 0;
  #timer: Timer | undefined;

  constructor(needs: OpenFilesNeeds) {
    this.#needs = needs;
    this.limit = (needs.limit ?? ownLimit)();
  }

  async start(): Promise<void> {
    await this.look();
    this.#timer = every(this.#needs.clock, COUNT_EVERY_MS, () => void this.look());
  }

  /** Calm when repeated. */
  stop(): void {
    this.#timer?.cancel();
  }

  /** Counts anew. What can't be counted stays as it was. */
  async look(): Promise<void> {
    if (this.limit === undefined) return;
    try {
      const all = await (this.#needs.count ?? countOwn)();
      this.#others = Math.max(0, all - this.#needs.connections());
    } catch {
      // No /proc: connections are counted all the same.
    }
  }

  get open(): number {
    return this.#others + this.#needs.connections();
  }

  /** Files that may be opened yet; infinitely many where nobody says. */
  get left(): number {
    return this.limit === undefined ? Number.POSITIVE_INFINITY : this.limit - this.open;
  }

  metrics(): MetricFamily[] {
    const limit = this.limit === undefined ? [] : [{ value: this.limit }];
    return [
      gauge('tideway_open_files', 'Files that the process has open, connections among them.', this.open),
      gauge('tideway_open_files_limit', 'Files that it may have open.', limit),
    ];
  }
}

/** The soft limit, which Node raises to the hard one at its start. */
function ownLimit(): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readText('/proc/self/limits') ?? '') ?? [];
  return soft === undefined ? undefined : Number(soft);
}

async function countOwn(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}
