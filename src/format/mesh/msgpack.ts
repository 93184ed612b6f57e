// The few msgpack values that media messages are made of: integers, byte strings, heads of arrays. Written by hand,
// in the forms that msgpackr would choose, so that payloads are copied once; read in every form there is.
import { WireError } from '../../base/errors.ts';
import { Marker, truncated } from './scan.ts';

/** Bytes that `writeInteger` takes. */
export function integerBytes(value: number): number {
  if (value >= 0) {
    if (value < 0x80) return 1;
    if (value < 0x100) return 2;
    if (value < 0x10000) return 3;
    return value < 2 ** 32 ? 5 : 9;
  }
  if (value >= -0x20) return 1;
  if (value >= -0x80) return 2;
  if (value >= -0x8000) return 3;
  return value >= -(2 ** 31) ? 5 : 9;
}

/**
 * Writes a safe integer; one that 32 bits can't hold as float64, which is exact for it.
 * @returns where the next value goes
 */
export function writeInteger(target: Buffer, at: number, value: number): number {
  switch (integerBytes(value)) {
    case 1:
      target[at] = value & 0xff;
      return at + 1;
    case 2:
      target[at] = value < 0 ? Marker.int8 : Marker.uint8;
      target[at + 1] = value & 0xff;
      return at + 2;
    case 3:
      target[at] = value < 0 ? Marker.int16 : Marker.uint16;
      return target.writeUInt16BE(value & 0xffff, at + 1);
    case 5:
      target[at] = value < 0 ? Marker.int32 : Marker.uint32;
      return target.writeUInt32BE(value >>> 0, at + 1);
    default:
      target[at] = Marker.float64;
      return target.writeDoubleBE(value, at + 1);
  }
}

/** The head of an array of up to 15 values. */
export function writeArrayHead(target: Buffer, at: number, count: number): number {
  target[at] = 0x90 | count;
  return at + 1;
}

/** Bytes that `writeBin` takes for a payload of so many. */
export function binBytes(payloadBytes: number): number {
  if (payloadBytes < 0x100) return 2 + payloadBytes;
  return (payloadBytes < 0x10000 ? 3 : 5) + payloadBytes;
}

/** Writes a byte string: its head, and a copy of the payload. */
export function writeBin(target: Buffer, at: number, payload: Buffer): number {
  const size = payload.length;
  let bodyAt: number;
  if (size < 0x100) {
    target[at] = Marker.bin8;
    bodyAt = target.writeUInt8(size, at + 1);
  } else if (size < 0x10000) {
    target[at] = Marker.bin16;
    bodyAt = target.writeUInt16BE(size, at + 1);
  } else {
    target[at] = Marker.bin32;
    bodyAt = target.writeUInt32BE(size, at + 1);
  }
  target.set(payload, bodyAt);
  return bodyAt + size;
}

/**
 * A place in one message of msgpack values; it never reads past the end.
 * All of it throws WireError: `mesh.truncated`, `mesh.type` for another type than asked, `mesh.number` for a number
 * that is no safe integer.
 */
export class MsgpackReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The head of an array: how many values follow. */
  arrayCount(): number {
    const marker = this.#marker();
    if ((marker & 0xf0) === 0x90) return marker & 0x0f;
    if (marker === Marker.array16) return this.#unsigned(2);
    if (marker === Marker.array32) return this.#unsigned(4);
    throw wrongType('an array', marker);
  }

  /** A safe integer, in whatever form it was written; never -0. */
  integer(): number {
    const marker = this.#marker();
    if (marker < 0x80) return marker;
    if (marker >= 0xe0) return marker - 0x100;
    switch (marker) {
      case Marker.uint8:
        return this.#unsigned(1);
      case Marker.uint16:
        return this.#unsigned(2);
      case Marker.uint32:
        return this.#unsigned(4);
      case Marker.uint64:
        return safe(this.#unsigned(4) * 2 ** 32 + this.#unsigned(4));
      case Marker.int8:
        return this.#signed(1);
      case Marker.int16:
        return this.#signed(2);
      case Marker.int32:
        return this.#signed(4);
      case Marker.int64:
        return safe(this.#signed(4) * 2 ** 32 + this.#unsigned(4));
      case Marker.float32:
        return safe(this.#bytes.readFloatBE(this.#advance(4)));
      case Marker.float64:
        return safe(this.#bytes.readDoubleBE(this.#advance(8)));
      default:
        throw wrongType('an integer', marker);
    }
  }

  /** A byte string, as a view of the message. */
  bin(): Buffer {
    const size = this.#binSize();
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  #binSize(): number {
    const marker = this.#marker();
    switch (marker) {
      case Marker.bin8:
        return this.#unsigned(1);
      case Marker.bin16:
        return this.#unsigned(2);
      case Marker.bin32:
        return this.#unsigned(4);
      default:
        throw wrongType('a byte string', marker);
    }
  }

  /** The first byte of a value. */
  #marker(): number {
    const marker = this.#bytes[this.#at];
    if (marker === undefined) throw truncated(this.#at, 1);
    this.#at += 1;
    return marker;
  }

  #unsigned(size: number): number {
    return this.#bytes.readUIntBE(this.#advance(size), size);
  }

  #signed(size: number): number {
    return this.#bytes.readIntBE(this.#advance(size), size);
  }

  /** Moves on by `size` bytes that must be there; returns where they start. */
  #advance(size: number): number {
    const start = this.#at;
    if (size > this.#bytes.length - start) throw truncated(start, size);
    this.#at = start + size;
    return start;
  }
}

/** @throws WireError `mesh.number` for what is no safe integer */
export function safe(value: number): number {
  if (Number.isSafeInteger(value)) return value + 0;
  throw new WireError('mesh.number', `a number of a mesh message, ${value}, is no safe integer`);
}

function wrongType(asked: string, marker: number): WireError {
  return new WireError('mesh.type', `a mesh message has another value where ${asked} belongs`, { marker });
}
