import fc from 'fast-check';
import { Packr, unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { MAX_DTS, MAX_SEQ } from '../../../../src/format/mesh/bounds.ts';
import {
  type ControlMessage,
  controlMessage,
  MAX_ALTERNATIVES,
  MAX_HEADS,
  MAX_PATH,
} from '../../../../src/format/mesh/control.ts';
import {
  decodeControl,
  encodeControl,
  frameControl,
  MAX_CONTROL_BYTES,
} from '../../../../src/format/mesh/control-codec.ts';
import { isMediaMessage } from '../../../../src/format/mesh/media-codec.ts';
import { bodiesOf, mutated, numbersFrom, refusal } from '../../../support/mesh-bytes.ts';

const packr = new Packr({ useRecords: false });

const uint32 = fc.nat({ max: 2 ** 31 - 1 }).map((half) => 2 * half + 1);
const safe = fc.oneof(fc.nat({ max: 300 }), uint32, fc.maxSafeNat(), fc.constant(2 ** 52 + 1));
const ms = fc
  .oneof(safe, fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true }))
  .map((v) => v + 0);
const seq = fc.oneof(
  fc.nat({ max: 300 }),
  uint32,
  fc.maxSafeNat().map((v) => Math.min(v, MAX_SEQ)),
);
const dts = fc.integer({ min: -MAX_DTS, max: MAX_DTS });
const waitMs = fc.integer({ min: 0, max: 86_400_000 });
const node = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/);
const path = fc.array(node, { minLength: 1, maxLength: MAX_PATH });
const alternatives = fc.array(node, { maxLength: MAX_ALTERNATIVES });
const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const key = fc.string({ unit: 'grapheme', minLength: 3, maxLength: 30 });
const is = <K extends ControlMessage['is']>(kind: K) => fc.constant(kind);
const ids = { id: uint32, ref: uint32, epochRef: uint32, epoch: safe };

const anyMessage: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({ is: is('hello'), node, boot: hex(16), version: fc.string({ maxLength: 64 }), nonce: hex(64) }),
  fc.record({ is: is('proof'), mac: hex(64) }),
  fc.record(
    {
      is: is('sub'),
      id: ids.id,
      key,
      insist: fc.boolean(),
      patient: fc.boolean(),
      resume: fc.record({ epoch: ids.epoch, from: safe }),
    },
    { requiredKeys: ['is', 'id', 'key', 'insist'] },
  ),
  fc.record({
    is: is('ok'),
    id: ids.id,
    ref: ids.ref,
    epoch: ids.epoch,
    head: seq,
    oldest: seq,
    path,
    state: fc.constantFrom('live' as const, 'held' as const),
    msLeft: waitMs,
  }),
  fc.record({
    is: is('no'),
    id: ids.id,
    why: fc.constantFrom(
      'nosrc' as const,
      'loop' as const,
      'busy' as const,
      'fenced' as const,
      'auth' as const,
    ),
    epoch: ids.epoch,
    alternatives,
  }),
  fc.record({ is: fc.constantFrom('unsub' as const, 'gone' as const), ref: ids.ref, id: ids.id }),
  fc.record({ is: is('got'), bytes: safe }),
  fc.record({
    is: is('epoch'),
    ref: ids.ref,
    epochRef: ids.epochRef,
    epoch: ids.epoch,
    from: safe,
    firstDts: dts,
    newestDts: dts,
  }),
  fc.record({ is: is('skip'), ref: ids.ref, epochRef: ids.epochRef, from: seq, to: seq }),
  fc.record({ is: is('path'), ref: ids.ref, path }),
  fc.record(
    {
      is: is('state'),
      ref: ids.ref,
      at: fc.constantFrom('live' as const, 'held' as const, 'ended' as const),
      msLeft: waitMs,
      why: fc.record({ code: fc.string({ maxLength: 64 }), message: fc.string({ maxLength: 256 }) }),
    },
    { requiredKeys: ['is', 'ref', 'at', 'msLeft'] },
  ),
  fc.record({ is: fc.constantFrom('origin' as const, 'fenced' as const), key, epoch: ids.epoch }),
  fc.record({ is: is('preload'), key, ttlMs: waitMs }),
  fc.record({ is: is('head'), id: ids.id, key }),
  fc.record({
    is: is('headed'),
    id: ids.id,
    epoch: ids.epoch,
    seq,
    live: fc.boolean(),
    path: fc.array(node, { maxLength: MAX_PATH }),
  }),
  fc.record({ is: is('goaway'), deadlineMs: waitMs }),
  fc.record({
    is: is('query'),
    id: ids.id,
    kind: fc.string({ maxLength: 32 }),
    args: fc.string({ maxLength: 200 }),
    request: fc.string({ maxLength: 64 }),
  }),
  fc.record({
    is: is('reply'),
    id: ids.id,
    total: uint32,
    rows: fc.string({ maxLength: 200 }),
    last: fc.boolean(),
  }),
  fc.record({
    is: is('noreply'),
    id: ids.id,
    why: fc.record({ code: fc.string({ maxLength: 64 }), message: fc.string({ maxLength: 256 }) }),
  }),
  fc.record({ is: is('goaway'), deadlineMs: waitMs, only: fc.constant('relayed' as const) }),
  fc.record(
    {
      is: is('beat'),
      at: ms,
      echo: fc.record({ at: ms, heldMs: ms }),
      registryWallMs: ms,
      heads: fc.array(fc.tuple(uint32, uint32, seq), { maxLength: 20 }),
      cameAt: fc.array(ms, { maxLength: 20 }),
    },
    { requiredKeys: ['is', 'at', 'registryWallMs', 'heads'] },
  ),
);

