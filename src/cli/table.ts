// Rows as an aligned table for a terminal. Pure.

/** A column: its head, and where its cells stand. */
export interface Column {
  readonly head: string;
  readonly align?: 'right';
}

const GAP = '  ';
/** C0, DEL and C1: what a terminal would obey. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/**
 * A table with a head, columns as wide as their widest cell, lines without spaces at the end, each with its newline.
 * What a cell holds may come from anywhere: control characters become "?".
 */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ head }) => head), ...rows].map((cells) =>
    columns.map((_, at) => (cells[at] ?? '').replace(CONTROL, '?')),
  );
  const widths = columns.map((_, at) => lines.reduce((most, cells) => Math.max(most, widthOf(cells[at])), 0));
  return lines
    .map((cells) => cells.map((cell, at) => padded(cell, widths[at] ?? 0, columns[at]?.align)).join(GAP))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** How long ago or for how long, in its largest whole unit: `12 s`, `2 m`, `3 h`, `9 d`. */
export function durationText(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

function padded(cell: string, width: number, align: Column['align']): string {
  const pad = ' '.repeat(width - widthOf(cell));
  return align === 'right' ? pad + cell : cell + pad;
}

/** All that is shown is one cell wide: keys, ids and lines of a tree. */
function widthOf(cell: string | undefined): number {
  return cell === undefined ? 0 : [...cell].length;
}
