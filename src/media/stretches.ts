// Encoded stretches of a log that several readers are given: who joins at the same key frame, or fell behind at the same
// place, gets the same buffers. It keeps a few, for a moment.
import type { LogEntry, Position } from './frame-log.ts';

/** A stretch of the log in one format. */
export interface Stretch {
  readonly bytes: Buffer;
  /** Its newest entry. */
  readonly last: LogEntry;
}

/** What a reader is given per write; a single frame may be more. */
export const STRETCH_BYTES = 64 * 1024;
/** All that is kept. */
const MAX_BYTES = 4 * 1024 * 1024;

interface Kept extends Stretch {
  isUsed: boolean;
}

export class Stretches {
  readonly #byStart = new Map<Position, Kept>();
  #bytes = 0;

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The one that begins at a position. */
  at(start: Position): Stretch | undefined {
    const kept = this.#byStart.get(start);
    if (kept) kept.isUsed = true;
    return kept;
  }

  /** Keeps one that is no bigger than all others may be together; the oldest make room. */
  keep(start: Position, { bytes, last }: Stretch): void {
    if (bytes.length > MAX_BYTES) return;
    this.#byStart.set(start, { bytes, last, isUsed: true });
    this.#bytes += bytes.length;
    for (const [oldest] of this.#byStart) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#drop(oldest);
    }
  }

  /** Drops those that nobody was given since the last time. */
  sweep(): void {
    for (const [start, kept] of this.#byStart) {
      if (!kept.isUsed) this.#drop(start);
      kept.isUsed = false;
    }
  }

  #drop(start: Position): void {
    this.#bytes -= this.#byStart.get(start)?.bytes.length ?? 0;
    this.#byStart.delete(start);
  }
}
