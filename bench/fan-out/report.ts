// What a run is told as: the table for people, and the rows of `--json`. Pure.
import {
  type Figures,
  isClientBound,
  type Outcome,
  type Row,
  ratioOf,
  type Spread,
  spreadsOf,
  tidewayRowFor,
} from './figures.ts';

/** Figures with a column of their own; the others stand in the last one. */
const COLUMNS: readonly (readonly [figure: string, title: string])[] = [
  ['cpuSecondsPerGB', 'CPU s/GB'],
  ['delayMs.p50', 'delay p50 ms'],
  ['delayMs.p99', 'p99 ms'],
  ['delivery', 'delivery'],
  ['rssPerPlayerKB', 'KB/player'],
];

/** In these, tideway is held against each other subject. */
const RATIOS: readonly (readonly [figure: string, title: string])[] = [
  ['cpuSecondsPerGB', 'CPU'],
  ['delayMs.p50', 'delay'],
  ['mostPlayers', 'players'],
];

/** The table: medians, with the least and the most of several rounds. */
export function tableOf(rows: readonly Row[]): string {
  const titles = ['case', 'subject', 'players', 'Mbit/s', ...COLUMNS.map(([, title]) => title)];
  const lines = rows.map((row) => {
    const spreads = spreadsOf(row);
    const other = Object.keys(spreads).filter((name) => !COLUMNS.some(([figure]) => figure === name));
    return [
      ...[row.case, subjectOf(row), row.players, row.mbps],
      ...COLUMNS.map(([figure]) => cellOf(spreads[figure])),
      ratioText(rows, row),
      [...other.map((name) => `${name} ${cellOf(spreads[name])}`), ...notesOf(row)].join('; '),
    ];
  });
  const all = [
    [...titles, 'tideway / this', 'other'],
    titles.map(() => '---').concat('---', '---'),
    ...lines,
  ];
  return all.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A row of `--json`: medians by name, what is missing is null; the rounds, and the ratios of tideway to it. */
export function jsonRow(rows: readonly Row[], row: Row): Record<string, unknown> {
  const spreads = spreadsOf(row);
  const medians = Object.entries(spreads).map(([name, { median }]) => [name, tidy(median)] as const);
  const tideway = tidewayRowFor(rows, row);
  const ratios = RATIOS.flatMap(([figure]) => {
    const ratio = tideway && ratioOf(tideway, row, figure);
    return ratio ? [[figure, tidySpread(ratio)]] : [];
  });
  return {
    ...{ case: row.case, subject: row.subject, format: row.format, players: row.players, mbps: row.mbps },
    ...{ cpuSecondsPerGB: null, delayMs: null, delivery: null, rssPerPlayerKB: null },
    ...nested(Object.fromEntries(medians)),
    clientBound: isClientBound(row),
    ...(ratios.length > 0 && { tidewayRatio: Object.fromEntries(ratios) }),
    rounds: row.rounds.map(jsonRound),
  };
}

/** `{ 'delayMs.p50': 1 }` -> `{ delayMs: { p50: 1 } }` */
export function nested(figures: Figures): Record<string, number | Record<string, number>> {
  const result: Record<string, number | Record<string, number>> = {};
  for (const [name, value] of Object.entries(figures)) {
    const [outer = '', inner] = name.split('.');
    const within = result[outer];
    if (inner === undefined) result[outer] = value;
    else result[outer] = { ...(typeof within === 'object' ? within : {}), [inner]: value };
  }
  return result;
}

function jsonRound({ figures, clientBound, notes = [] }: Outcome): Record<string, unknown> {
  const tidied = Object.entries(figures).map(([name, value]) => [name, tidy(value)]);
  return { ...nested(Object.fromEntries(tidied)), clientBound, ...(notes.length > 0 && { notes }) };
}

function subjectOf({ subject, format }: Row): string {
  return format === 'http-flv' ? subject : `${subject} ${format}`;
}

function ratioText(rows: readonly Row[], row: Row): string {
  const tideway = tidewayRowFor(rows, row);
  if (!tideway) return '';
  const parts = RATIOS.flatMap(([figure, title]) => {
    const ratio = ratioOf(tideway, row, figure);
    return ratio ? [`${title} x ${cellOf(ratio)}`] : [];
  });
  return parts.join(', ');
}

function notesOf(row: Row): string[] {
  const notes = new Set(row.rounds.flatMap(({ notes: each = [] }) => each));
  return [...(isClientBound(row) ? ['**client-bound**'] : []), ...notes];
}

function cellOf(spread: Spread | undefined): string {
  if (!spread) return 'n/a';
  const [median, min, max] = [spread.median, spread.min, spread.max].map(short);
  return min === max ? `${median}` : `${median} (${min}..${max})`;
}

/** Three digits, and never fewer than the whole part has: 1234, 12.3, 0.988. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.9 ? 4 : 3);
}

function tidySpread({ median, min, max }: Spread): Spread {
  return { median: tidy(median), min: tidy(min), max: tidy(max) };
}

function tidy(value: number): number {
  return Number(value.toPrecision(6));
}
