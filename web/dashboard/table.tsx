// A table: sorted by its heads, walked through by arrow keys, and a list of cards where there is no room. It keeps the roles
// of a table for screen readers, which lose them with the looks of one.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Sorted by this, where the table sorts; without it the column can't be sorted by. */
  readonly by?: (row: Row) => number | string;
  readonly isNumeric?: boolean;
}

export interface Sorting {
  readonly column: string;
  readonly order: 'up' | 'down';
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly classOf?: (row: Row) => string;
  readonly first?: Sorting;
  /** Somebody else sorts: which columns can be, and what is done. */
  readonly outside?: {
    readonly sorting: Sorting;
    readonly ids: readonly string[];
    sort(column: string): void;
  };
  readonly empty?: ComponentChildren;
}

export function Table<Row>({
  caption,
  columns,
  rows,
  keyOf,
  classOf,
  first,
  outside,
  empty,
}: TableProps<Row>) {
  const [own, setOwn] = useState<Sorting | undefined>(first);
  const sorting = outside?.sorting ?? own;
  const canSort = ({ id, by }: Column<Row>) => (outside ? outside.ids.includes(id) : by !== undefined);
  const sort = (column: Column<Row>) => {
    if (outside) outside.sort(column.id);
    else setOwn(nextSorting(own, column));
  };
  if (rows.length === 0 && empty !== undefined) return <p class="empty">{empty}</p>;
  return (
    // biome-ignore-start lint/a11y/noRedundantRoles: cards on a phone are no table to a browser, which then forgets the roles
    <table role="table" class="table">
      <caption>{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => {
            const order = sorting?.column === column.id ? sorting.order : undefined;
            return (
              <th
                key={column.id}
                role="columnheader"
                scope="col"
                class={column.isNumeric ? 'numeric' : ''}
                {...(order && { 'aria-sort': order === 'up' ? 'ascending' : 'descending' })}
              >
                {canSort(column) ? (
                  <button type="button" class="sort" onClick={() => sort(column)}>
                    {column.title}
                    <span aria-hidden="true" class="order">
                      {order === 'up' ? '↑' : order === 'down' ? '↓' : ''}
                    </span>
                  </button>
                ) : (
                  column.title
                )}
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody role="rowgroup" onKeyDown={walk}>
        {(outside ? rows : sorted(rows, columns, own)).map((row) => (
          <tr key={keyOf(row)} role="row" class={classOf?.(row) ?? ''}>
            {columns.map((column, at) =>
              at === 0 ? (
                <th key={column.id} role="rowheader" scope="row">
                  {column.cell(row)}
                </th>
              ) : (
                <td key={column.id} role="cell" class={column.isNumeric ? 'numeric' : ''}>
                  <span class="cell-title" aria-hidden="true">
                    {column.title}
                  </span>
                  <span class="cell-value">{column.cell(row)}</span>
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
    // biome-ignore-end lint/a11y/noRedundantRoles: as above
  );
}

/** Numbers begin with the highest, words with the first. */
function nextSorting<Row>(sorting: Sorting | undefined, { id, isNumeric }: Column<Row>): Sorting {
  if (sorting?.column === id) return { column: id, order: sorting.order === 'up' ? 'down' : 'up' };
  return { column: id, order: isNumeric ? 'down' : 'up' };
}

function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sorting: Sorting | undefined,
): readonly Row[] {
  const by = columns.find(({ id }) => id === sorting?.column)?.by;
  if (!by || !sorting) return rows;
  const sign = sorting.order === 'up' ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [by(one), by(other)];
    return a === b ? 0 : a < b ? -sign : sign;
  });
}

/** Up and down go from row to row, by what can be focused in the same place. */
function walk(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || !(event.target instanceof HTMLElement)) return;
  if (event.target.matches('select, textarea, input')) return;
  const row = event.target.closest('tr');
  const inRow = [...(row?.querySelectorAll<HTMLElement>('a[href], button') ?? [])];
  const at = inRow.indexOf(event.target);
  const next = step === 1 ? row?.nextElementSibling : row?.previousElementSibling;
  const there = next?.querySelectorAll<HTMLElement>('a[href], button');
  const target = there?.[Math.min(Math.max(at, 0), there.length - 1)];
  if (!target) return;
  event.preventDefault();
  target.focus();
}
