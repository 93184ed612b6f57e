// The memory that media takes on one node: counted by what it is for, and shed in a fixed order as it runs out. It counts,
// and says how far things are; those who hold memory, or let somebody in, act on it.

/** What media memory is for. */
export const MEMORY_KINDS = ['log', 'lead-in', 'standby', 'unfinished', 'backlog'] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** New joins are refused from here on, until use is below the second. */
const REFUSE_SHARE = 0.85;
const WELCOME_SHARE = 0.8;
/** Slow players are closed. */
const CLOSE_SHARE = 0.92;
/** Nobody is let in beyond the limit, but those who are in go on growing. */
const EXHAUSTED_SHARE = 1.25;

/** What a payload that is kept costs beyond its bytes: entry, frame, buffer object. */
const FRAME_BYTES = 256;

/** What one who keeps a payload is to be charged for it, bytes. */
export function keptBytes(payload: Buffer): number {
  return payload.length + FRAME_BYTES;
}

/**
 * Bytes that the media of a node may take together. What gives way, in this order:
 *
 *     use  0 ─────────── 80 % ── 85 % ────── 92 % ────── 100 % ────── 125 %
 *          new joins      yes ──> no
 *          slow players                      closed
 *          logs                                          newest GOP   not even that
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #bytes: Record<MemoryKind, number> = {
    log: 0,
    'lead-in': 0,
    standby: 0,
    unfinished: 0,
    backlog: 0,
  };
  #usedBytes = 0;
  #refusesJoins = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** One more who holds memory; nothing yet. */
  charge(kind: MemoryKind): MemoryCharge {
    return new MemoryCharge((bytes) => this.#add(kind, bytes));
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  bytesOf(kind: MemoryKind): number {
    return this.#bytes[kind];
  }

  /** No new player, publication or downstream is taken; stays so until there is some room again. */
  get refusesJoins(): boolean {
    return this.#refusesJoins;
  }

  /** Players that are too slow to be live have to go. */
  get closesSlow(): boolean {
    return this.#usedBytes > this.limitBytes * CLOSE_SHARE;
  }

  /** Logs keep only their newest GOP. */
  get isOver(): boolean {
    return this.#usedBytes > this.limitBytes;
  }

  /** Logs let go of their newest GOP, too, as far as they must; so does who stands by, and who never finishes a message. */
  get isExhausted(): boolean {
    return this.#usedBytes > this.limitBytes * EXHAUSTED_SHARE;
  }

  /** How many of these four hold: each implies those before it. */
  get stage(): number {
    const { refusesJoins, closesSlow, isOver, isExhausted } = this;
    return [refusesJoins, closesSlow, isOver, isExhausted].filter(Boolean).length;
  }

  #add(kind: MemoryKind, bytes: number): void {
    this.#bytes[kind] += bytes;
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.limitBytes * REFUSE_SHARE) this.#refusesJoins = true;
    else if (this.#usedBytes < this.limitBytes * WELCOME_SHARE) this.#refusesJoins = false;
  }
}

/** What one holder has of the budget. Who made it gives all of it back when the holder is gone: `hold(0)`. */
export class MemoryCharge {
  readonly #added: (bytes: number) => void;
  #bytes = 0;

  constructor(added: (bytes: number) => void) {
    this.#added = added;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    this.#added(bytes);
  }

  give(bytes: number): void {
    this.take(-bytes);
  }

  /** The holder has so many bytes now. */
  hold(bytes: number): void {
    if (bytes !== this.#bytes) this.take(bytes - this.#bytes);
  }
}
