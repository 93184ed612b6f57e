// What was promised to nodes of late: a player that is sent to a node shows in its load only some beats later, and until
// then others must not all be sent there, too. A promise fades as the load shows it.
import type { Promised } from './score.ts';

/** A promise is down to a third after so long: the probe's smoothing, and a beat. */
const FADE_MS = 3_000;
/** Less is forgotten. */
const MIN_PLAYERS = 0.05;
const NOTHING: Promised = { players: 0, bytesPerS: 0 };

interface Row extends Promised {
  readonly atMs: number;
}

export class Reservations {
  /** Bounded by the nodes that are chosen from: others are dropped by `keepOnly`. */
  readonly #rows = new Map<string, Row>();

  get count(): number {
    return this.#rows.size;
  }

  /** Somebody was sent to a node, and will take so much. */
  add(node: string, bytesPerS: number, nowMs: number): void {
    const before = this.of(node, nowMs);
    this.#rows.set(node, {
      players: before.players + 1,
      bytesPerS: before.bytesPerS + bytesPerS,
      atMs: nowMs,
    });
  }

  /** What a node was promised and is not seen to do yet. */
  of(node: string, nowMs: number): Promised {
    const row = this.#rows.get(node);
    if (!row) return NOTHING;
    const left = Math.exp((row.atMs - nowMs) / FADE_MS);
    return { players: row.players * left, bytesPerS: row.bytesPerS * left };
  }

  /** Forgets what has faded, and nodes that are gone. */
  keepOnly(isThere: (node: string) => boolean, nowMs: number): void {
    for (const node of this.#rows.keys()) {
      if (!isThere(node) || this.of(node, nowMs).players < MIN_PLAYERS) this.#rows.delete(node);
    }
  }
}
