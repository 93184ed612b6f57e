// The nodes of the cluster, as their beats tell of them: one as a row, and what all come to. Pure.
import { compare } from '../base/compare.ts';
import type { Told } from '../http/forms/common.ts';
import type { LinkRow, NodeRow, StatusAnswer } from '../http/forms/nodes.ts';
import type { NodeRecord } from '../registry/registry.ts';

/** @param other undefined for the node itself */
export function nodeRow(
  record: NodeRecord,
  other: { readonly leaseMs: number; readonly link: LinkRow | undefined } | undefined,
): Told<NodeRow> {
  return {
    ...record,
    leaseMs: other ? Math.round(other.leaseMs) : null,
    self: !other,
    link: other?.link ?? null,
  };
}

/** Of nodes that beat; those that are silent are only counted. */
export function sumsOf(nodes: readonly Told<NodeRow>[]): StatusAnswer['cluster'] {
  const sums = {
    ...{ streams: 0, players: 0, publishers: 0, alarms: 0 },
    ...{ receivedBytesPerS: 0, sentBytesPerS: 0, capacityBytesPerS: 0 },
  };
  const counts = { up: 0, draining: 0, silent: 0 };
  const regions = new Map<string, StatusAnswer['cluster']['regions'][number]>();
  for (const { region, load, draining, leaseMs } of nodes) {
    if (leaseMs === 0) {
      counts.silent += 1;
      continue;
    }
    counts[draining ? 'draining' : 'up'] += 1;
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += load[name];
    const part = regions.get(region) ?? { region, nodes: 0, players: 0, streams: 0, sentBytesPerS: 0 };
    part.nodes += 1;
    part.players += load.players;
    part.streams += load.streams;
    part.sentBytesPerS += load.sentBytesPerS;
    regions.set(region, part);
  }
  return {
    nodes: counts,
    ...sums,
    regions: [...regions.values()].sort((a, b) => compare(a.region, b.region)),
  };
}
