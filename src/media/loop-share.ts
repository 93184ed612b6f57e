// How much of the event loop some work takes: pure.

/** The past counts half after this time, and so on, ms. */
const HALF_LIFE_MS = 300;
const TAU_MS = HALF_LIFE_MS / Math.LN2;

export class LoopShare {
  #share = 0;
  #atMs = 0;

  /** The work took so long until now, ms. */
  spent(busyMs: number, nowMs: number): void {
    const kept = this.at(nowMs - busyMs);
    this.#share = 1 - (1 - kept) * Math.exp(-busyMs / TAU_MS);
    this.#atMs = nowMs;
  }

  /** Of the time of late, the part that the work took: 0 to 1. */
  at(nowMs: number): number {
    return this.#share * Math.exp(-Math.max(0, nowMs - this.#atMs) / TAU_MS);
  }
}
