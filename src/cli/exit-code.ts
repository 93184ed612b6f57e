// What the program tells a script when it ends.

/**
 * 0: as asked. 1: it could not run, or failed. 2: wrong arguments or configuration. 3: what was looked at is not well
 * (`tideway status`).
 */
export type ExitCode = 0 | 1 | 2 | 3;
