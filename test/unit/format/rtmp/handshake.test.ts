import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../../src/base/errors.ts';
import { ClientHandshake, ServerHandshake } from '../../../../src/format/rtmp/handshake.ts';
import { cut } from '../../../support/chunks.ts';

const PART = 1536;

function feed(
  side: ServerHandshake | ClientHandshake,
  segments: readonly Buffer[],
): { reply: Buffer; rest?: Buffer } {
  const replies: Buffer[] = [];
  let rest: Buffer | undefined;
  for (const segment of segments) {
    if (rest) rest = Buffer.concat([rest, segment]);
    else {
      const progress = side.push(segment);
      replies.push(progress.reply);
      rest = progress.rest;
    }
  }
  return { reply: Buffer.concat(replies), ...(rest && { rest }) };
}

describe('the handshake', () => {
  test.each(['simple', 'digest'] as const)(
    'completes in %s form in any segmentation, and keeps what follows',
    (form) => {
      fc.assert(
        fc.property(fc.array(fc.nat({ max: 4000 }), { maxLength: 8 }), fc.nat({ max: 30 }), (cuts, more) => {
          const client = new ClientHandshake(randomBytes, form);
          const server = new ServerHandshake(randomBytes);
          const tail = Buffer.alloc(more, 7);
          const answered = feed(server, cut(client.start(), cuts));
          expect(answered.reply.length).toBe(1 + 2 * PART);
          expect(answered.rest).toBeUndefined();
          const greeted = feed(client, cut(Buffer.concat([answered.reply, tail]), cuts));
          // Segments that come after the end are the session's own, so the whole tail is there.
          expect(greeted.rest).toEqual(tail);
          expect(greeted.reply.length).toBe(PART);
          expect(feed(server, cut(Buffer.concat([greeted.reply, tail]), cuts)).rest).toEqual(tail);
        }),
      );
    },
  );

  test('echoes C1 and sends version 0 in the simple form', () => {
    const c1 = Buffer.concat([Buffer.alloc(8), randomBytes(PART - 8)]);
    const { reply } = new ServerHandshake(randomBytes).push(Buffer.concat([Buffer.from([3]), c1]));
    expect(reply.readUInt32BE(1 + 4)).toBe(0);
    expect(reply.subarray(1 + PART)).toEqual(c1);
  });

  test('falls back to the simple form when a version comes without a digest', () => {
    const c1 = Buffer.concat([Buffer.from([0, 0, 0, 0, 9, 0, 124, 2]), randomBytes(PART - 8)]);
    const { reply } = new ServerHandshake(randomBytes).push(Buffer.concat([Buffer.from([3]), c1]));
    expect(reply.subarray(1 + PART)).toEqual(c1);
  });

  test('takes C0, C1, C2 and the first command in one piece', () => {
    const hello = Buffer.concat([new ClientHandshake(randomBytes, 'simple').start(), randomBytes(PART)]);
    const { reply, rest } = new ServerHandshake(randomBytes).push(
      Buffer.concat([hello, Buffer.from('more')]),
    );
    expect(reply.length).toBe(1 + 2 * PART);
    expect(rest).toEqual(Buffer.from('more'));
  });

  test.each([0, 6, 71])('refuses version %i at the first byte', (version) => {
    for (const side of [new ServerHandshake(randomBytes), new ClientHandshake(randomBytes, 'simple')]) {
      expect(() => side.push(Buffer.from([version]))).toThrow(WireError);
    }
  });
});
