// The nodes that may feed a replica: what is known of each, in which order they are asked, and which of them the replica
// feeds itself. Pure.
import { type Parent, type Puller, rankParents } from '../routing/upstream-cost.ts';

/** A node that has a stream, or may have it. */
export interface Candidate {
  readonly node: string;
  /** Of what it has; 0: nobody knows. */
  readonly epoch: number;
  /** Links between it and the origin. */
  readonly hops: number;
  /** The node that it pulls from; undefined for the origin, and if nobody knows. */
  readonly upstream: string | undefined;
  /** It was so before the registry went away, and nobody has said so since. */
  readonly isOld: boolean;
}

/** What this node knows of others as parents. */
export interface ParentFacts {
  /** This node. */
  readonly puller: Puller;
  of(candidate: Candidate): Parent;
}

/** What a dial is worth, ms: of two that cost about the same, the one goes first that has a link. */
const DIAL_MS = 30;

/**
 * Those that are asked, first to last: by cost, and who is doubtful behind. `urgent`: nobody feeds the replica now, so
 * that those go first to whom there is a link.
 */
export function inOrder(
  candidates: readonly Candidate[],
  how: { parents: ParentFacts; isLinked: (node: string) => boolean; urgent: boolean },
): string[] {
  const { parents, isLinked, urgent } = how;
  const known = new Map(candidates.map((candidate) => [candidate.node, candidate]));
  const newest = Math.max(0, ...candidates.map(({ epoch }) => epoch));
  const ranked = rankParents(
    candidates.map((candidate) => parents.of(candidate)),
    parents.puller,
  );
  const costs = new Map(ranked.map(({ node, total }) => [node, total]));
  // Who is too deep by what was told last is perhaps not so any more.
  const others = candidates.filter(({ node }) => !costs.has(node)).map(({ node }) => node);
  const rows = [...costs.keys(), ...others].map((node) => ({
    node,
    isFar: urgent && !isLinked(node),
    isDoubtful: known.get(node)?.isOld === true || (known.get(node)?.epoch ?? 0) < newest,
    cost: (costs.get(node) ?? Number.POSITIVE_INFINITY) + (isLinked(node) ? 0 : DIAL_MS),
  }));
  rows.sort(
    (a, b) =>
      Number(a.isFar) - Number(b.isFar) ||
      Number(a.isDoubtful) - Number(b.isDoubtful) ||
      (a.cost === b.cost ? 0 : a.cost - b.cost),
  );
  return rows.map(({ node }) => node);
}

/** The nodes of a way from the origin, as it was told. */
export function onPath(path: readonly string[]): Candidate[] {
  return path.map((node, hops) => ({ node, epoch: 0, hops, upstream: path[hops - 1], isOld: false }));
}

/** The nodes that a node feeds, over others or not, and how many links below it each is. */
export function below(self: string, candidates: readonly Candidate[]): Map<string, number> {
  const children = new Map<string, string[]>();
  for (const { node, upstream } of candidates) {
    if (upstream === undefined) continue;
    const row = children.get(upstream);
    if (row) row.push(node);
    else children.set(upstream, [node]);
  }
  const depths = new Map<string, number>();
  let row = [self];
  for (let depth = 1; row.length > 0; depth += 1) {
    row = row
      .flatMap((node) => children.get(node) ?? [])
      .filter((node) => node !== self && !depths.has(node));
    for (const node of row) depths.set(node, depth);
  }
  return depths;
}