function codeOf(bytes: Buffer): string | undefined {
  return refusal(() => decodeControl(bytes));
}

describe('a control message', () => {
  test('comes back as it was sent, and is a map that any msgpack reads', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const bytes = encodeControl(message);
        expect(decodeControl(bytes)).toEqual(message);
        expect(unpack(bytes)).toEqual(message);
        expect(isMediaMessage(bytes)).toBe(false);
        expect(bodiesOf(frameControl(message)).map((body) => body.equals(bytes))).toEqual([true]);
      }),
    );
  });

  test('may ask for the frame after the last number, but not tell of it', () => {
    const from = MAX_SEQ + 1;
    const sub: ControlMessage = {
      is: 'sub',
      id: 1,
      key: 'live/show',
      insist: false,
      resume: { epoch: 1, from },
    };
    expect(decodeControl(encodeControl(sub))).toEqual(sub);
    expect(codeOf(packr.pack({ ...sub, resume: { epoch: 1, from: from + 1 } }))).toBe('mesh.schema');
    const skip = { is: 'skip', ref: 1, epochRef: 0, from: 1, to: MAX_SEQ };
    expect(codeOf(packr.pack(skip))).toBeUndefined();
    expect(codeOf(packr.pack({ ...skip, to: from }))).toBe('mesh.schema');
  });

  test('of every kind there is was tried', () => {
    const tried = new Set(fc.sample(anyMessage, { numRuns: 2000, seed: 1 }).map((message) => message.is));
    const kinds = controlMessage.options.map((option) => option.shape.is.value);
    expect([...tried].sort()).toEqual([...kinds].sort());
  });

  test.each([
    ['unsigned', 0xcf],
    ['signed', 0xd3],
  ])('with its epoch in the form of a 64-bit integer, %s, is read', (_, marker) => {
    const epoch = 2 ** 52 + 1;
    const bytes = packr.pack({ is: 'origin', key: 'live/a', epoch: BigInt(epoch) });
    expect(bytes[bytes.length - 9]).toBe(0xd3);
    bytes[bytes.length - 9] = marker;
    expect(decodeControl(bytes)).toEqual({ is: 'origin', key: 'live/a', epoch });
  });

  test('with an epoch that no number holds is refused, not rounded', () => {
    const bytes = packr.pack({ is: 'origin', key: 'live/a', epoch: 2n ** 53n + 1n });
    expect(codeOf(bytes)).toBe('mesh.schema');
  });

  test('leaves out what is undefined', () => {
    const bytes = encodeControl({ is: 'sub', id: 1, key: 'live/a', insist: false, resume: undefined });
    expect(Object.keys(decodeControl(bytes))).toEqual(['is', 'id', 'key', 'insist']);
  });

  test('keeps what it knows of a newer version, and nothing else', () => {
    const bytes = packr.pack({ is: 'unsub', ref: 7, id: 1, since: 'v9', ['__proto__']: { admin: true } });
    expect(decodeControl(bytes)).toEqual({ is: 'unsub', ref: 7, id: 1 });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test.each([
    ['of an unknown kind', { is: 'reboot' }],
    ['without a kind', { ref: 1 }],
    ['that lacks a field', { is: 'skip', ref: 1, epochRef: 0, from: 3 }],
    ['with a field of another type', { is: 'unsub', ref: '1', id: 1 }],
    ['with a number that is none', { is: 'unsub', ref: Number.NaN, id: 1 }],
    ['that is no map', ['unsub', 1]],
    ['that is nothing', null],
    ['with a path that is too long', { is: 'path', ref: 1, path: Array(MAX_PATH + 1).fill('a') }],
  ])('%s is refused', (_, message) => {
    expect(codeOf(packr.pack(message))).toBe('mesh.schema');
  });

  test('of more than 64 KiB is neither read nor written', () => {
    const message = {
      is: 'hello',
      node: 'a',
      boot: '0'.repeat(16),
      nonce: '0'.repeat(64),
      version: '',
    } as const;
    expect(codeOf(packr.pack({ ...message, more: 'x'.repeat(MAX_CONTROL_BYTES) }))).toBe('mesh.too-large');
    expect(() => encodeControl({ ...message, version: 'x'.repeat(MAX_CONTROL_BYTES) })).toThrow(RangeError);
  });

  test('of the largest size that the schema lets pass fits', () => {
    const heads = Array.from(
      { length: MAX_HEADS },
      () => [2 ** 32, 2 ** 32, MAX_SEQ] as [number, number, number],
    );
    const beat: ControlMessage = { is: 'beat', at: 1.5, registryWallMs: 1.5, heads };
    expect(decodeControl(encodeControl(beat))).toEqual(beat);
    const state: ControlMessage = {
      is: 'state',
      ref: 1,
      at: 'ended',
      msLeft: 0,
      why: { code: '\u{1f600}'.repeat(32), message: '\u{1f600}'.repeat(128) },
    };
    expect(decodeControl(encodeControl(state))).toEqual(state);
  });

  test('that shares its memory with others is read without being changed', () => {
    const bytes = encodeControl({ is: 'unsub', ref: 9, id: 1 });
    const shared = Buffer.concat([Buffer.from([0xc7]), bytes, Buffer.from([0xc1])]);
    expect(decodeControl(shared.subarray(1, -1))).toEqual({ is: 'unsub', ref: 9, id: 1 });
  });

  test('made of arbitrary bytes is a WireError or a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void codeOf(Buffer.from(bytes))),
      { numRuns: 3000 },
    );
  });

  test('gone wrong on the way is a WireError or a message', () => {
    const next = numbersFrom(0x7ade);
    const seeds = fc.sample(anyMessage, { numRuns: 200, seed: 2 }).map(encodeControl);
    const codes = new Set<string | undefined>();
    for (let round = 0; round < 100; round += 1) {
      for (const bytes of seeds) codes.add(codeOf(mutated(bytes, next)));
    }
    expect([...codes].sort()).toEqual([
      'mesh.extension',
      'mesh.schema',
      'mesh.trailing',
      'mesh.truncated',
      'mesh.type',
      undefined,
    ]);
  });
});
