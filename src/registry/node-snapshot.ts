// The nodes of the cluster as this process knows them from its beats: at most about a second old, and read without
// asking anybody. Leases are aged on the monotonic clock of this process.
import type { Table } from '../base/table.ts';
import type { NodeRecord, NodeSeen } from './registry.ts';

/** Nodes kept; beyond it new ones are not taken in. */
const MAX_KEPT = 4_096;

export class NodeSnapshot {
  readonly #nodes = new Map<string, { readonly record: NodeRecord; readonly untilMs: number }>();

  get table(): Table {
    return { table: 'known_nodes', entries: this.#nodes.size, limit: MAX_KEPT };
  }

  /** Takes in what a beat answered. */
  apply(seen: readonly NodeSeen[], nowMs: number): void {
    for (const [id, { untilMs }] of this.#nodes) if (untilMs <= nowMs) this.#nodes.delete(id);
    for (const { record, leaseMs } of seen) {
      if (this.#nodes.size >= MAX_KEPT && !this.#nodes.has(record.node)) continue;
      this.#nodes.set(record.node, { record, untilMs: nowMs + leaseMs });
    }
  }

  /** The record of a node that beats. */
  get(node: string, nowMs: number): NodeRecord | undefined {
    const known = this.#nodes.get(node);
    return known && known.untilMs > nowMs ? known.record : undefined;
  }

  /** All nodes that beat, with what is left of their leases. */
  list(nowMs: number): NodeSeen[] {
    return [...this.#nodes.values()].flatMap(({ record, untilMs }) =>
      untilMs > nowMs ? [{ record, leaseMs: untilMs - nowMs }] : [],
    );
  }
}
