// The last decisions of this node, for who asks why. Bounded: the oldest goes first.
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Considered, Filtered } from './choose.ts';
import type { Place } from './node-view.ts';
import type { ParentCost } from './upstream-cost.ts';

/** A node was chosen for somebody, or none was left. */
export interface ChoiceDecision {
  readonly kind: 'play' | 'publish' | 'redirect' | 'preload' | 'reconnect';
  readonly stream: StreamKey | undefined;
  /** Of who asked. */
  readonly place: Place;
  /** Undefined: no node was left. */
  readonly node: string | undefined;
  /** In one line, for people. */
  readonly why: string;
  readonly considered: readonly Considered[];
  readonly filtered: readonly Filtered[];
}

/** A replica chose who feeds it. */
export interface UpstreamDecision {
  readonly kind: 'upstream';
  readonly stream: StreamKey;
  readonly node: string | undefined;
  readonly why: string;
  /** Those that could feed it, cheapest first. */
  readonly parents: readonly ParentCost[];
}

export type Decision = ChoiceDecision | UpstreamDecision;

export interface Recorded {
  /** Counts up within a process. */
  readonly id: number;
  readonly atWallMs: number;
  readonly decision: Decision;
}

export const MAX_DECISIONS = 1_000;

export class Decisions {
  readonly #wallMs: () => number;
  readonly #ring: Recorded[] = [];
  /** Ever made. */
  count = 0;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  add(decision: Decision): void {
    const recorded = { id: this.count, atWallMs: this.#wallMs(), decision };
    this.#ring[this.count % MAX_DECISIONS] = recorded;
    this.count += 1;
  }

  get table(): Table {
    return { table: 'decisions', entries: this.#ring.length, limit: undefined };
  }

  /** Newest first. @param stream only those about it */
  list(limit: number, stream?: StreamKey): Recorded[] {
    const found: Recorded[] = [];
    for (let back = 1; back <= this.#ring.length && found.length < limit; back += 1) {
      const recorded = this.#ring[(this.count - back) % MAX_DECISIONS];
      if (recorded && (stream === undefined || recorded.decision.stream === stream)) found.push(recorded);
    }
    return found;
  }
}
