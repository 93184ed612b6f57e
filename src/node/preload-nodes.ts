// The nodes that may be asked to have a stream ready: those that routing sees, and those that have stopped to beat and are
// still linked. It reads lists that others keep.
import type { Clock } from '../base/clock.ts';
import type { Table } from '../base/table.ts';

/** A node that routing sees. */
export interface ListedNode {
  readonly node: string;
  readonly region: string;
  readonly draining: boolean;
}

export interface PreloadNodesNeeds {
  readonly clock: Clock;
  /** All nodes that routing sees, this one among them: while the registry is away, those that are linked. */
  readonly nodes: () => readonly ListedNode[];
  /** Is there an open link to it? */
  readonly isLinked: (node: string) => boolean;
}

/** A node that is neither seen nor linked is known for so long. */
const FORGET_MS = 60_000;

interface Known extends ListedNode {
  readonly seenMs: number;
  readonly isThere: boolean;
}

export class PreloadNodes {
  readonly #needs: PreloadNodesNeeds;
  /** As read last. Bounded by the nodes that were seen within FORGET_MS, and the links. */
  readonly #known = new Map<string, Known>();
  /** Grows when something of some node changed. */
  changes = 0;

  constructor(needs: PreloadNodesNeeds) {
    this.#needs = needs;
  }

  get table(): Table {
    return { table: 'preload_nodes', entries: this.#known.size, limit: undefined };
  }

  /** Reads the list of nodes as it is now. */
  read(): void {
    const nowMs = this.#needs.clock.now();
    for (const { node, region, draining } of this.#needs.nodes()) {
      this.#put({ node, region, draining, seenMs: nowMs, isThere: true });
    }
    for (const known of [...this.#known.values()]) {
      if (known.seenMs === nowMs) continue;
      const isThere = this.#needs.isLinked(known.node);
      if (isThere || nowMs - known.seenMs <= FORGET_MS) this.#put({ ...known, isThere });
      else this.#known.delete(known.node);
    }
  }

  /** Was there such a node of late? */
  has(node: string): boolean {
    return this.#known.has(node);
  }

  /** Was there a node of that region of late? */
  hasRegion(region: string): boolean {
    for (const known of this.#known.values()) if (known.region === region) return true;
    return false;
  }

  /** Why a node can't be asked for a copy in the region (undefined: in any), in words; undefined: it can. */
  whyNot(node: string, region?: string): string | undefined {
    const known = this.#known.get(node);
    if (!known) return 'is not known';
    if (!known.isThere) return 'does not answer';
    if (known.draining) return 'is draining';
    return region === undefined || known.region === region ? undefined : `is in region ${known.region}`;
  }

  #put(now: Known): void {
    const before = this.#known.get(now.node);
    const isSame =
      before?.region === now.region && before.draining === now.draining && before.isThere === now.isThere;
    if (!isSame) this.changes += 1;
    this.#known.set(now.node, now);
  }
}
