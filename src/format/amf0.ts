// AMF0 (Adobe "Action Message Format 0", 2007): values <-> bytes, under limits that hold for hostile input.
import { WireError } from '../base/errors.ts';

/** How deep objects and arrays may nest; a value at the top is at depth 1. */
export const MAX_AMF0_DEPTH = 16;
/** How many values one payload may hold, nested ones included. */
export const MAX_AMF0_VALUES = 1024;

/** An object, an ECMA array or a typed object: a Map, so that no name (`__proto__`) means anything to JavaScript. */
export type Amf0Object = ReadonlyMap<string, Amf0Value>;

/** A value as it was received. */
export type Amf0Value =
  | number
  | boolean
  | string
  | null
  | undefined
  | Date
  | Amf0Object
  | readonly Amf0Value[];

/** A value to send: objects may also be written as literals. */
export type Amf0Input =
  | Exclude<Amf0Value, Amf0Object | readonly Amf0Value[]>
  | ReadonlyMap<string, Amf0Input>
  | readonly Amf0Input[]
  | { readonly [name: string]: Amf0Input };

/** Type markers, §2.1. */
const Marker = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  undefined: 0x06,
  reference: 0x07,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  date: 0x0b,
  longString: 0x0c,
  unsupported: 0x0d,
  xmlDocument: 0x0f,
  typedObject: 0x10,
} as const;

const MAX_SHORT_BYTES = 0xffff;

/**
 * Reads all values of a payload.
 * References (§2.9) read as null and unsupported values (§2.13) as undefined: no command or metadata needs them.
 * An XML document reads as its text, a typed object as an object without its class name.
 * @throws WireError `amf0.truncated`, `amf0.type`, `amf0.depth` or `amf0.count`
 */
export function decodeAll(payload: Buffer): Amf0Value[] {
  const reader = new Amf0Reader(payload);
  const values: Amf0Value[] = [];
  while (!reader.atEnd) values.push(reader.value(1));
  return values;
}

/** Writes the values one after the other. Strings beyond 65,535 bytes become long strings. */
export function encode(...values: readonly Amf0Input[]): Buffer {
  const parts: Buffer[] = [];
  for (const value of values) writeValue(value, parts);
  return Buffer.concat(parts);
}

/** A place in one payload; it never reads past the end and counts what it has read. */
class Amf0Reader {
  readonly #payload: Buffer;
  #at = 0;
  #values = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  get atEnd(): boolean {
    return this.#at === this.#payload.length;
  }

  value(depth: number): Amf0Value {
    if (depth > MAX_AMF0_DEPTH) {
      throw new WireError('amf0.depth', `AMF0 values nest deeper than ${MAX_AMF0_DEPTH}`);
    }
    this.#values += 1;
    if (this.#values > MAX_AMF0_VALUES) {
      throw new WireError('amf0.count', `an AMF0 payload holds more than ${MAX_AMF0_VALUES} values`);
    }
    const marker = this.#payload.readUInt8(this.#advance(1));
    switch (marker) {
      case Marker.number:
        return this.#payload.readDoubleBE(this.#advance(8));
      case Marker.boolean:
        return this.#payload.readUInt8(this.#advance(1)) !== 0;
      case Marker.string:
        return this.#shortString();
      case Marker.longString:
      case Marker.xmlDocument:
        return this.#text(this.#payload.readUInt32BE(this.#advance(4)));
      case Marker.null:
        return null;
      case Marker.undefined:
      case Marker.unsupported:
        return undefined;
      case Marker.reference:
        this.#advance(2);
        return null;
      case Marker.typedObject:
        this.#shortString();
        return this.#object(depth);
      case Marker.ecmaArray:
        // §2.10: the count is a hint, and encoders get it wrong; the end marker decides.
        this.#advance(4);
        return this.#object(depth);
      case Marker.object:
        return this.#object(depth);
      case Marker.strictArray:
        return this.#array(depth);
      case Marker.date:
        return this.#date();
      default:
        throw new WireError('amf0.type', `AMF0 has no readable type 0x${marker.toString(16)}`, { marker });
    }
  }

  #object(depth: number): Amf0Object {
    const properties = new Map<string, Amf0Value>();
    for (;;) {
      const name = this.#shortString();
      if (name === '' && this.#payload[this.#at] === Marker.objectEnd) {
        this.#at += 1;
        return properties;
      }
      properties.set(name, this.value(depth + 1));
    }
  }

  #array(depth: number): readonly Amf0Value[] {
    const items: Amf0Value[] = [];
    const count = this.#payload.readUInt32BE(this.#advance(4));
    for (let index = 0; index < count; index += 1) items.push(this.value(depth + 1));
    return items;
  }

  #date(): Date {
    const wallMs = this.#payload.readDoubleBE(this.#advance(8));
    this.#advance(2); // the time zone, reserved (§2.13)
    return new Date(wallMs);
  }

  #shortString(): string {
    return this.#text(this.#payload.readUInt16BE(this.#advance(2)));
  }

  #text(bytes: number): string {
    const start = this.#advance(bytes);
    return this.#payload.toString('utf8', start, start + bytes);
  }

  /** Moves on by `bytes` that must be there; returns where they start. */
  #advance(bytes: number): number {
    const start = this.#at;
    if (bytes > this.#payload.length - start) {
      throw new WireError('amf0.truncated', 'an AMF0 value reaches beyond its payload', { at: start, bytes });
    }
    this.#at = start + bytes;
    return start;
  }
}

function writeValue(value: Amf0Input, parts: Buffer[]): void {
  switch (typeof value) {
    case 'number':
      parts.push(marked(Marker.number), double(value));
      return;
    case 'boolean':
      parts.push(Buffer.from([Marker.boolean, value ? 1 : 0]));
      return;
    case 'string':
      writeString(value, parts);
      return;
    case 'undefined':
      parts.push(marked(Marker.undefined));
      return;
  }
  if (value === null) parts.push(marked(Marker.null));
  else if (value instanceof Date) parts.push(marked(Marker.date), double(value.getTime()), Buffer.alloc(2));
  else if (isArray(value)) writeArray(value, parts);
  else writeObject(value instanceof Map ? value : Object.entries(value), parts);
}

function writeString(value: string, parts: Buffer[]): void {
  const text = Buffer.from(value);
  if (text.length <= MAX_SHORT_BYTES) {
    parts.push(marked(Marker.string), uint16(text.length), text);
  } else {
    parts.push(marked(Marker.longString), uint32(text.length), text);
  }
}

function writeArray(items: readonly Amf0Input[], parts: Buffer[]): void {
  parts.push(marked(Marker.strictArray), uint32(items.length));
  for (const item of items) writeValue(item, parts);
}

function writeObject(properties: Iterable<readonly [string, Amf0Input]>, parts: Buffer[]): void {
  parts.push(marked(Marker.object));
  for (const [name, value] of properties) {
    const text = Buffer.from(name);
    if (text.length > MAX_SHORT_BYTES) throw new RangeError('an AMF0 property name is too long');
    parts.push(uint16(text.length), text);
    writeValue(value, parts);
  }
  parts.push(uint16(0), marked(Marker.objectEnd));
}

function isArray(value: object): value is readonly Amf0Input[] {
  return Array.isArray(value);
}

function marked(marker: number): Buffer {
  return Buffer.from([marker]);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
