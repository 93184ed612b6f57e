// What goes over a link in a second, each way, smoothed. Pure: counts and time come in by hand.

/** What is so long ago counts a third. */
const SMOOTHED_OVER_MS = 3_000;

export class Throughput {
  #atMs: number;
  #bytesIn = 0;
  #bytesOut = 0;
  receivedBytesPerS = 0;
  sentBytesPerS = 0;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** @param bytesIn read, and `bytesOut` written, ever */
  take(nowMs: number, bytesIn: number, bytesOut: number): void {
    const ms = nowMs - this.#atMs;
    if (ms <= 0) return;
    const share = 1 - Math.exp(-ms / SMOOTHED_OVER_MS);
    this.receivedBytesPerS += (((bytesIn - this.#bytesIn) * 1_000) / ms - this.receivedBytesPerS) * share;
    this.sentBytesPerS += (((bytesOut - this.#bytesOut) * 1_000) / ms - this.sentBytesPerS) * share;
    this.#atMs = nowMs;
    this.#bytesIn = bytesIn;
    this.#bytesOut = bytesOut;
  }
}
