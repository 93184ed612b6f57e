// How long to wait before the next try: longer each time, and spread, as all pages of a node that restarts come back to it.
// Pure.

const FIRST_MS = 250;
const MOST_MS = 5000;
const FACTOR = 1.7;

/**
 * @param tries that failed one after the other, 1 or more
 * @param random in 0..1
 */
export function waitMs(tries: number, random: number): number {
  const base = Math.min(MOST_MS, FIRST_MS * FACTOR ** Math.max(0, tries - 1));
  return base * (0.75 + random / 2);
}
