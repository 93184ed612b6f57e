// What was promised to nodes of late: a player that is sent to a node shows in its load only some beats later, and until
// then others must not all be sent there, too. A promise fades as the load shows it.
import type { Promised } from './score.ts';

/** A promise is down to a third after so long: what the probe smooths over, and a beat. */
const FADE_MS = 3_000;
/** Less is forgotten. */
const MIN_PLAYERS = 0.05;

/** What nodes were promised and are not seen to do yet, by place in the view: each number times `left`. */
export interface Promises {
  readonly players: Float64Array;
  readonly bytesPerS: Float64Array;
  readonly left: number;
}

/** Of a node. @param at its place in the view */
export function promisedAt({ players, bytesPerS, left }: Promises, at: number): Promised {
  return { players: (players[at] ?? 0) * left, bytesPerS: (bytesPerS[at] ?? 0) * left };
}

export class Reservations {
  /** As it would have been at #sinceMs: all fade alike, so that one factor serves all. */
  #players = new Float64Array(0);
  #bytesPerS = new Float64Array(0);
  #sinceMs = 0;

  /** Nodes that somebody was sent to of late. */
  get count(): number {
    return this.#players.reduce((count, players) => (players > 0 ? count + 1 : count), 0);
  }

  /** Somebody was sent to a node, and will take so much. @param at its place in the view */
  add(at: number, bytesPerS: number, nowMs: number): void {
    const grown = 1 / this.#left(nowMs);
    this.#players[at] = (this.#players[at] ?? 0) + grown;
    this.#bytesPerS[at] = (this.#bytesPerS[at] ?? 0) + bytesPerS * grown;
  }

  /** Good for this moment. */
  at(nowMs: number): Promises {
    return { players: this.#players, bytesPerS: this.#bytesPerS, left: this.#left(nowMs) };
  }

  /**
   * There is another view: what was promised to nodes goes along with them, but for what has faded. Called twice a
   * second.
   * @param before by place in the new view, the place in the one before; undefined for a node that is new
   */
  move(before: readonly (number | undefined)[], nowMs: number): void {
    const now = this.at(nowMs);
    const promised = before.map((at) => (at === undefined ? undefined : promisedAt(now, at)));
    const kept = promised.map((one) => (one && one.players >= MIN_PLAYERS ? one : undefined));
    this.#players = Float64Array.from(kept, (one) => one?.players ?? 0);
    this.#bytesPerS = Float64Array.from(kept, (one) => one?.bytesPerS ?? 0);
    this.#sinceMs = nowMs;
  }

  #left(nowMs: number): number {
    return Math.exp((this.#sinceMs - nowMs) / FADE_MS);
  }
}
