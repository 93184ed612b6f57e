// For one seat: since when has there been a way from its stream's publisher, and how long was there none before? Pure.

/** Of times without a way, those that ended so long ago are forgotten. */
const REMEMBERED_MS = 60_000;

export class Way {
  /** Since when there has been one; undefined: there is none. */
  #sinceMs: number | undefined;
  /** Since when there has been none, or when it was lost last; undefined before anything is known. */
  #lostMs: number | undefined;
  readonly #lacks: { readonly endMs: number; readonly ms: number }[] = [];

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  is(there: boolean, nowMs: number): void {
    this.#lostMs ??= nowMs;
    if (there && this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      this.#lacks.push({ endMs: nowMs, ms: nowMs - this.#lostMs });
      while ((this.#lacks[0]?.endMs ?? nowMs) < nowMs - REMEMBERED_MS) this.#lacks.shift();
    } else if (!there && this.#sinceMs !== undefined) {
      this.#sinceMs = undefined;
      this.#lostMs = nowMs;
    }
  }

  /** The longest time without one, of those that were over after `afterMs`, the present one among them; ms. */
  longestLackMs(nowMs: number, afterMs = Number.NEGATIVE_INFINITY): number {
    const present = this.#sinceMs === undefined ? nowMs - (this.#lostMs ?? nowMs) : 0;
    const over = this.#lacks.filter(({ endMs }) => endMs > afterMs);
    return Math.max(present, ...over.map(({ ms }) => ms));
  }
}
