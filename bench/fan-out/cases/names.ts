// The cases of the benchmark, in the order in which they run.
export const CASE_NAMES = [
  'fan-out',
  'most-players',
  'join',
  'storm',
  'ingest',
  'relay',
  'slow',
  'churn',
] as const;
export type CaseName = (typeof CASE_NAMES)[number];
