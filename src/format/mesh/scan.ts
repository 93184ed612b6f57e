// A look at the bytes of one msgpack value before anything unpacks them: is it whole, alone, flat, small and plain?
// Makes no value and allocates nothing that the bytes ask for.
import { WireError } from '../../base/errors.ts';

/** How deep maps and arrays may nest; the value itself is at depth 1. */
export const MAX_DEPTH = 8;
/** How many values there may be in all, keys and nested ones included. */
export const MAX_ITEMS = 8192;

/** First bytes of values that are no small number, string, map or array (msgpack specification, "Formats"). */
export const Marker = {
  nil: 0xc0,
  neverUsed: 0xc1,
  false: 0xc2,
  true: 0xc3,
  bin8: 0xc4,
  bin16: 0xc5,
  bin32: 0xc6,
  float32: 0xca,
  float64: 0xcb,
  uint8: 0xcc,
  uint16: 0xcd,
  uint32: 0xce,
  uint64: 0xcf,
  int8: 0xd0,
  int16: 0xd1,
  int32: 0xd2,
  int64: 0xd3,
  str8: 0xd9,
  str16: 0xda,
  str32: 0xdb,
  array16: 0xdc,
  array32: 0xdd,
  map16: 0xde,
  map32: 0xdf,
} as const;

/** Bytes behind the first one of a value that has no length field. */
const PLAIN_BYTES: Readonly<Record<number, number>> = {
  [Marker.nil]: 0,
  [Marker.false]: 0,
  [Marker.true]: 0,
  [Marker.uint8]: 1,
  [Marker.uint16]: 2,
  [Marker.uint32]: 4,
  [Marker.uint64]: 8,
  [Marker.int8]: 1,
  [Marker.int16]: 2,
  [Marker.int32]: 4,
  [Marker.int64]: 8,
  [Marker.float32]: 4,
  [Marker.float64]: 8,
};

/** Bytes of the length field of those that have one. */
const LENGTH_BYTES: Readonly<Record<number, number>> = {
  [Marker.bin8]: 1,
  [Marker.bin16]: 2,
  [Marker.bin32]: 4,
  [Marker.str8]: 1,
  [Marker.str16]: 2,
  [Marker.str32]: 4,
  [Marker.array16]: 2,
  [Marker.array32]: 4,
  [Marker.map16]: 2,
  [Marker.map32]: 4,
};

/**
 * Refuses bytes that are not exactly one plain value: extension types are refused since msgpackr's records are some,
 * and map keys that are no strings since no message has them.
 * @throws WireError `mesh.truncated`, `mesh.trailing`, `mesh.depth`, `mesh.count`, `mesh.extension` or `mesh.type`
 */
export function scan(bytes: Buffer): void {
  const scanner = new Scanner(bytes);
  scanner.value(1);
  scanner.finish();
}

class Scanner {
  readonly #bytes: Buffer;
  #at = 0;
  #items = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  value(depth: number): void {
    const marker = this.#bytes[this.#at];
    if (marker === undefined) throw truncated(this.#at, 1);
    this.#at += 1;
    this.#items += 1;
    if (this.#items > MAX_ITEMS) throw tooMany();
    if (marker < 0x80 || marker >= 0xe0) return;
    if (marker < 0x90) this.#map(marker & 0x0f, depth);
    else if (marker < 0xa0) this.#array(marker & 0x0f, depth);
    else if (marker < 0xc0) this.#skip(marker & 0x1f);
    else this.#marked(marker, depth);
  }

  #marked(marker: number, depth: number): void {
    const lengthBytes = LENGTH_BYTES[marker];
    const size = lengthBytes === undefined ? PLAIN_BYTES[marker] : this.#number(lengthBytes);
    if (marker === Marker.neverUsed) {
      throw new WireError('mesh.type', 'a mesh message has the byte 0xc1, which no msgpack value has');
    }
    if (size === undefined) {
      throw new WireError('mesh.extension', 'a mesh message has a msgpack extension type', { marker });
    }
    if (marker === Marker.map16 || marker === Marker.map32) this.#map(size, depth);
    else if (marker === Marker.array16 || marker === Marker.array32) this.#array(size, depth);
    else this.#skip(size);
  }

  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0)
      throw new WireError('mesh.trailing', `${left} bytes follow a mesh message's value`, { left });
  }

  #array(count: number, depth: number): void {
    this.#enter(count, depth);
    for (let index = 0; index < count; index += 1) this.value(depth + 1);
  }

  #map(count: number, depth: number): void {
    this.#enter(2 * count, depth);
    for (let index = 0; index < count; index += 1) {
      const marker = this.#bytes[this.#at];
      if (marker !== undefined && !isString(marker)) {
        throw new WireError('mesh.type', 'a map of a mesh message has a key that is no string');
      }
      this.value(depth + 1);
      this.value(depth + 1);
    }
  }

  /** Each of the values inside takes at least a byte. */
  #enter(count: number, depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new WireError('mesh.depth', `the values of a mesh message nest deeper than ${MAX_DEPTH}`);
    }
    if (count > this.#bytes.length - this.#at) throw truncated(this.#at, count);
    if (count > MAX_ITEMS - this.#items) throw tooMany();
  }

  #number(size: number): number {
    const start = this.#at;
    this.#skip(size);
    return this.#bytes.readUIntBE(start, size);
  }

  #skip(size: number): void {
    if (size > this.#bytes.length - this.#at) throw truncated(this.#at, size);
    this.#at += size;
  }
}

/** A value at `at` needs `size` bytes that aren't there. */
export function truncated(at: number, size: number): WireError {
  return new WireError('mesh.truncated', 'a value reaches beyond its mesh message', { at, size });
}

function tooMany(): WireError {
  return new WireError('mesh.count', `a mesh message holds more than ${MAX_ITEMS} values`);
}

function isString(marker: number): boolean {
  return (marker >= 0xa0 && marker < 0xc0) || (marker >= Marker.str8 && marker <= Marker.str32);
}
