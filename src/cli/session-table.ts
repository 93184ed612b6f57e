// Sessions, publishers and players, as a table. Pure.
import type { SessionRow, SessionsAnswer } from '../http/forms/sessions.ts';
import { type Paint, plain } from './paint.ts';
import { safeText } from './safe-text.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { bytesText, durationText, mbitText } from './units.ts';

const COLUMNS: readonly Column[] = [
  { head: 'SESSION' },
  { head: 'KIND' },
  { head: 'STREAM' },
  { head: 'NODE' },
  { head: 'BY' },
  { head: 'FROM' },
  { head: 'STATE' },
  ...numberColumns(['FOR', 'RATE', 'BYTES', 'BACKLOG', 'DROPPED', 'SKIPS']),
  { head: 'ENDED' },
];

/** `tideway sessions`. */
export function sessionsText({ sessions, stale }: SessionsAnswer, paint: Paint = plain): string {
  if (sessions.length === 0) return `no sessions\n${staleText(stale)}`;
  return tableText(COLUMNS, sessions.map(sessionCells), paint) + staleText(stale);
}

/** `tideway kick`: the session as it was. */
export function kickedText({ id, kind, stream, node, remote, durationMs }: SessionRow): string {
  const who = `${kind} ${id} of ${stream} at ${node}`;
  return `${safeText(`ended ${who}, from ${remote}, after ${durationText(durationMs)}`)}\n`;
}

function sessionCells(row: SessionRow): Cell[] {
  const { state, dropped, skips, backlogBytes, ended } = row;
  return [
    ...[row.id, row.kind, row.stream, row.node, row.protocol, row.remote],
    state === 'behind' ? { text: state, tone: 'warn' } : state,
    durationText(row.durationMs),
    mbitText(row.bytesPerS * 8),
    bytesText(row.bytes),
    bytesText(backlogBytes),
    ...[dropped, skips].map((count): Cell => (count === 0 ? '0' : { text: String(count), tone: 'warn' })),
    ended === null ? '' : `${ended.code}: ${ended.message}`,
  ];
}
