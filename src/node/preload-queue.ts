// Streams that wait for a lookup, so that many of them do not flood the registry: new ones go first, each is there once,
// and only so many are looked up at once and within a while. It knows no registry.
import type { Table } from '../base/table.ts';
import type { PreloadTask } from './preload-task.ts';

/** Lookups that are under way at once; and between two refills at most. */
export const LOOKUPS_AT_ONCE = 32;
export const LOOKUPS_PER_REFILL = 20;

export class PreloadQueue {
  readonly #look: (task: PreloadTask) => Promise<void>;
  /** Both bounded by those who put in: each task is in one of them once. */
  readonly #first = new Set<PreloadTask>();
  readonly #others = new Set<PreloadTask>();
  #looking = 0;
  #left = LOOKUPS_PER_REFILL;

  /** @param look never rejects */
  constructor(look: (task: PreloadTask) => Promise<void>) {
    this.#look = look;
  }

  get tables(): Table[] {
    return [
      { table: 'preload_queue', entries: this.#first.size + this.#others.size, limit: undefined },
      { table: 'preload_lookups', entries: this.#looking, limit: LOOKUPS_AT_ONCE },
    ];
  }

  /** Looks it up at once, if it may. */
  addFirst(task: PreloadTask): void {
    this.#others.delete(task);
    this.#first.add(task);
    this.#pump();
  }

  /** Looks it up when its turn comes. */
  add(task: PreloadTask): void {
    if (!this.#first.has(task)) this.#others.add(task);
  }

  remove(task: PreloadTask): void {
    this.#first.delete(task);
    this.#others.delete(task);
  }

  clear(): void {
    this.#first.clear();
    this.#others.clear();
  }

  /** A while has passed. */
  refill(): void {
    this.#left = LOOKUPS_PER_REFILL;
    this.#pump();
  }

  #pump(): void {
    while (this.#left > 0 && this.#looking < LOOKUPS_AT_ONCE) {
      const [task] = this.#first.size > 0 ? this.#first : this.#others;
      if (!task) return;
      this.remove(task);
      this.#left -= 1;
      this.#looking += 1;
      void this.#look(task).then(() => {
        this.#looking -= 1;
        this.#pump();
      });
    }
  }
}
