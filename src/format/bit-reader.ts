// Bits of a buffer, first to last, with the codes that video headers are written in. Pure; never throws: what is read past
// the end is 0, and `isOver` says so.

/** More leading zeros than this are no code of a header. */
const MAX_LEADING_ZEROS = 31;

export class BitReader {
  readonly #bytes: Buffer;
  #at = 0;
  #isOver = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Was more read than there is, or a code that none may have? What was read then means nothing. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Bits that are not read yet. */
  get left(): number {
    return Math.max(0, this.#bytes.length * 8 - this.#at);
  }

  /** @param count 0 to 32 */
  bits(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left -= 1) value = value * 2 + this.#bit();
    return value;
  }

  flag(): boolean {
    return this.#bit() === 1;
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length * 8) this.#isOver = true;
  }

  /** An unsigned Exp-Golomb code (ITU-T H.264 §9.1), and AV1's uvlc. */
  ue(): number {
    let zeros = 0;
    while (!this.#isOver && this.#bit() === 0) zeros += 1;
    if (zeros > MAX_LEADING_ZEROS) this.#isOver = true;
    return this.#isOver ? 0 : 2 ** zeros - 1 + this.bits(zeros);
  }

  /** A signed one (§9.1.1). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }

  #bit(): number {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) {
      this.#isOver = true;
      return 0;
    }
    const bit = (byte >> (7 - (this.#at & 7))) & 1;
    this.#at += 1;
    return bit;
  }
}
