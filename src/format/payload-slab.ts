// Memory for the payloads of one track: small ones lie together in slabs, since a buffer of its own costs each of them more
// than its bytes. Frames of one track are kept and dropped in the order in which they came, so a slab goes as a whole; what
// is kept for longer is taken out with `apart`.

const FIRST_BYTES = 1024;
const MAX_BYTES = 64 * 1024;
/** A payload of more than this part of the biggest slab has a buffer of its own: so a slab is nearly full in the end. */
const SMALL_BYTES = MAX_BYTES / 8;

export class PayloadSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Memory of this many bytes, not cleared, that nobody else is given. Slabs grow with use: 1 KiB at first, 64 KiB at last. */
  take(size: number): Buffer {
    if (size > SMALL_BYTES) return Buffer.allocUnsafeSlow(size);
    if (size > this.#slab.length - this.#used) this.#renew(size);
    const start = this.#used;
    this.#used += size;
    return this.#slab.subarray(start, this.#used);
  }

  #renew(size: number): void {
    const grown = Math.max(FIRST_BYTES, Math.min(MAX_BYTES, this.#slab.length * 2));
    this.#slab = Buffer.allocUnsafeSlow(Math.max(grown, size));
    this.#used = 0;
  }
}

/** The payload in a buffer of its own, if it lies in a bigger one: for what is kept longer than its neighbours. */
export function apart(payload: Buffer): Buffer {
  if (payload.buffer.byteLength === payload.length) return payload;
  const copy = Buffer.allocUnsafeSlow(payload.length);
  payload.copy(copy);
  return copy;
}
