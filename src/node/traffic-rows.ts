// Bytes and costs of all nodes, summed up as they are asked for. Pure.
import type { Told } from '../http/forms/common.ts';
import type { TrafficAnswer, TrafficRow } from '../http/forms/traffic.ts';

type By = TrafficAnswer['by'];
type SumRow = TrafficAnswer['rows'][number];
type Name = 'node' | 'stream' | 'protocol' | 'region' | 'ownRegion';

/** What rows of a sum have in common, beside the direction. */
const NAMES: Readonly<Record<By, readonly Name[]>> = {
  node: ['node', 'ownRegion'],
  stream: ['stream'],
  protocol: ['protocol'],
  regions: ['ownRegion', 'region'],
  all: ['node', 'stream', 'protocol', 'region', 'ownRegion'],
};

/** The most bytes of the window first. */
export function trafficRows(rows: readonly Told<TrafficRow>[], by: By): SumRow[] {
  const names = NAMES[by];
  const sums = new Map<string, SumRow>();
  for (const row of rows) {
    const key = JSON.stringify([row.direction, ...names.map((name) => row[name])]);
    const sum = sums.get(key) ?? emptySum(row, names);
    sum.bytes += row.bytes;
    sum.windowBytes += row.windowBytes;
    sum.cost += row.cost;
    sum.windowCost += row.windowCost;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.windowBytes - a.windowBytes || b.bytes - a.bytes);
}

function emptySum(row: Told<TrafficRow>, names: readonly Name[]): SumRow {
  const named = Object.fromEntries(names.map((name) => [name, row[name]]));
  return { ...named, direction: row.direction, bytes: 0, windowBytes: 0, cost: 0, windowCost: 0 };
}
