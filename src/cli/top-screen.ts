// What `tideway top` shows: sums, alarms in short, and streams or nodes by a key, cut to the size of a terminal. Pure.
import { compare } from '../base/compare.ts';
import type { AlarmsAnswer } from '../http/forms/alarms.ts';
import type { NodeRow, NodesAnswer, StatusAnswer } from '../http/forms/nodes.ts';
import type { StreamRow, StreamsAnswer } from '../http/forms/streams.ts';
import { whereText } from './alarm-text.ts';
import { codecsText, frameRateText, nodeState } from './cluster-tables.ts';
import { type Paint, plain } from './paint.ts';
import { safeText } from './safe-text.ts';
import { sumsText } from './status-text.ts';
import type { StreamSort } from './stream-sort.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { mbitText, msText, NONE, percentText, sinceText } from './units.ts';

/** What is shown: the rows, and their order. */
export interface TopView {
  readonly rows: 'streams' | 'nodes';
  readonly sort: StreamSort;
}

/** What was heard last. */
export interface TopFacts {
  readonly status: StatusAnswer;
  readonly nodes: NodesAnswer;
  readonly streams: StreamsAnswer;
  readonly alarms: AlarmsAnswer;
}

/** What a key does. */
export type TopAct =
  | { readonly is: 'quit' }
  | { readonly is: 'show'; readonly view: TopView }
  | { readonly is: 'nothing' };

/** Of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const SORT_KEYS: Readonly<Record<string, StreamSort>> = {
  p: 'players',
  b: 'bitrate',
  n: 'nodes',
  s: 'since',
  k: 'key',
};
/** Alarms that are told in full; more are counted. */
const MAX_ALARMS = 3;

const STREAM_COLUMNS: readonly Column[] = [
  { head: 'STREAM' },
  { head: 'ORIGIN' },
  { head: 'STATE' },
  ...numberColumns(['FOR', 'NODES', 'PLAYERS', 'BITRATE', 'FPS']),
  { head: 'CODECS' },
];
const NODE_COLUMNS: readonly Column[] = [
  { head: 'NODE' },
  { head: 'REGION' },
  { head: 'STATE' },
  ...numberColumns(['PLAYERS', 'STREAMS', 'ALARMS', 'CPU', 'MEM', 'LOOP', 'LAG', 'IN', 'OUT']),
];

/** What was typed, as a terminal tells it. */
export function topAct(typed: string, view: TopView): TopAct {
  if (typed === 'q' || typed === 'Q' || typed === '\u0003' || typed === '\u0004') return { is: 'quit' };
  if (typed === 't' || typed === '\t') {
    return { is: 'show', view: { ...view, rows: view.rows === 'streams' ? 'nodes' : 'streams' } };
  }
  const sort = SORT_KEYS[typed.toLowerCase()];
  return sort === undefined ? { is: 'nothing' } : { is: 'show', view: { ...view, sort } };
}

/** All lines, for where nobody looks at a screen. */
export function topText(facts: TopFacts, view: TopView, paint: Paint = plain): string {
  return `${sumsText(facts.status, paint)}${alarmLines(facts.alarms, paint)}\n${rowsText(facts, view, paint)}`;
}

/**
 * The lines of a screen, as many as fit, without their newlines.
 * @param note why what is shown may be old; '' if it is not
 */
export function topScreen(
  facts: TopFacts,
  { view, size, paint, note }: { view: TopView; size: Size; paint: Paint; note: string },
): string[] {
  const last =
    note === ''
      ? paint(cutText(helpFor(view), size.columns), 'dim')
      : paint(cutText(safeText(note), size.columns), 'bad');
  // Colours take no room, so what is cut is cut before it is painted: as plain text, to know where.
  const painted = topText(facts, view, paint).trimEnd().split('\n');
  const bare = topText(facts, view).trimEnd().split('\n');
  const fitting = bare
    .map((line, at) => (line.length <= size.columns ? (painted[at] ?? line) : cutText(line, size.columns)))
    .slice(0, Math.max(1, size.rows - 2));
  return [...fitting, ...Array(Math.max(0, size.rows - 1 - fitting.length)).fill(''), last];
}

function helpFor({ rows, sort }: TopView): string {
  if (rows === 'nodes') return 'q quit   t streams';
  const sorts = Object.entries(SORT_KEYS).map(([key, by]) => `${key} ${by}`);
  return `by ${sort}   q quit   t nodes   ${sorts.join('  ')}`;
}

function cutText(text: string, columns: number): string {
  return [...text].slice(0, columns).join('');
}

function alarmLines({ alarms, asOf }: AlarmsAnswer, paint: Paint): string {
  const lasting = alarms.filter(({ until }) => until === null);
  const lines = lasting.slice(0, MAX_ALARMS).map((alarm) => {
    const text = `${alarm.kind} ${alarm.stream}, ${whereText(alarm)}, ${sinceText(alarm.since, asOf)}: ${alarm.detail}`;
    return `${paint(safeText(text), 'bad')}\n`;
  });
  const more = lasting.length - lines.length;
  return lines.join('') + (more > 0 ? `${paint(`and ${more} more`, 'bad')}\n` : '');
}

function rowsText(facts: TopFacts, view: TopView, paint: Paint): string {
  if (view.rows === 'nodes') {
    const rows = facts.nodes.nodes.toSorted(busiestFirst).map(nodeCells);
    return tableText(NODE_COLUMNS, rows, paint);
  }
  const { streams, total } = facts.streams;
  const more = total > streams.length ? `and ${total - streams.length} more\n` : '';
  if (streams.length === 0) return 'no streams\n';
  return (
    tableText(
      STREAM_COLUMNS,
      streams.map((row) => streamCells(row, facts.streams.asOf)),
      paint,
    ) + more
  );
}

function busiestFirst(a: NodeRow, b: NodeRow): number {
  return b.load.players - a.load.players || compare(a.node, b.node);
}

function streamCells(row: StreamRow, asOf: string): Cell[] {
  const { key, origin, replicas, players, bitsPerS } = row;
  const state: Cell = origin === null ? { text: 'no origin', tone: 'warn' } : stateCell(origin.state);
  return [
    key,
    origin?.node ?? NONE,
    state,
    origin?.since ? sinceText(origin.since, asOf) : NONE,
    String(replicas.length + (origin === null ? 0 : 1)),
    String(players),
    mbitText(bitsPerS),
    frameRateText(row),
    codecsText(row),
  ];
}

function stateCell(state: 'live' | 'held'): Cell {
  return state === 'held' ? { text: state, tone: 'warn' } : state;
}

function nodeCells(row: NodeRow): Cell[] {
  const { load } = row;
  return [
    row.node,
    row.region || NONE,
    nodeState(row),
    ...[load.players, load.streams].map(String),
    load.alarms === 0 ? '0' : { text: String(load.alarms), tone: 'bad' },
    ...[load.cpu, load.memory, load.loopBusy].map(percentText),
    msText(load.loopLagMs),
    ...[load.receivedBytesPerS, load.sentBytesPerS].map((bytesPerS) => mbitText(bytesPerS * 8)),
  ];
}
