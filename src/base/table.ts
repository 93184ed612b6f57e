// How full something is that grows with what others do: a table, a cache, a queue. Its owner says so when metrics ask.

export interface Table {
  /** Its name in metrics: letters, `_`. */
  readonly table: string;
  readonly entries: number;
  /** Entries at most; undefined where those of something else bound it. */
  readonly limit: number | undefined;
}
