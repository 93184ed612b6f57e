// Rows as an aligned table for a terminal. Pure.
import { type Paint, plain, type Tone } from './paint.ts';
import { safeText } from './safe-text.ts';

/** A column: its head, and where its cells stand. */
export interface Column {
  readonly head: string;
  readonly align?: 'right';
}

/** A text, or one with a meaning. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

const GAP = '  ';

/**
 * A table with a head, columns as wide as their widest cell, lines without spaces at the end, each with its newline.
 * What a cell holds may come from anywhere: it is made safe to show.
 */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint = plain,
): string {
  const heads = columns.map(({ head }): Cell => ({ text: head, tone: 'head' }));
  const lines = [heads, ...rows].map((cells) => columns.map((_, at) => safeCell(cells[at] ?? '')));
  const widths = columns.map((_, at) =>
    lines.reduce((most, cells) => Math.max(most, widthOf(cells[at]?.text ?? '')), 0),
  );
  return lines.map((cells) => `${lineOf(cells, columns, widths, paint)}\n`).join('');
}

/** Columns of numbers, with names as their heads. */
export function numberColumns(names: readonly string[]): Column[] {
  return names.map((name) => ({ head: name, align: 'right' }));
}

interface SafeCell {
  readonly text: string;
  readonly tone: Tone | undefined;
}

function safeCell(cell: Cell): SafeCell {
  return typeof cell === 'string'
    ? { text: safeText(cell), tone: undefined }
    : { text: safeText(cell.text), tone: cell.tone };
}

function lineOf(
  cells: readonly SafeCell[],
  columns: readonly Column[],
  widths: readonly number[],
  paint: Paint,
): string {
  const last = cells.findLastIndex(({ text }) => text.trimEnd() !== '');
  return cells
    .slice(0, last + 1)
    .map(({ text, tone }, at) => {
      const shown = tone === undefined || text === '' ? text : paint(text, tone);
      const pad = ' '.repeat((widths[at] ?? 0) - widthOf(text));
      if (columns[at]?.align === 'right') return pad + shown;
      return at === last ? shown.trimEnd() : shown + pad;
    })
    .join(GAP);
}

/** All that is shown is one cell wide: keys, ids and lines of a tree. */
function widthOf(text: string): number {
  return [...text].length;
}
