// The machine's monotonic clock, the same in every process (CLOCK_MONOTONIC). It never tells the time of day.

const ORIGIN_US = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;

/** Microseconds since the machine started. */
export function nowUs(): number {
  return Math.round(ORIGIN_US + performance.now() * 1000);
}
