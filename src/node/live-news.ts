// What is new of what is told again each second: nodes, alarms, lines of the log. It remembers what was there before. Pure.
import { compare } from '../base/compare.ts';
import type { AlarmRow, EventRow } from '../http/forms/alarms.ts';
import type { StaleNode, Told } from '../http/forms/common.ts';
import type { NodeRow } from '../http/forms/nodes.ts';

/** Lines that are known: those of some seconds, of all nodes. The oldest are forgotten first. */
const MAX_SEEN = 50_000;

/** Nodes that are new or have changed, and those that are gone. */
export class NodeNews {
  /** What was told of each, without what changes by itself. */
  #known = new Map<string, string>();

  take(nodes: readonly Told<NodeRow>[]): { readonly changed: Told<NodeRow>[]; readonly gone: string[] } {
    const before = this.#known;
    this.#known = new Map(nodes.map((row) => [row.node, essenceOf(row)]));
    return {
      changed: nodes.filter(({ node }) => before.get(node) !== this.#known.get(node)),
      gone: [...before.keys()].filter((node) => !this.#known.has(node)),
    };
  }

  forget(): void {
    this.#known.clear();
  }
}

/** Alarms that were raised, and that ended. */
export class AlarmNews {
  #known = new Map<string, Told<AlarmRow>>();

  get size(): number {
    return this.#known.size;
  }

  /** Those that last. */
  get lasting(): Told<AlarmRow>[] {
    return [...this.#known.values()].filter(({ until }) => until === null);
  }

  /**
   * @param told alarms that last, and some that ended; a node that is not there any more, or is another process, ends all
   * that it raised
   */
  take(
    { rows, stale }: { readonly rows: readonly Told<AlarmRow>[]; readonly stale: readonly StaleNode[] },
    asOf: string,
  ): Told<AlarmRow>[] {
    const before = this.#known;
    const silent = new Set(stale.map(({ node }) => node));
    const news: Told<AlarmRow>[] = [];
    this.#known = new Map();
    for (const row of rows) {
      const key = `${row.node} ${row.id} ${row.since}`;
      const known = before.get(key);
      this.#known.set(key, row);
      if (!known || known.until !== row.until) news.push(row);
    }
    for (const [key, row] of before) {
      if (this.#known.has(key) || row.until !== null) continue;
      if (silent.has(row.node)) this.#known.set(key, row);
      else news.push({ ...row, until: asOf });
    }
    return news;
  }

  forget(): void {
    this.#known.clear();
  }
}

/** Lines of logs, each once, oldest first; what was there when it began is no news. */
export class EventNews {
  readonly #seen = new Set<string>();
  #hasBegun = false;

  get size(): number {
    return this.#seen.size;
  }

  take(rows: readonly Told<EventRow>[]): Told<EventRow>[] {
    const news: Told<EventRow>[] = [];
    for (const row of rows) {
      // A process that comes back counts anew.
      const key = `${row.node} ${row.id} ${row.time}`;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      news.push(row);
    }
    for (const oldest of this.#seen) {
      if (this.#seen.size <= MAX_SEEN) break;
      this.#seen.delete(oldest);
    }
    if (this.#hasBegun) return news.sort(byTime);
    this.#hasBegun = true;
    return [];
  }

  forget(): void {
    this.#seen.clear();
    this.#hasBegun = false;
  }
}

function byTime(a: Told<EventRow>, b: Told<EventRow>): number {
  return compare(a.time, b.time) || a.id - b.id;
}

/** Leases run down and links are measured all the time: that alone is no news. */
function essenceOf({ leaseMs, link, ...rest }: Told<NodeRow>): string {
  return JSON.stringify([leaseMs === 0, link === null, rest]);
}
