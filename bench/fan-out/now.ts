// The machine's monotonic clock, the same in every process (CLOCK_MONOTONIC). It never tells the time of day.

/** Microseconds since the machine started. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}
