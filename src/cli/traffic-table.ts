// Traffic and what it costs as a table, by what it is summed up. Pure.
import type { TrafficAnswer } from '../http/forms/traffic.ts';
import { type Paint, plain } from './paint.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { bytesText, durationText, NONE } from './units.ts';

type Row = TrafficAnswer['rows'][number];
type By = TrafficAnswer['by'];

/** What rows are told apart by, each with the words of a row. */
const KEYS: Readonly<Record<'node' | 'stream' | 'protocol' | 'regions', (row: Row) => string>> = {
  node: (row) => row.node ?? NONE,
  stream: (row) => row.stream ?? 'others, together',
  protocol: (row) => row.protocol ?? NONE,
  regions: regionsText,
};

/** `tideway traffic`. */
export function trafficText({ rows, by, windowMs, stale }: TrafficAnswer, paint: Paint = plain): string {
  const keys = keysOf(by);
  const recent = `LAST ${durationText(windowMs).toUpperCase()}`;
  const columns: Column[] = [
    ...keys.map((key) => ({ head: key.toUpperCase() })),
    { head: 'WAY' },
    ...numberColumns(['SINCE START', recent, 'COST', `COST ${recent}`]),
  ];
  if (rows.length === 0) return `no traffic yet\n${staleText(stale)}`;
  const cells = rows.map((row): Cell[] => [
    ...keys.map((key) => KEYS[key](row)),
    row.direction,
    bytesText(row.bytes),
    bytesText(row.windowBytes),
    costText(row.cost),
    costText(row.windowCost),
  ]);
  return tableText(columns, cells, paint) + staleText(stale);
}

function keysOf(by: By): readonly (keyof typeof KEYS)[] {
  return by === 'all' ? ['node', 'stream', 'protocol', 'regions'] : [by];
}

/** The way that the bytes went; players and publishers are nowhere. */
function regionsText({ direction, region, ownRegion }: Row): string {
  const here = ownRegion || NONE;
  if (region === null || region === undefined)
    return direction === 'in' ? `publishers > ${here}` : `${here} > players`;
  return direction === 'in' ? `${region || NONE} > ${here}` : `${here} > ${region || NONE}`;
}

function costText(cost: number): string {
  return cost === 0 ? NONE : cost.toFixed(cost < 1 ? 6 : 2);
}
