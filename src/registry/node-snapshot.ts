// The nodes of the cluster as this process knows them from its beats: at most about a second old, and read without
// asking anybody. Leases are aged on the monotonic clock of this process; who fell silent is remembered for a while.
import type { Table } from '../base/table.ts';
import type { NodeRecord, NodeSeen } from './registry.ts';

/** Nodes kept, those that are silent among them; beyond it new ones are not taken in. */
const MAX_KEPT = 4_096;
/** How long a node is known beyond its lease. */
export const SILENT_MS = 10 * 60_000;

interface Known {
  readonly record: NodeRecord;
  /** The end of its lease. */
  readonly untilMs: number;
}

export class NodeSnapshot {
  readonly #nodes = new Map<string, Known>();
  /** Boots that said that they stop; of nodes that are kept. */
  readonly #stopping = new Set<string>();

  get table(): Table {
    return { table: 'known_nodes', entries: this.#nodes.size, limit: MAX_KEPT };
  }

  /** Takes in what a beat answered. */
  apply(seen: readonly NodeSeen[], nowMs: number): void {
    this.#forget(({ untilMs, record }) => untilMs <= nowMs && !this.#isSilent(record, nowMs - untilMs));
    // Who is silent makes room.
    if (this.#nodes.size + seen.length > MAX_KEPT) this.#forget(({ untilMs }) => untilMs <= nowMs);
    for (const { record, leaseMs } of seen) {
      const before = this.#nodes.get(record.node);
      if (!before && this.#nodes.size >= MAX_KEPT) continue;
      if (before && before.record.boot !== record.boot) this.#stopping.delete(before.record.boot);
      this.#nodes.set(record.node, { record, untilMs: nowMs + leaseMs });
    }
  }

  /** A process says that it stops: it is not missed when its beats end. */
  stops(boot: string): void {
    for (const { record } of this.#nodes.values()) if (record.boot === boot) this.#stopping.add(boot);
  }

  /** The record of a node that beats. */
  get(node: string, nowMs: number): NodeRecord | undefined {
    const known = this.#nodes.get(node);
    return known && known.untilMs > nowMs ? known.record : undefined;
  }

  /** All nodes that beat, with what is left of their leases. */
  list(nowMs: number): NodeSeen[] {
    return this.known(nowMs).filter(({ leaseMs }) => leaseMs > 0);
  }

  /** Those, and those whose beats ended without a word, with a lease of 0. */
  known(nowMs: number): NodeSeen[] {
    return [...this.#nodes.values()].flatMap(({ record, untilMs }) => {
      const leaseMs = Math.max(0, untilMs - nowMs);
      return leaseMs > 0 || this.#isSilent(record, nowMs - untilMs) ? [{ record, leaseMs }] : [];
    });
  }

  /** Its lease is over for so long: is it missed? Who is emptied or stops goes as it said. */
  #isSilent({ boot, draining }: NodeRecord, overMs: number): boolean {
    return overMs < SILENT_MS && !draining && !this.#stopping.has(boot);
  }

  #forget(isOver: (known: Known) => boolean): void {
    for (const [id, known] of this.#nodes) {
      if (!isOver(known)) continue;
      this.#nodes.delete(id);
      this.#stopping.delete(known.record.boot);
    }
  }
}
