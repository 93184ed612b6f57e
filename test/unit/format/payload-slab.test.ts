import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apart, PayloadSlab } from '../../../src/format/payload-slab.ts';

describe('a slab of payloads', () => {
  test('gives each its own bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { maxLength: 60 }), (sizes) => {
        const slab = new PayloadSlab();
        const payloads = sizes.map((size, index) => slab.take(size).fill(index + 1));
        for (const [index, payload] of payloads.entries()) {
          expect(payload.length).toBe(sizes[index]);
          expect(payload.every((byte) => byte === index + 1)).toBe(true);
        }
      }),
    );
  });

  test('begins with 1 KiB and doubles up to 64 KiB, so that a peer that says little costs little', () => {
    const slab = new PayloadSlab();
    const sizes = new Set(Array.from({ length: 2000 }, () => slab.take(100).buffer.byteLength));
    expect([...sizes]).toEqual([1, 2, 4, 8, 16, 32, 64].map((kib) => kib * 1024));
  });

  test('is nearly full before the next begins: what is bigger than an eighth of it has its own buffer', () => {
    const slab = new PayloadSlab();
    expect(slab.take(8193).buffer.byteLength).toBe(8193);
    expect(slab.take(5000).buffer.byteLength).toBe(5000);
    const buffers = new Map<ArrayBufferLike, number>();
    for (let count = 0; count < 1000; count += 1) {
      const { buffer, length } = slab.take(8192 - (count % 3) * 700);
      buffers.set(buffer, (buffers.get(buffer) ?? 0) + length);
    }
    const full = [...buffers].filter(([{ byteLength }]) => byteLength === 64 * 1024).slice(0, -1);
    expect(full.length).toBeGreaterThan(50);
    for (const [{ byteLength }, used] of full) expect(used / byteLength).toBeGreaterThan(0.87);
  });
});

describe('a payload that is to be kept apart', () => {
  test('leaves its slab', () => {
    const slab = new PayloadSlab();
    slab.take(10);
    const kept = apart(slab.take(20).fill(7));
    expect([kept.buffer.byteLength, kept.every((byte) => byte === 7)]).toEqual([20, true]);
  });

  test('stays where it is if it is alone', () => {
    const alone = Buffer.allocUnsafeSlow(20);
    expect(apart(alone)).toBe(alone);
  });
});
