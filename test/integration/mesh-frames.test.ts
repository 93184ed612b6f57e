// What a node writes for other nodes, read by a WebSocket library: as a server sends it, and as a client does.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { LoggedFrame } from '../../src/format/frame.ts';
import { frameControl } from '../../src/format/mesh/control-codec.ts';
import { MeshEncoder } from '../../src/format/mesh/mesh-encoder.ts';
import { MaskedCopies } from '../../src/format/ws-frame.ts';
import { frameOf } from '../support/media.ts';
import { logged, loggedFrame, messagesOf, readMessage, spelled } from '../support/mesh-bytes.ts';

/** Two ends of one WebSocket, and the sockets under them. */
interface Pair {
  readonly dialled: WebSocket;
  readonly dialledSocket: Duplex;
  readonly accepted: WebSocket;
  readonly acceptedSocket: Duplex;
  close(): Promise<void>;
}

async function openPair(): Promise<Pair> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dialled = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  const [[accepted, asked], [answer]] = await Promise.all([
    once(server, 'connection'),
    once(dialled, 'upgrade'),
    once(dialled, 'open'),
  ]);
  return {
    dialled,
    dialledSocket: answer.socket,
    accepted,
    acceptedSocket: asked.socket,
    async close() {
      dialled.terminate();
      accepted.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The next messages of one end, as a link reads them. */
function receive(socket: WebSocket, count: number): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const messages: unknown[] = [];
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${messages.length} messages`)));
    socket.on('message', (body: Buffer, isBinary) => {
      messages.push({ isBinary, message: readMessage(body) });
      if (messages.length === count) resolve(messages);
    });
  });
}

describe('a stream for other nodes, between two WebSockets', () => {
  const batch: readonly LoggedFrame[] = [
    logged(frameOf('avc header', 3, 90), { opens: true, isSetUp: true }),
    loggedFrame('avc key', 10, 100, 90_000),
    loggedFrame('aac sample', 11, 98),
    logged(frameOf('avc delta', 15, 140, 400), { afterSeq: 11 }),
    loggedFrame('avc delta', 16, 180, 300_000),
    loggedFrame('avc delta', 17, 220),
  ];
  const framed = Buffer.concat([
    new MeshEncoder(7).encode(batch),
    frameControl({ is: 'gone', ref: 7, id: 1 }),
  ]);
  const expected = spelled(messagesOf(framed).map((message) => ({ isBinary: true, message })));
  const count = messagesOf(framed).length;
  let pair: Pair | undefined;

  afterEach(async () => {
    await pair?.close();
    pair = undefined;
  });

  test('is read by who dialled', async () => {
    pair = await openPair();
    const received = receive(pair.dialled, count);
    pair.acceptedSocket.write(framed);
    expect(spelled(await received)).toEqual(expected);
  });

  test('is read by who was dialled, its heads masked', async () => {
    pair = await openPair();
    const received = receive(pair.accepted, count);
    pair.dialledSocket.write(new MaskedCopies().of(framed));
    expect(spelled(await received)).toEqual(expected);
  });

  test('is refused by who was dialled if its heads are not masked', async () => {
    pair = await openPair();
    const received = receive(pair.accepted, count);
    pair.dialledSocket.write(framed);
    await expect(received).rejects.toThrow('MASK must be set');
  });

  test('keeps its order among messages that the library sends', async () => {
    pair = await openPair();
    const { dialled, dialledSocket } = pair;
    const received = receive(pair.accepted, count + 2);
    const own = frameControl({ is: 'unsub', ref: 7, id: 1 }).subarray(2);
    dialled.send(own);
    dialledSocket.write(new MaskedCopies().of(framed));
    dialled.send(own);
    const unsub = { isBinary: true, message: { is: 'unsub', ref: 7, id: 1 } };
    expect(spelled(await received)).toEqual([unsub, ...(expected as unknown[]), unsub]);
  });
});
