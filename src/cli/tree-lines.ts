// Replicas as lines of a tree: each below the node that it pulls from. Pure.

/** A node of a tree, and the node that it pulls from; null: nobody just now. */
export interface TreeNode {
  readonly node: string;
  readonly upstream: string | null;
}

export interface TreeLine<T extends TreeNode> {
  /** The lines of the tree in front of the node. */
  readonly branch: string;
  readonly row: T;
}

/**
 * Rows below the node that each pulls from, depth first. Those of nobody that is listed stand below the origin, and one
 * that is met twice is not followed: what nodes tell may be of different moments, and name each other.
 * @param rows all nodes but the origin
 */
export function treeOf<T extends TreeNode>(rows: readonly T[], origin: string | undefined): TreeLine<T>[] {
  const childrenOf = groupByUpstream(rows, origin);
  const lines: TreeLine<T>[] = [];
  const shown = new Set<string>();
  const show = (children: readonly T[], indent: string): void => {
    const fresh = children.filter(({ node }) => !shown.has(node));
    for (const [at, row] of fresh.entries()) {
      if (shown.has(row.node)) continue;
      shown.add(row.node);
      const isLast = at === fresh.length - 1;
      lines.push({ branch: `${indent}${isLast ? '└ ' : '├ '}`, row });
      show(childrenOf.get(row.node) ?? [], `${indent}${isLast ? '  ' : '│ '}`);
    }
  };
  show(childrenOf.get('') ?? [], '');
  // What is left goes round in a ring.
  for (const row of rows) if (!shown.has(row.node)) show([row], '');
  return lines;
}

/** Under the node that each pulls from; under '' the origin's own, and those of nodes that nobody lists. */
function groupByUpstream<T extends TreeNode>(
  rows: readonly T[],
  origin: string | undefined,
): Map<string, T[]> {
  const known = new Set(rows.map(({ node }) => node));
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const { upstream } = row;
    const under = upstream === null || upstream === origin || !known.has(upstream) ? '' : upstream;
    const group = groups.get(under);
    if (group) group.push(row);
    else groups.set(under, [row]);
  }
  return groups;
}
