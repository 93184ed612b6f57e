import { expect, test } from 'vitest';
import { greetingFor } from '../../../bench/fan-out/greeting.ts';
import { ChunkReader } from '../../../src/format/rtmp/chunk-reader.ts';
import { writeMessage } from '../../../src/format/rtmp/chunk-writer.ts';
import { ServerHandshake } from '../../../src/format/rtmp/handshake.ts';
import { command, parseCommand, type RtmpMessage, windowAckSize } from '../../../src/format/rtmp/message.ts';

const AT = '127.0.0.1:8080';

function httpAnswer(format: 'http-flv' | 'ws-flv', ...pieces: string[]) {
  const greeting = greetingFor(format, AT, 'live/s0');
  for (const piece of pieces) greeting.push(Buffer.from(piece));
  const { state, isPlain } = greeting;
  return { state, isPlain };
}

test('an HTTP-FLV player is let in by 200, and knows whether its FLV is chunked', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n';
  expect(httpAnswer('http-flv', head)).toEqual({ state: 'asked', isPlain: false });
  expect(httpAnswer('http-flv', head, '\r', '\nFLV')).toEqual({ state: 'granted', isPlain: true });
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  expect(httpAnswer('http-flv', chunked)).toEqual({ state: 'granted', isPlain: false });
  expect(httpAnswer('http-flv', 'HTTP/1.1 404 Not Found\r\n\r\n').state).toBe('refused');
});

test('a WS-FLV player is let in by 101 only', () => {
  expect(httpAnswer('ws-flv', 'HTTP/1.1 101 Switching Protocols\r\n\r\n').state).toBe('granted');
  expect(httpAnswer('ws-flv', 'HTTP/1.1 200 OK\r\n\r\n').state).toBe('refused');
});

/** A server that answers what it is told to. */
function rtmpServer(playAnswer: RtmpMessage) {
  const handshake = new ServerHandshake((bytes) => Buffer.alloc(bytes, 1));
  const reader = new ChunkReader();
  const heard: string[] = [];
  let isShaken = false;
  const answers: Record<string, RtmpMessage[]> = {
    connect: [windowAckSize(1_200_000), command(0, '_result', 1, {}, {})],
    createStream: [command(0, '_result', 2, null, 1)],
    play: [playAnswer],
  };
  const talk = (bytes: Buffer): Buffer =>
    Buffer.concat(
      reader.push(bytes).flatMap((message) => {
        const { name } = parseCommand(message);
        heard.push(name);
        return (answers[name] ?? []).map((answer) => writeMessage(answer, 128));
      }),
    );
  return {
    heard,
    push(bytes: Buffer): Buffer {
      if (isShaken) return talk(bytes);
      const { reply, rest } = handshake.push(bytes);
      if (!rest) return reply;
      isShaken = true;
      return Buffer.concat([reply, talk(rest)]);
    },
  };
}

test.each([
  ['granted', { level: 'status', code: 'NetStream.Play.Start' }],
  ['refused', { level: 'error', code: 'NetStream.Play.StreamNotFound' }],
] as const)('an RTMP player is %s by what answers its play', (state, status) => {
  const server = rtmpServer(command(1, 'onStatus', 0, null, status));
  const greeting = greetingFor('rtmp', AT, 'live/s0');
  let toServer = greeting.opening();
  expect(greeting.state).toBe('talking');
  for (let turn = 0; turn < 6 && toServer.length > 0; turn += 1) {
    toServer = greeting.push(server.push(toServer));
  }
  expect(server.heard).toEqual(['connect', 'createStream', 'play']);
  expect(greeting.state).toBe(state);
  expect(greeting.ackWindowBytes).toBe(600_000);
});
