// Which streams go first between nodes: pure. The rules are the operator's (`priority`).
import { isLike } from '../base/glob.ts';
import type { StreamKey } from '../base/stream-key.ts';

/** Streams whose key is like `match` have the level; higher goes first. */
export interface PriorityRule {
  /** A glob over `app/name`; `*` stands for any run of characters, `/` among them. */
  readonly match: string;
  /** -10 to 10. */
  readonly level: number;
}

/** The level of the first rule that matches; 0 without one. */
export function priorityOf(key: StreamKey, rules: readonly PriorityRule[]): number {
  return rules.find(({ match }) => isLike(key, match))?.level ?? 0;
}
