// One chunk stream of a reader: the header that later chunks lean on, and the message under way on it.
import type { PayloadSlab } from '../payload-slab.ts';

/** How far beyond the bytes received a message's memory may reach; 32 chunk streams make 1 MiB (design §3). */
const MAX_SLACK_BYTES = 32 * 1024;

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Plain state that `ChunkReader` steps, and the payload that it collects. The payload grows in blocks of at most
 * what was received already, never to a promised length.
 */
export class ChunkStream {
  readonly id: number;
  readonly #slabs: ReadonlyMap<number, PayloadSlab>;
  /** 32-bit time of the message under way, or of the last one. */
  timestamp = 0;
  /** What the last timestamp field, or its extension, said: a time after fmt 0, else a delta. */
  field = 0;
  /** The last fmt 0, 1 or 2 header had an extended timestamp. */
  extended = false;
  /** Payload bytes of the message under way, or of the last one: promised, not received. */
  length = 0;
  type = 0;
  streamId = 0;
  /** A message was begun and is not complete. */
  inMessage = false;
  received = 0;

  #full: Buffer[] = [];
  #block = EMPTY;
  #filled = 0;

  /** @param slabs of payloads that are kept, by message type; of other types each has its own memory */
  constructor(id: number, slabs: ReadonlyMap<number, PayloadSlab>) {
    this.id = id;
    this.#slabs = slabs;
  }

  /** Memory that the message under way holds, in bytes. */
  get heldBytes(): number {
    return this.#full.reduce((sum, block) => sum + block.length, this.#block.length);
  }

  begin(): void {
    this.inMessage = true;
    this.received = 0;
  }

  /** Forgets the message under way; the header stays. */
  abort(): void {
    this.inMessage = false;
    this.#full = [];
    this.#block = EMPTY;
    this.#filled = 0;
  }

  /**
   * Copies `size` bytes of the message from `bytes` at `at`.
   * @param inHand bytes received from `at` on; those that follow are likely to be this message's, too
   */
  take(bytes: Buffer, at: number, size: number, inHand: number): void {
    let from = at;
    const end = at + size;
    while (from < end) {
      if (this.#filled === this.#block.length) this.#nextBlock(end - from, inHand);
      const copied = bytes.copy(this.#block, this.#filled, from, end);
      this.#filled += copied;
      this.received += copied;
      from += copied;
    }
  }

  /** Ends the message; its payload is memory that nobody else holds. */
  finish(): Buffer {
    // Blocks never reach beyond the message, so a lone full one is the payload.
    const payload = this.#full.length === 0 ? this.#block : this.#joined();
    this.abort();
    return payload;
  }

  #joined(): Buffer {
    const payload = this.#memory(this.length);
    let at = 0;
    for (const block of this.#full) at += block.copy(payload, at);
    this.#block.copy(payload, at);
    return payload;
  }

  #nextBlock(now: number, inHand: number): void {
    if (this.#block.length > 0) this.#full.push(this.#block);
    const ahead = Math.min(MAX_SLACK_BYTES, Math.max(inHand, this.received));
    this.#block = this.#memory(Math.min(this.length - this.received, Math.max(now, ahead)));
    this.#filled = 0;
  }

  #memory(size: number): Buffer {
    return this.#slabs.get(this.type)?.take(size) ?? Buffer.allocUnsafeSlow(size);
  }
}
