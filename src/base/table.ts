// How full something is that grows with what others do: a table, a cache, a queue. Its owner says so when metrics ask.
// One that is full is an alarm for operators (deploy/prometheus/alerts.yaml).

export interface Table {
  /** Its name in metrics: letters, `_`. */
  readonly table: string;
  readonly entries: number;
  /**
   * Entries at most. Undefined where those of something else bound it, and where the oldest make room: that is full most of
   * the time, and no trouble.
   */
  readonly limit: number | undefined;
}
