// Which streams go first between nodes: pure. The rules are the operator's (`priority`).
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

/** Takes each piece between stars at its first place, which leaves the most room for the others: no way back. */
function isLike(text: string, glob: string): boolean {
  const [head = '', ...pieces] = glob.split('*');
  const tail = pieces.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head) || !text.endsWith(tail)) return false;
  let at = head.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= text.length - tail.length;
}
