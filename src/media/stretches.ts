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
  /** The newest that is no whole one, since the flush mark came too soon: of use until that moves. */
  #short: (Stretch & { readonly start: Position }) | undefined;

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes + (this.#short?.bytes.length ?? 0);
  }

  /** The one that begins at a position, and goes as far as it can. */
  at(start: Position, mark: Position): Stretch | undefined {
    const kept = this.#byStart.get(start);
    if (kept) {
      kept.isUsed = true;
      return kept;
    }
    const isOfUse = this.#short?.start === start && this.#short.last.position === mark;
    return isOfUse ? this.#short : undefined;
  }

  /** Keeps one; the oldest make room. One that is bigger than all may be together is kept alone. */
  keep(start: Position, { bytes, last }: Stretch): void {
    if (bytes.length < STRETCH_BYTES) {
      this.#short = { start, bytes, last };
      return;
    }
    this.#byStart.set(start, { bytes, last, isUsed: true });
    this.#bytes += bytes.length;
    for (const [oldest] of this.#byStart) {
      if (this.#bytes <= MAX_BYTES || this.#byStart.size === 1) break;
      this.#drop(oldest);
    }
  }

  /** Drops those that nobody was given since the last time. */
  sweep(): void {
    this.#short = undefined;
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
