// Received chunks as one readable row of bytes. It holds what was received and nothing more.

/**
 * A reader over chunks in the order they came. Reading never waits: ask `length` first.
 * Chunks are kept as they are until they are read, so feed owned or soon-consumed buffers.
 */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #first = 0;
  #offset = 0;
  #length = 0;

  /** Bytes that can be read now. */
  get length(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The byte `at` places ahead, without reading it; the caller has checked `length`. */
  peek(at: number): number {
    let index = this.#first;
    let place = this.#offset + at;
    for (let chunk = this.#chunks[index]; chunk; chunk = this.#chunks[++index]) {
      const byte = chunk[place];
      if (byte !== undefined) return byte;
      place -= chunk.length;
    }
    throw new RangeError(`peek at ${at} of ${this.#length} bytes`);
  }

  /** Reads `size` bytes into a new buffer that nobody else holds; the caller has checked `length`. */
  take(size: number): Buffer {
    const owned = Buffer.allocUnsafeSlow(size);
    this.takeInto(owned, 0, size);
    return owned;
  }

  /** Reads `size` bytes into `target` at `start`; the caller has checked `length`. */
  takeInto(target: Buffer, start: number, size: number): void {
    if (size > this.#length) throw new RangeError(`take ${size} of ${this.#length} bytes`);
    let at = start;
    let left = size;
    while (left > 0) {
      const chunk = this.#current();
      const copied = chunk.copy(target, at, this.#offset, this.#offset + left);
      at += copied;
      left -= copied;
      this.#advance(chunk, copied);
    }
  }

  skip(size: number): void {
    if (size > this.#length) throw new RangeError(`skip ${size} of ${this.#length} bytes`);
    let left = size;
    while (left > 0) {
      const chunk = this.#current();
      const step = Math.min(left, chunk.length - this.#offset);
      left -= step;
      this.#advance(chunk, step);
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#offset = 0;
    this.#length = 0;
  }

  #current(): Buffer {
    const chunk = this.#chunks[this.#first];
    if (!chunk) throw new RangeError('the queue is empty');
    return chunk;
  }

  #advance(chunk: Buffer, bytes: number): void {
    this.#length -= bytes;
    this.#offset += bytes;
    if (this.#offset < chunk.length) return;
    this.#offset = 0;
    this.#first += 1;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
    } else if (this.#first > 64) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
