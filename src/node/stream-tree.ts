// A stream as the tree that it goes down by: the origin first, each node behind the one that it pulls from, with the age of
// what it gets. Pure.
import { compare } from '../base/compare.ts';
import type { Told } from '../http/forms/common.ts';
import type { TreeNode as Node, StreamHere } from '../http/forms/streams.ts';

export type TreeNode = Told<Node>;

/** Those of nobody that answered stand at the end; so do nodes that, asked a moment apart, pull from each other. */
export function treeOf(rows: readonly Told<StreamHere>[]): TreeNode[] {
  const byNode = new Map(rows.map((row) => [row.node, row]));
  const childrenOf = new Map<string, Told<StreamHere>[]>();
  for (const row of [...rows].sort((a, b) => compare(a.node, b.node))) {
    const parent = parentOf(row, byNode);
    const group = childrenOf.get(parent) ?? [];
    group.push(row);
    childrenOf.set(parent, group);
  }
  const nodes: TreeNode[] = [];
  const shown = new Set<string>();
  const show = (row: Told<StreamHere>, parent: TreeNode | undefined): void => {
    if (shown.has(row.node)) return;
    shown.add(row.node);
    const node = treeNode(row, parent);
    nodes.push(node);
    for (const child of childrenOf.get(row.node) ?? []) show(child, node);
  };
  const roots = childrenOf.get('') ?? [];
  for (const row of roots.filter(isOrigin).sort((a, b) => b.epoch - a.epoch)) show(row, undefined);
  for (const row of roots) show(row, undefined);
  for (const row of rows) show(row, undefined);
  return nodes;
}

/** The node that it pulls from, of those that answered; '' for none. */
function parentOf(row: Told<StreamHere>, byNode: ReadonlyMap<string, unknown>): string {
  const { upstream } = row;
  return isOrigin(row) || upstream === null || !byNode.has(upstream) ? '' : upstream;
}

/** The parent knows of the hop how much waits; the age is that of the parent and the hop's delay. */
function treeNode(row: Told<StreamHere>, parent: TreeNode | undefined): TreeNode {
  if (isOrigin(row)) return { ...row, ageMs: 0 };
  const sent = parent?.childRows.find(({ node }) => node === row.node);
  const hop = row.hop && sent ? { ...row.hop, queueBytes: sent.queueBytes } : row.hop;
  const delayMs = hop?.from === parent?.node ? (hop?.delayMs ?? null) : null;
  const parentAgeMs = parent?.ageMs ?? null;
  return { ...row, hop, ageMs: parentAgeMs === null || delayMs === null ? null : parentAgeMs + delayMs };
}

function isOrigin({ role }: Told<StreamHere>): boolean {
  return role === 'origin';
}
