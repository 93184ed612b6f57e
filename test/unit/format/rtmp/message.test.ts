import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../../src/base/errors.ts';
import {
  acknowledgement,
  command,
  MessageType,
  parseCommand,
  parseControl,
  parseUserControl,
  type RtmpMessage,
  setPeerBandwidth,
  splitAggregate,
  userControl,
} from '../../../../src/format/rtmp/message.ts';
import { uint } from '../../../support/chunks.ts';

function of(type: number, payload: Buffer, timestamp = 0): RtmpMessage {
  return { chunkStreamId: 4, type, timestamp, streamId: 1, payload };
}

function tag(type: number, time: number, body: string): Buffer {
  const timeBytes = Buffer.concat([uint(time % 0x1000000, 3), uint(Math.floor(time / 0x1000000), 1)]);
  const size = Buffer.byteLength(body);
  return Buffer.concat([
    uint(type, 1),
    uint(size, 3),
    timeBytes,
    uint(0, 3),
    Buffer.from(body),
    uint(11 + size, 4),
  ]);
}

const controls = [parseControl, parseUserControl, parseCommand, splitAggregate];

describe('messages', () => {
  test('a command comes back as it was built', () => {
    expect(parseCommand(command(1, 'publish', 4, null, 'name', 'live'))).toEqual({
      name: 'publish',
      transactionId: 4,
      args: [null, 'name', 'live'],
    });
  });

  test('an AMF3 command is AMF0 behind a zero byte', () => {
    const { payload } = command(0, 'connect', 1, { app: 'live' });
    const amf3 = of(MessageType.amf3Command, Buffer.concat([Buffer.from([0]), payload]));
    expect(parseCommand(amf3).name).toBe('connect');
  });

  test('a command without a name or a transaction id is refused', () => {
    expect(() => parseCommand(of(MessageType.command, Buffer.alloc(0)))).toThrow(WireError);
    expect(() => parseCommand(of(MessageType.command, Buffer.from([5, 5])))).toThrow(WireError);
  });

  test('control messages come back as they were built', () => {
    expect(parseControl(acknowledgement(2 ** 32 + 7))).toBe(7);
    expect(parseControl(setPeerBandwidth(5_000_000))).toBe(5_000_000);
    expect(parseUserControl(userControl(6, 99))).toEqual({ event: 6, value: 99 });
  });

  test('control messages that are too short are refused', () => {
    expect(() => parseControl(of(MessageType.windowAckSize, Buffer.alloc(3)))).toThrow(WireError);
    expect(() => parseUserControl(of(MessageType.userControl, Buffer.alloc(5)))).toThrow(WireError);
  });

  test('an aggregate splits into its parts, moved to its own time and stream', () => {
    const payload = Buffer.concat([
      tag(9, 0x1fffffe, 'video'),
      tag(8, 0x2000003, 'audio'),
      tag(18, 0x2000004, ''),
    ]);
    expect(splitAggregate(of(MessageType.aggregate, payload, 1000))).toEqual([
      { ...of(9, Buffer.from('video'), 1000) },
      { ...of(8, Buffer.from('audio'), 1005) },
      { ...of(18, Buffer.alloc(0), 1006) },
    ]);
  });

  test('an aggregate whose last back pointer is missing is still whole', () => {
    const payload = tag(8, 0, 'audio').subarray(0, 16);
    expect(splitAggregate(of(MessageType.aggregate, payload)).length).toBe(1);
  });

  test.each([
    ['a cut head', tag(8, 0, 'audio').subarray(0, 9)],
    ['a cut body', tag(8, 0, 'audio').subarray(0, 13)],
    ['a part that is no media', tag(20, 0, 'audio')],
    ['an aggregate in an aggregate', tag(22, 0, 'audio')],
    ['more parts than anyone sends', Buffer.concat(Array.from({ length: 4097 }, () => tag(8, 0, '')))],
  ])('an aggregate with %s is refused', (_name, payload) => {
    expect(() => splitAggregate(of(MessageType.aggregate, payload))).toThrow(WireError);
  });

  test('no payload makes a parser throw anything but WireError', () => {
    fc.assert(
      fc.property(fc.constantFrom(3, 4, 15, 17, 20, 22), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        for (const parse of controls) {
          try {
            parse(of(type, Buffer.from(bytes)));
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }
      }),
    );
  });
});
