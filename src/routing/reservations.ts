// What was promised to nodes of late: a player that is sent to a node shows in its load only some beats later, and until
// then others must not all be sent there, too. A promise fades as the load shows it.
import type { Promised } from './score.ts';

/** A promise is down to a third after so long: the probe's smoothing, and a beat. */
const FADE_MS = 3_000;
/** Less is forgotten. */
const MIN_PLAYERS = 0.05;
const NOTHING: Promised = { players: 0, bytesPerS: 0 };

export class Reservations {
  /**
   * What was promised to each node, as it would have been at #sinceMs: all fade alike, so that one factor serves all.
   * Bounded by the nodes that are chosen from: others are dropped by `keepOnly`.
   */
  #rows = new Map<string, Promised>();
  #sinceMs = 0;

  get count(): number {
    return this.#rows.size;
  }

  /** Somebody was sent to a node, and will take so much. */
  add(node: string, bytesPerS: number, nowMs: number): void {
    const grown = 1 / this.#left(nowMs);
    const before = this.#rows.get(node) ?? NOTHING;
    this.#rows.set(node, {
      players: before.players + grown,
      bytesPerS: before.bytesPerS + bytesPerS * grown,
    });
  }

  /** What nodes were promised and are not seen to do yet: good for this moment. */
  at(nowMs: number): (node: string) => Promised {
    const left = this.#left(nowMs);
    return (node) => {
      const row = this.#rows.get(node);
      return row ? { players: row.players * left, bytesPerS: row.bytesPerS * left } : NOTHING;
    };
  }

  /** Forgets what has faded, and nodes that are gone. Called each second or so. */
  keepOnly(isThere: (node: string) => boolean, nowMs: number): void {
    const of = this.at(nowMs);
    const kept = [...this.#rows.keys()].filter((node) => isThere(node) && of(node).players >= MIN_PLAYERS);
    this.#rows = new Map(kept.map((node) => [node, of(node)]));
    this.#sinceMs = nowMs;
  }

  #left(nowMs: number): number {
    return Math.exp((this.#sinceMs - nowMs) / FADE_MS);
  }
}
