// The least that a server in Node can do: at each time of a record, one write of one shared buffer to every player. It
// reads no publisher, no format, and of a player the end of its request only.
//   node floor.js RECORD PORT     (port 0: any) says {"port":N}, and plays the record over and over until SIGTERM
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { flvHeader } from '../../src/format/flv.ts';
import { parseRecord, recordMs } from './flush-record.ts';
import { FlushTags } from './flush-tags.ts';
import { nowUs } from './now.ts';

/** A player that leaves so much untaken is closed. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n';
const OPENING = Buffer.concat([Buffer.from(HEAD), flvHeader({ audio: false, video: true })]);
const END_OF_HEAD = '\r\n\r\n';

const [, , path = '', port = '0'] = process.argv;
const flushes = parseRecord(readFileSync(path, 'utf8'));
const periodUs = recordMs(flushes) * 1000;
const firstUs = (flushes[0]?.[0] ?? 0) * 1000;
const tags = new FlushTags();
const players = new Set<Socket>();

const server = createServer({ noDelay: true }, admit);
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () => {
  const { port: at } = server.address() as AddressInfo;
  console.log(JSON.stringify({ port: at }));
  const startUs = nowUs();
  play(0, startUs);
});
process.once('SIGTERM', () => process.exit(0));

function admit(socket: Socket): void {
  let request = '';
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => players.delete(socket));
  socket.on('data', (bytes: Buffer) => {
    if (players.has(socket)) return;
    request += bytes.toString('latin1');
    if (!request.includes(END_OF_HEAD)) return;
    socket.write(OPENING);
    players.add(socket);
  });
}

/** Waits for a flush, plays it, and goes on to the next. */
function play(index: number, startUs: number): void {
  const [atMs, bytes] = flushes[index] ?? [0, 0];
  const waitUs = startUs + atMs * 1000 - firstUs - nowUs();
  if (waitUs > 0) {
    setTimeout(() => play(index, startUs), waitUs / 1000);
    return;
  }
  const tag = tags.next(bytes, nowUs());
  for (const socket of players) {
    socket.write(tag);
    if (socket.writableLength > MAX_BACKLOG_BYTES) socket.destroy();
  }
  const isLast = index + 1 === flushes.length;
  setImmediate(play, isLast ? 0 : index + 1, isLast ? startUs + periodUs : startUs);
}
