// Why a replica looks for another upstream, and what is written down of its choice. Pure.
import type { StreamKey } from '../base/stream-key.ts';
import type { UpstreamDecision } from '../routing/decisions.ts';
import { rankParents } from '../routing/upstream-cost.ts';
import { type Candidate, onPath, type ParentFacts } from './candidates.ts';

/** The counters of metrics go by it. */
export type SwitchCause =
  | 'first'
  | 'closed'
  | 'silent'
  | 'stuck'
  | 'goaway'
  | 'loop'
  | 'order'
  | 'origin'
  | 'held'
  | 'better';

/** Parents that are written down. */
const MAX_PARENTS = 16;

/** A change of a replica's upstream. */
export interface Move {
  readonly stream: StreamKey;
  readonly cause: SwitchCause;
  /** From the origin to the new upstream. */
  readonly path: readonly string[];
  /** To the one before. */
  readonly before: readonly string[] | undefined;
}

/** @param known the nodes that had the stream when it was looked up last */
export function decisionOf(
  { stream, cause, path, before = [] }: Move,
  known: readonly Candidate[],
  facts: ParentFacts,
): UpstreamDecision {
  const byNode = new Map([...known, ...onPath(before), ...onPath(path)].map((one) => [one.node, one]));
  const parents = rankParents(
    [...byNode.values()].map((candidate) => facts.of(candidate)),
    facts.puller,
  );
  const [node, from] = [path.at(-1), before.at(-1)];
  const costOf = (one: string | undefined) => parents.find((parent) => parent.node === one)?.total;
  const [cost, costBefore] = [costOf(node), costOf(from)];
  const costs =
    cost === undefined || costBefore === undefined
      ? ''
      : `: ${Math.round(cost)} ms in place of ${Math.round(costBefore)} ms`;
  const why = from === undefined ? cause : `${cause}, after ${from}${costs}`;
  return { kind: 'upstream', stream, node, why, parents: parents.slice(0, MAX_PARENTS) };
}
