// Where players and publishers with a session of their own were sent last, so that one that comes back goes there again.
// Bounded in time and number.
import type { Table } from '../base/table.ts';

/** How long a session is remembered after it was seen last. */
export const SESSION_MS = 3_600_000;
const MAX_SESSIONS = 100_000;
export const MAX_SESSION_CHARS = 128;

export class Sessions {
  /** Who was seen last stands at the end. */
  readonly #nodes = new Map<string, { readonly node: string; readonly untilMs: number }>();

  get table(): Table {
    return { table: 'routing_sessions', entries: this.#nodes.size, limit: MAX_SESSIONS };
  }

  /** The node that it was sent to; undefined if nobody remembers. */
  nodeOf(session: string, nowMs: number): string | undefined {
    const known = this.#nodes.get(session);
    return known && known.untilMs > nowMs ? known.node : undefined;
  }

  seen(session: string, node: string, nowMs: number): void {
    this.#nodes.delete(session);
    this.#nodes.set(session, { node, untilMs: nowMs + SESSION_MS });
    for (const [oldest, { untilMs }] of this.#nodes) {
      if (this.#nodes.size <= MAX_SESSIONS && untilMs > nowMs) break;
      this.#nodes.delete(oldest);
    }
  }
}
