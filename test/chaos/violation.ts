// What an oracle has to say.

/** Rules of the design that chaos holds everything against; docs/chaos.md says what each means. */
export const RULES = [
  'whole-frames',
  'once-in-order',
  'no-loss',
  'time-goes-on',
  'clean-starts',
  'epoch-never-falls',
  'epoch-granted-once',
  'players-stay',
  'no-starving',
  'publishers-stay',
  'publishers-are-taken',
  'nodes-live',
  'no-errors-of-its-own',
  'no-secrets',
  'bounded',
  'health-answers',
  'cluster-settles',
] as const;
export type Rule = (typeof RULES)[number];

export interface Violation {
  /** From the start of the run, ms. */
  readonly atMs: number;
  readonly rule: Rule;
  readonly detail: string;
}
