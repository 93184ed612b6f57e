import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { MAX_DEPTH, MAX_ITEMS, scan } from '../../../../src/format/mesh/scan.ts';
import { refusal } from '../../../support/mesh-bytes.ts';

const packr = new Packr({ useRecords: false });

function codeOf(...bytes: (number | Buffer)[]): string | undefined {
  const parts = bytes.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part));
  return refusal(() => scan(Buffer.concat(parts)));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const plainValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.double(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
  ),
})).value;

describe('a scan', () => {
  test('passes whatever msgpackr writes of plain values', () => {
    fc.assert(fc.property(plainValue, (value) => codeOf(packr.pack(value)) === undefined));
  });

  test('refuses every prefix of a value, and anything behind it', () => {
    fc.assert(
      fc.property(plainValue, fc.nat(), fc.nat(255), (value, cut, more) => {
        const whole = packr.pack(value);
        expect(codeOf(whole.subarray(0, cut % whole.length))).toBe('mesh.truncated');
        expect(codeOf(whole, more)).toBe('mesh.trailing');
      }),
    );
  });

  test('of no bytes finds nothing', () => {
    expect(codeOf()).toBe('mesh.truncated');
  });

  test.each([0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8])('refuses extension type %i', (marker) => {
    expect(codeOf(marker, Buffer.alloc(32))).toBe('mesh.extension');
    expect(codeOf(0x91, marker, Buffer.alloc(32))).toBe('mesh.extension');
  });

  test("refuses msgpackr's records, dates, and undefined", () => {
    expect(codeOf(new Packr().pack({ is: 'unsub', ref: 1, id: 1 }))).toBe('mesh.extension');
    expect(codeOf(packr.pack({ at: new Date(0) }))).toBe('mesh.extension');
    expect(codeOf(packr.pack({ at: undefined }))).toBe('mesh.extension');
  });

  test('refuses the byte that no value has, and keys that are no strings', () => {
    expect(codeOf(0xc1)).toBe('mesh.type');
    expect(codeOf(0x81, 1, 1)).toBe('mesh.type');
    expect(codeOf(0x81, 0x80, 1)).toBe('mesh.type');
    expect(codeOf(0x81, 0xc4, 1, 65, 1)).toBe('mesh.type');
  });

  test('takes values as deep as the limit, and none deeper', () => {
    const nested = (levels: number) => [Buffer.alloc(levels, 0x91), 0xc0];
    expect(codeOf(...nested(MAX_DEPTH))).toBeUndefined();
    expect(codeOf(...nested(MAX_DEPTH + 1))).toBe('mesh.depth');
    expect(codeOf(...nested(60_000))).toBe('mesh.depth');
    expect(codeOf(Buffer.from('81a161'.repeat(MAX_DEPTH + 1), 'hex'), 0xc0)).toBe('mesh.depth');
  });

  test('takes as many values as the limit, and no more, in however many arrays', () => {
    const flat = (count: number) => [0xdd, uint32(count), Buffer.alloc(count)];
    expect(codeOf(...flat(MAX_ITEMS - 1))).toBeUndefined();
    expect(codeOf(...flat(MAX_ITEMS))).toBe('mesh.count');
    const half = Buffer.concat([Buffer.from([0xdd]), uint32(MAX_ITEMS / 2), Buffer.alloc(MAX_ITEMS / 2)]);
    expect(codeOf(0x92, half, half)).toBe('mesh.count');
  });

  test.each([0xc6, 0xdb, 0xdd, 0xdf])('of a length of 4 GiB behind %i ends at once', (marker) => {
    expect(codeOf(marker, uint32(2 ** 32 - 1), Buffer.alloc(60_000))).toBe('mesh.truncated');
  });
});
