// Which of two links to one node stays. Pure, and the same answer at both ends, so that they don't close each other's.
import type { Reason } from '../base/errors.ts';

/** A peer sends a beat each 200 ms: a link that said nothing for so long may be dead at the other end. */
export const HALF_DEAD_MS = 500;

const DUPLICATE: Reason = {
  code: 'mesh.duplicate',
  message: 'there is another link between the two nodes',
};
const REPLACED_BOOT: Reason = {
  code: 'mesh.restarted',
  message: 'the node came back as a new process',
};

/** What counts of a link here. */
export interface LinkFacts {
  readonly boot: string;
  /** Id of the node that dialled it. */
  readonly dialledBy: string;
}

/** The new link instead of the old one, or none of it. */
export type OneLink =
  | { readonly stays: 'new'; readonly why: Reason }
  | { readonly stays: 'old'; readonly why: Reason };

/**
 * @param nodes the ids of both ends
 * @param silentMs how long the old one has been silent
 */
export function oneLink(
  old: LinkFacts & { readonly silentMs: number },
  next: LinkFacts,
  nodes: readonly [string, string],
): OneLink {
  if (next.boot !== old.boot) return { stays: 'new', why: REPLACED_BOOT };
  // Who dials has no open link of its own; if the old one speaks yet, its end is under way.
  if (old.silentMs > HALF_DEAD_MS) return { stays: 'new', why: DUPLICATE };
  const lower = nodes[0] < nodes[1] ? nodes[0] : nodes[1];
  const isBetter = next.dialledBy === lower && old.dialledBy !== lower;
  return { stays: isBetter ? 'new' : 'old', why: DUPLICATE };
}
