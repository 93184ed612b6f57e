import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../src/base/errors.ts';
import {
  type Amf0Value,
  decodeAll,
  encode,
  MAX_AMF0_DEPTH,
  MAX_AMF0_VALUES,
} from '../../../src/format/amf0.ts';

const { value: anyValue } = fc.letrec<{ value: Amf0Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.double(),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(null, undefined, new Date(1234567890123)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));

function bytes(...parts: (number | string)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))),
  );
}

function codeOf(payload: Buffer): string | undefined {
  try {
    decodeAll(payload);
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}

describe('AMF0', () => {
  test('values come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 5 }), (values) => {
        expect(decodeAll(encode(...values))).toEqual(values);
      }),
    );
  });

  test('arbitrary bytes give values or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (payload) => {
        codeOf(Buffer.from(payload));
      }),
      { numRuns: 2000 },
    );
  });

  test('a cut payload is a WireError or fewer values', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 5 }), fc.nat(), (values, at) => {
        const whole = encode(...values);
        expect([undefined, 'amf0.truncated']).toContain(codeOf(whole.subarray(0, at % whole.length)));
      }),
    );
  });

  test('literals are written as objects', () => {
    expect(decodeAll(encode({ app: 'live', nested: { yes: true } }))).toEqual([
      new Map<string, Amf0Value>([
        ['app', 'live'],
        ['nested', new Map([['yes', true]])],
      ]),
    ]);
  });

  test('a property named __proto__ is a property like others', () => {
    const [value] = decodeAll(bytes(3, 0, 9, '__proto__', 3, 0, 5, 'admin', 1, 1, 0, 0, 9, 0, 0, 9));
    expect(value).toEqual(new Map([['__proto__', new Map([['admin', true]])]]));
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('strings beyond 65,535 bytes travel as long strings', () => {
    const long = 'ä'.repeat(40_000);
    expect(encode(long)[0]).toBe(0x0c);
    expect(decodeAll(encode(long))).toEqual([long]);
  });

  test('an ECMA array is an object, whatever count it claims', () => {
    expect(decodeAll(bytes(8, 255, 255, 255, 255, 0, 1, 'a', 5, 0, 0, 9))).toEqual([new Map([['a', null]])]);
  });

  test('a typed object is an object, an XML document its text', () => {
    expect(decodeAll(bytes(16, 0, 1, 'C', 0, 1, 'a', 6, 0, 0, 9, 15, 0, 0, 0, 2, '<x'))).toEqual([
      new Map([['a', undefined]]),
      '<x',
    ]);
  });

  test('a reference reads as null, an unsupported value as undefined', () => {
    expect(decodeAll(bytes(7, 0, 1, 13))).toEqual([null, undefined]);
  });

  test.each([4, 9, 14, 17, 255])('type %i is refused', (marker) => {
    expect(codeOf(bytes(marker, 0, 0, 0, 0))).toBe('amf0.type');
  });

  test('objects and arrays may nest 16 deep and no deeper', () => {
    const nested = (depth: number) =>
      Buffer.concat([Buffer.from('0a00000001'.repeat(depth - 1), 'hex'), bytes(5)]);
    expect(codeOf(nested(MAX_AMF0_DEPTH))).toBeUndefined();
    expect(codeOf(nested(MAX_AMF0_DEPTH + 1))).toBe('amf0.depth');
    expect(codeOf(nested(20_000))).toBe('amf0.depth');
  });

  test('a payload may hold 1,024 values and no more', () => {
    expect(codeOf(Buffer.alloc(MAX_AMF0_VALUES, 5))).toBeUndefined();
    expect(codeOf(Buffer.alloc(MAX_AMF0_VALUES + 1, 5))).toBe('amf0.count');
    expect(codeOf(Buffer.concat([bytes(10, 255, 255, 255, 255), Buffer.alloc(4000, 5)]))).toBe('amf0.count');
  });

  test.each([
    ['a number', bytes(0, 1, 2)],
    ['a string', bytes(2, 0, 9, 'short')],
    ['a long string', bytes(12, 255, 255, 255, 255, 'short')],
    ['an object without an end', bytes(3, 0, 1, 'a', 5)],
    ['a strict array', bytes(10, 0, 0, 0, 2, 5)],
    ['a date', bytes(11, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
  ])('%s that is cut short is refused', (_name, payload) => {
    expect(codeOf(payload)).toBe('amf0.truncated');
  });
});
