// The end of what promises have to do by themselves, for tests with a clock that stands.

/** Resolves when all promises that wait for nothing outside have gone on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
