// The cheapest of all trees, by trying them all. For a handful of nodes.
import { MAX_HOPS } from '../../src/routing/upstream-cost.ts';

/**
 * The least that all nodes together can pay for a stream of the first.
 * @param regions of the nodes, the origin first
 * @param price from region to region
 */
export function bestTreePrice(
  regions: readonly number[],
  price: (from: number, to: number) => number,
): number {
  const parents = regions.map(() => -1);
  let best = Number.POSITIVE_INFINITY;
  const visit = (node: number, paid: number): void => {
    if (paid >= best) return;
    if (node === regions.length) {
      if (isTree(parents)) best = paid;
      return;
    }
    for (let parent = 0; parent < regions.length; parent += 1) {
      if (parent === node) continue;
      parents[node] = parent;
      visit(node + 1, paid + price(regions[parent] ?? 0, regions[node] ?? 0));
    }
    parents[node] = -1;
  };
  visit(1, 0);
  return best;
}

/** Does every way end at the first, after no more links than may be? */
function isTree(parents: readonly number[]): boolean {
  return parents.every((_, node) => {
    let at = node;
    for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
      if (at === 0) return true;
      at = parents[at] ?? 0;
    }
    return false;
  });
}
