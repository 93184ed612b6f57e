// Rows of numbers as lines: a sparkline's path and its words, and the delay of each hop as the page saw it. Pure.
import type { TreeNode } from './tree.ts';
import { flat } from './tree.ts';

/** The path of a sparkline in a box of such a size; empty below two values. Its floor is 0. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return '';
  const most = Math.max(...values, Number.MIN_VALUE);
  const step = width / (values.length - 1);
  // Half a line stays inside above and below.
  const points = values.map((value, at) => {
    const y = 1 + (height - 2) * (1 - Math.max(0, value) / most);
    return `${Math.round(at * step * 10) / 10} ${Math.round(y * 10) / 10}`;
  });
  return `M${points.join('L')}`;
}

/** `now 2 Mbit/s, from 1 Mbit/s to 3 Mbit/s`; says so when there is nothing. */
export function sparkWords(values: readonly number[], say: (value: number) => string): string {
  const last = values.at(-1);
  if (last === undefined) return 'nothing yet';
  return `now ${say(last)}, from ${say(Math.min(...values))} to ${say(Math.max(...values))}`;
}

/** The delays of all hops at one time. */
export interface DelaySample {
  readonly wallMs: number;
  /** By `from → to`. */
  readonly delays: ReadonlyMap<string, number>;
}

export const MAX_DELAY_SAMPLES = 300;
/** Hops that a chart can show without being a thicket; those of the nodes first in the tree. */
export const MAX_DELAY_LINES = 8;

/** The samples and one more. */
export function withDelays(
  samples: readonly DelaySample[],
  roots: readonly TreeNode[],
  wallMs: number,
): readonly DelaySample[] {
  const delays = new Map<string, number>();
  for (const { id, hop } of flat(roots)) {
    if (hop?.delayMs !== undefined && hop?.delayMs !== null) delays.set(hopName(hop.from, id), hop.delayMs);
  }
  return [...samples.slice(1 - MAX_DELAY_SAMPLES), { wallMs, delays }];
}

export function hopName(from: string, to: string): string {
  return `${from} → ${to}`;
}

/** The names of the hops that were seen of late, and for each its delays; null where it was not there. */
export function delayLines(samples: readonly DelaySample[]): {
  readonly names: readonly string[];
  readonly values: readonly (readonly (number | null)[])[];
} {
  const latestFirst = [...samples].reverse();
  const seen = new Set(latestFirst.flatMap(({ delays }) => [...delays.keys()]));
  const names = [...seen].slice(0, MAX_DELAY_LINES).sort();
  return {
    names,
    values: names.map((name) => samples.map(({ delays }) => delays.get(name) ?? null)),
  };
}

/** Rows that each end now, added up from the end; as long as the longest. */
export function sumFromEnd(rows: readonly (readonly number[])[]): number[] {
  const length = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length }, (_, at) =>
    rows.reduce((sum, row) => sum + (row[at - (length - row.length)] ?? 0), 0),
  );
}
