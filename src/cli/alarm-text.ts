// Alarms as a table, and what to do about each. Pure.
import type { AlarmRow, AlarmsAnswer } from '../http/forms/alarms.ts';
import { type Paint, plain } from './paint.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, tableText } from './table.ts';
import { sinceText } from './units.ts';

const COLUMNS: readonly Column[] = [
  { head: 'ALARM' },
  { head: 'STREAM' },
  { head: 'WHERE' },
  { head: 'BEGAN', align: 'right' },
  { head: 'LASTED', align: 'right' },
  { head: 'DETAIL' },
];

/** `tideway alarms`. */
export function alarmsText({ alarms, asOf, stale }: AlarmsAnswer, paint: Paint = plain): string {
  return alarmTable(alarms, asOf, paint) + staleText(stale);
}

/** @param asOf now, by the clock that the alarms are told by */
export function alarmTable(alarms: readonly AlarmRow[], asOf: string, paint: Paint): string {
  if (alarms.length === 0) return 'no alarms\n';
  return tableText(
    COLUMNS,
    alarms.map((alarm) => alarmCells(alarm, asOf)),
    paint,
  );
}

/** Where it is: a hop between two nodes, or the publisher at the origin. */
export function whereText({ hop, node }: Pick<AlarmRow, 'hop' | 'node'>): string {
  return hop ? `${hop.from} -> ${hop.to}` : `publisher at ${node}`;
}

/** Where to look, by what is wrong and where. */
export function adviceFor({ kind, hop, stream }: Pick<AlarmRow, 'kind' | 'hop' | 'stream'>): string {
  switch (kind) {
    case 'stalled':
      return hop
        ? `look at the network between ${hop.from} and ${hop.to}, and at how busy both are with tideway nodes`
        : 'look at the encoder: does it hang, and how does its upload do?';
    case 'no-key-frame':
      return 'set the key frame interval of the encoder to 2 s, not to "auto"';
    case 'bitrate-collapsed':
      return "look at the encoder's upload, and whether it lowers its bitrate by itself";
    case 'hop-slow':
      return `see the delay of each hop with tideway stream ${stream}, and what the two nodes send with tideway nodes`;
  }
}

function alarmCells(alarm: AlarmRow, asOf: string): Cell[] {
  const { kind, stream, since, until, detail } = alarm;
  return [
    until === null ? { text: kind, tone: 'bad' } : kind,
    stream,
    whereText(alarm),
    sinceText(since, asOf),
    until === null ? { text: 'lasts', tone: 'bad' } : sinceText(since, until),
    detail,
  ];
}
