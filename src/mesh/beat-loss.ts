// How many of a peer's beats did not come in time. Over TCP none is lost: one that the way lost comes late, behind its
// retransmission, and then all that stood behind it at once. So what counts is the time without one. Pure.

/** Peers beat every 200 ms. */
const BEAT_MS = 200;
/** What is told is of so long ago at most; a link that is younger is taken to have been fine before. */
const WINDOW_MS = 10_000;
const BEATS_IN_WINDOW = WINDOW_MS / BEAT_MS;

/** One link's. All times are own time (own-time.ts): for what passed while this process stood still, no peer answers. */
export class BeatLoss {
  #heardMs: number;
  /** Each is of two beats' time or more: at most 25 of them fit the window. */
  readonly #gaps: { readonly endMs: number; readonly missed: number }[] = [];

  constructor(ownMs: number) {
    this.#heardMs = ownMs;
  }

  /** A beat came. */
  heard(ownMs: number): void {
    const missed = missedIn(ownMs - this.#heardMs);
    this.#heardMs = ownMs;
    if (missed === 0) return;
    this.#forget(ownMs);
    this.#gaps.push({ endMs: ownMs, missed });
  }

  /** Nothing was read until now, and that was not the peer's doing. */
  excuse(ownMs: number): void {
    this.#heardMs = ownMs;
  }

  /** The part of the beats of the last 10 s that were late by their own interval or more, 0 to 1. */
  share(ownMs: number): number {
    this.#forget(ownMs);
    let missed = missedIn(ownMs - this.#heardMs);
    for (const gap of this.#gaps) missed += gap.missed;
    return Math.min(1, missed / BEATS_IN_WINDOW);
  }

  #forget(ownMs: number): void {
    while ((this.#gaps[0]?.endMs ?? ownMs) < ownMs - WINDOW_MS) this.#gaps.shift();
  }
}

/** Beats that were due before the one that ended a time without any, and too late for their own place. */
function missedIn(ms: number): number {
  return Math.max(0, Math.floor(ms / BEAT_MS) - 1);
}
