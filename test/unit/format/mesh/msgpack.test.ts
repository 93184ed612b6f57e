import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  binBytes,
  integerBytes,
  MsgpackReader,
  writeBin,
  writeInteger,
} from '../../../../src/format/mesh/msgpack.ts';
import { refusal } from '../../../support/mesh-bytes.ts';

const packr = new Packr({ useRecords: false });

/** Where forms change, and either side of it. */
const EDGES = [
  0,
  0x1f,
  0x20,
  0x7f,
  0x80,
  0xff,
  0x7fff,
  0x8000,
  0xffff,
  2 ** 31,
  2 ** 32,
  2 ** 52,
  2 ** 53 - 2,
];
const anyInteger = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.integer({ min: -200, max: 200 }),
  fc
    .tuple(fc.constantFrom(...EDGES), fc.constantFrom(-1, 0, 1), fc.constantFrom(-1, 1))
    .map(([edge, step, sign]) => sign * (edge + step) + 0),
);

/** An integer in each form that can hold it. */
function formsOf(value: number): Buffer[] {
  const forms: Buffer[] = [];
  const add = (bytes: number, write: (target: Buffer) => void) => {
    const form = Buffer.alloc(bytes);
    write(form);
    forms.push(form);
  };
  const sized = (marker: number, bytes: number, signed: boolean) => {
    const [min, max] = signed
      ? [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1) - 1]
      : [0, 2 ** (8 * bytes) - 1];
    if (value < min || value > max) return;
    add(1 + bytes, (form) => {
      form[0] = marker;
      if (bytes < 8) signed ? form.writeIntBE(value, 1, bytes) : form.writeUIntBE(value, 1, bytes);
      else signed ? form.writeBigInt64BE(BigInt(value), 1) : form.writeBigUInt64BE(BigInt(value), 1);
    });
  };
  for (const [power, bytes] of [1, 2, 4, 8].entries()) {
    sized(0xcc + power, bytes, false);
    sized(0xd0 + power, bytes, true);
  }
  if (Math.fround(value) === value) {
    add(5, (form) => {
      form[0] = 0xca;
      form.writeFloatBE(value, 1);
    });
  }
  add(9, (form) => {
    form[0] = 0xcb;
    form.writeDoubleBE(value, 1);
  });
  return forms;
}

function readInteger(...bytes: number[]): string | undefined {
  return refusal(() => new MsgpackReader(Buffer.from(bytes)).integer());
}

describe('an integer', () => {
  test('is written in the bytes that msgpackr would write', () => {
    fc.assert(
      fc.property(anyInteger, (value) => {
        const bytes = Buffer.alloc(integerBytes(value));
        expect(writeInteger(bytes, 0, value)).toBe(bytes.length);
        expect(bytes.toString('hex')).toBe(Buffer.from(packr.pack(value)).toString('hex'));
        expect(new MsgpackReader(bytes).integer()).toBe(value);
      }),
      { numRuns: 1000 },
    );
  });

  test('is read in every form that can hold it', () => {
    fc.assert(
      fc.property(anyInteger, (value) => {
        for (const form of formsOf(value)) {
          const reader = new MsgpackReader(form);
          expect(reader.integer(), form.toString('hex')).toBe(value);
          expect(reader.atEnd).toBe(true);
          expect(readInteger(...form.subarray(0, -1))).toBe('mesh.truncated');
        }
      }),
    );
  });

  test('that is none, or that no number holds, is refused', () => {
    expect(readInteger(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0)).toBe('mesh.number');
    expect(readInteger(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255)).toBeUndefined();
    expect(readInteger(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)).toBe('mesh.number');
    expect(readInteger(0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 0)).toBe('mesh.number');
    expect(readInteger(0xd3, 255, 0xe0, 0, 0, 0, 0, 0, 1)).toBeUndefined();
    for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(readInteger(...packr.pack(value))).toBe('mesh.number');
    }
    for (const value of [null, true, '1', [1], Buffer.from([1])]) {
      expect(readInteger(...packr.pack(value))).toBe('mesh.type');
    }
  });

  test('that is minus zero reads as zero', () => {
    expect(new MsgpackReader(Buffer.from([0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0])).integer()).toBe(0);
    expect(new MsgpackReader(Buffer.from([0xca, 0x80, 0, 0, 0])).integer()).toBe(0);
  });
});

test.each([0, 1, 255, 256, 65_535, 65_536])('a byte string of %i is written as msgpackr would', (size) => {
  const payload = Buffer.alloc(size, 7);
  const bytes = Buffer.alloc(binBytes(size));
  expect(writeBin(bytes, 0, payload)).toBe(bytes.length);
  expect(bytes.equals(packr.pack(payload))).toBe(true);
  expect(new MsgpackReader(bytes).bin().equals(payload)).toBe(true);
  expect(refusal(() => new MsgpackReader(bytes.subarray(0, -1)).bin())).toBe('mesh.truncated');
});

test('a text is no byte string, and a map no array', () => {
  expect(refusal(() => new MsgpackReader(packr.pack('text')).bin())).toBe('mesh.type');
  expect(refusal(() => new MsgpackReader(packr.pack({})).arrayCount())).toBe('mesh.type');
});

test('an array is read with each of its heads', () => {
  for (const head of ['93', 'dc0003', 'dd00000003']) {
    expect(new MsgpackReader(Buffer.from(head, 'hex')).arrayCount()).toBe(3);
  }
});
