// For one seat: since when has there been a way from its stream's publisher, and how long was there none before? Pure.

/** Of times without a way, those that ended so long ago are forgotten. */
const REMEMBERED_MS = 60_000;

export class Way {
  /** Since when there has been one; undefined: there is none. */
  #sinceMs: number | undefined;
  #lostMs: number;
  readonly #lacks: { readonly endMs: number; readonly ms: number }[] = [];

  constructor(nowMs: number) {
    this.#lostMs = nowMs;
  }

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  is(there: boolean, nowMs: number): void {
    if (there && this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      this.#lacks.push({ endMs: nowMs, ms: nowMs - this.#lostMs });
      while ((this.#lacks[0]?.endMs ?? nowMs) < nowMs - REMEMBERED_MS) this.#lacks.shift();
    } else if (!there && this.#sinceMs !== undefined) {
      this.#sinceMs = undefined;
      this.#lostMs = nowMs;
    }
  }

  /** The longest time without one, of those that are not forgotten, the present one among them; ms. */
  longestLackMs(nowMs: number): number {
    const present = this.#sinceMs === undefined ? nowMs - this.#lostMs : 0;
    return Math.max(present, ...this.#lacks.map(({ ms }) => ms));
  }
}
