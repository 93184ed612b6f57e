// How many bytes may be under way to a peer at once: pure. TCP takes megabytes that a slow way delivers seconds later,
// and what is written behind them waits as long; so the peer says what it has read, and senders keep to what the way
// takes in a moment.

/** What may wait on the way, beyond what the way itself takes, ms. */
const QUEUE_MS = 100;
/** A way that is so slow that it takes less in QUEUE_MS gets this much all the same. */
export const MIN_WINDOW_BYTES = 64 * 1024;
const FIRST_WINDOW_BYTES = 256 * 1024;
const MAX_WINDOW_BYTES = 16 * 1024 * 1024;
/** How long it is believed how fast the empty way is, ms. */
const BASE_MS = 10_000;
/** Writes so close together, of so many bytes, are one. */
const SAME_MS = 1;
const SAME_BYTES = 16 * 1024;

/** Bytes from `start` to `end`, written at `atMs`, when so many were under way, they included. */
interface Mark {
  readonly start: number;
  end: number;
  readonly atMs: number;
  underWayBytes: number;
}

export class SendWindow {
  /** Of what is under way, oldest first; one per ms, or per SAME_BYTES if that is more. */
  readonly #marks: Mark[] = [];
  #sentBytes = 0;
  #takenBytes = 0;
  #bytes = FIRST_WINDOW_BYTES;
  /** The shortest that bytes were under way, in this time of BASE_MS and the one before. */
  #shortestMs = Number.POSITIVE_INFINITY;
  #shortestBeforeMs = Number.POSITIVE_INFINITY;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Of all bytes that were sent, those that the peer has read. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** More than this should not be under way at once: what is written next would wait. */
  bytes(nowMs: number): number {
    const [oldest] = this.#marks;
    const isSlow = oldest !== undefined && nowMs - oldest.atMs > this.#goodMs() + QUEUE_MS;
    return isSlow ? MIN_WINDOW_BYTES : this.#bytes;
  }

  /** Bytes were written: so many on this link, ever. */
  sent(sentBytes: number, nowMs: number): void {
    const start = this.#sentBytes;
    this.#sentBytes = sentBytes;
    const underWayBytes = sentBytes - this.#takenBytes;
    const last = this.#marks.at(-1);
    if (last && nowMs - last.atMs < SAME_MS && sentBytes - last.start <= SAME_BYTES) {
      last.end = sentBytes;
      last.underWayBytes = underWayBytes;
    } else this.#marks.push({ start, end: sentBytes, atMs: nowMs, underWayBytes });
  }

  /** The peer has read so many bytes of this link. Less than it said before says nothing. */
  taken(takenBytes: number, nowMs: number): void {
    if (takenBytes <= this.#takenBytes) return;
    this.#takenBytes = takenBytes;
    let count = 0;
    while ((this.#marks[count]?.end ?? Number.POSITIVE_INFINITY) <= takenBytes) count += 1;
    const newest = this.#marks[count - 1];
    this.#marks.splice(0, count);
    if (newest) this.#measure(newest, Math.max(SAME_MS, nowMs - newest.atMs), nowMs);
  }

  /** The peer may say that it has read so many. */
  isPlausible(takenBytes: number): boolean {
    return takenBytes <= this.#sentBytes;
  }

  #measure({ underWayBytes }: Mark, tookMs: number, nowMs: number): void {
    this.#shortestMs = Math.min(this.#shortestMs, tookMs);
    const goodMs = this.#goodMs();
    // So much was under way when these were written, and came in this time: that is how fast the way is.
    const fitting = (underWayBytes * goodMs) / tookMs;
    if (tookMs > goodMs) this.#bytes = Math.max(MIN_WINDOW_BYTES, Math.min(this.#bytes, fitting));
    else this.#bytes = Math.min(MAX_WINDOW_BYTES, Math.max(this.#bytes, fitting));
    if (nowMs - this.#sinceMs > BASE_MS) this.#forgetShortest(nowMs);
  }

  /** Was the way never empty of late, nobody knows how fast it is then: it is let run nearly empty, to see. */
  #forgetShortest(nowMs: number): void {
    if (this.#shortestMs > this.#shortestBeforeMs + QUEUE_MS / 2) this.#bytes = MIN_WINDOW_BYTES;
    this.#shortestBeforeMs = this.#shortestMs;
    this.#shortestMs = Number.POSITIVE_INFINITY;
    this.#sinceMs = nowMs;
  }

  #goodMs(): number {
    const shortestMs = Math.min(this.#shortestMs, this.#shortestBeforeMs);
    return Number.isFinite(shortestMs) ? shortestMs + QUEUE_MS : 2 * QUEUE_MS;
  }
}
