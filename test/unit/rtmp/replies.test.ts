import { expect, test } from 'vitest';
import { writeMessage } from '../../../src/format/rtmp/chunk-writer.ts';
import { parseCommand } from '../../../src/format/rtmp/message.ts';
import { playRedirected } from '../../../src/rtmp/replies.ts';

const URL_THERE = 'rtmp://10.0.0.2:1935/live/show?key=a&tw_hop=1';

test('a player is sent to another node in the words of SRS', () => {
  const message = playRedirected(URL_THERE);
  const { name, transactionId, args } = parseCommand(message);
  expect([message.streamId, name, transactionId, args[0]]).toEqual([0, 'onStatus', 0, null]);
  // Flash players connect to `redirect` and play the same name there: the mark has to be in it, too.
  const ex = new Map<string, unknown>([
    ['code', 302],
    ['redirect', 'rtmp://10.0.0.2:1935/live?key=a&tw_hop=1'],
    ['redirect2', URL_THERE],
  ]);
  expect(args.slice(1)).toEqual([
    new Map<string, unknown>([
      ['level', 'error'],
      ['code', 'NetConnection.Connect.Rejected'],
      ['description', 'RTMP 302 Redirect'],
      ['ex', ex],
    ]),
  ]);
});

test('its bytes are those that SRS writes, but for the chunk stream', () => {
  const text = (value: string) => [...[0, value.length], ...Buffer.from(value)];
  const field = (name: string, value: string) => [...text(name), 2, ...text(value)];
  const double = [0, 0, 0, 0, 0, 0, 0, 0];
  const payload = Buffer.from([
    ...[2, ...text('onStatus'), 0, ...double, 5],
    ...[3, ...field('level', 'error'), ...field('code', 'NetConnection.Connect.Rejected')],
    ...field('description', 'RTMP 302 Redirect'),
    ...[...text('ex'), 3],
    // 302 as an IEEE 754 double.
    ...[...text('code'), 0, 0x40, 0x72, 0xe0, 0, 0, 0, 0, 0],
    ...field('redirect', 'rtmp://h:1/a?tw_hop=1'),
    ...field('redirect2', 'rtmp://h:1/a/b?tw_hop=1'),
    ...[0, 0, 9, 0, 0, 9],
  ]);
  const head = [3, 0, 0, 0, 0, payload.length >> 8, payload.length & 255, 20, 0, 0, 0, 0];
  const written = writeMessage(playRedirected('rtmp://h:1/a/b?tw_hop=1'), 4_096);
  expect(written.toString('hex')).toBe(Buffer.concat([Buffer.from(head), payload]).toString('hex'));
});
