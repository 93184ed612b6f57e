// Figures of runs, and rows of figures: medians over the rounds, and ratios of tideway to the others, round by round.
// Pure.
import type { WireFormat } from './orders.ts';
import type { SubjectName } from './subjects/subject.ts';

/** What one run measured, by name: `cpuSecondsPerGB`, `delayMs.p99`. What could not be measured is not there. */
export type Figures = Readonly<Record<string, number>>;

/** What one run came to. */
export interface Outcome {
  readonly figures: Figures;
  /** The crowd's own core was so busy that the figures may be the load's, not the server's. */
  readonly clientBound: boolean;
  /** What figures can't say: the reasons that players were closed for. */
  readonly notes?: readonly string[];
}

export interface Contender {
  readonly subject: SubjectName;
  readonly format: WireFormat;
}

/** A case at one size with one contender. */
export interface RowKey extends Contender {
  readonly case: string;
  readonly players: number;
  readonly mbps: number;
}

export interface Row extends RowKey {
  readonly rounds: readonly Outcome[];
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The busiest that the crowd's core may be, of 1. */
export const CLIENT_BOUND_AT = 0.85;

/** @throws RangeError when there are none */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new RangeError('no values');
  const below = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  const above = sorted[Math.ceil((sorted.length - 1) / 2)] ?? max;
  return { median: (below + above) / 2, min, max };
}

/** The median of what there is; undefined: there is nothing. */
export function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const there = values.filter((value) => value !== undefined);
  return there.length === 0 ? undefined : spreadOf(there).median;
}

/** Each figure over the rounds that have it. */
export function spreadsOf({ rounds }: Row): Record<string, Spread> {
  const names = new Set(rounds.flatMap(({ figures }) => Object.keys(figures)));
  const valuesOf = (name: string) =>
    rounds.map(({ figures }) => figures[name]).filter((value) => value !== undefined);
  return Object.fromEntries([...names].map((name) => [name, spreadOf(valuesOf(name))]));
}

export function isClientBound({ rounds }: Row): boolean {
  return rounds.some(({ clientBound }) => clientBound);
}

/**
 * Tideway's row that another row is held against: of the same case and size, and of the same format where tideway ran it.
 * Undefined: there is none, or it is itself tideway's.
 */
export function tidewayRowFor(rows: readonly Row[], other: Row): Row | undefined {
  if (other.subject === 'tideway') return undefined;
  const own = rows.filter((row) => row.subject === 'tideway' && isSameSize(row, other));
  return own.find(({ format }) => format === other.format) ?? own[0];
}

/** Tideway's figure over the other's, of each round that has both: the two ran directly after one another. */
export function ratioOf(tideway: Row, other: Row, figure: string): Spread | undefined {
  const ratios = tideway.rounds.flatMap(({ figures }, round) => {
    const [above, below] = [figures[figure], other.rounds[round]?.figures[figure]];
    return above === undefined || below === undefined || below === 0 ? [] : [above / below];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

function isSameSize(one: RowKey, other: RowKey): boolean {
  return one.case === other.case && one.players === other.players && one.mbps === other.mbps;
}
