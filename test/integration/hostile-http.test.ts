// Clients that break HTTP's, WebSocket's and FLV's rules, over real sockets. After each case another live stream,
// played over all protocols, must have gone on without a frame lost.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { httpFlv } from '../../src/format/flv.ts';
import { uint } from '../support/chunks.ts';
import { metric, noise, RawSocket, Watch } from '../support/hostile.ts';
import { frameOf } from '../support/media.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';
import { Witness } from '../support/witness.ts';

const SECRET = 'hush-4b81ee';
const LIVE = '/witness/stream.flv';
const PUBLISH = `/hostile/cam.flv?key=${SECRET}`;

let node: RunningNode;
let witness: Witness;
let watch: Watch;
let sockets: RawSocket[] = [];

beforeAll(async () => {
  node = await runNode({
    'publish.secret': SECRET,
    'publish.idleMs': '700',
    'publish.holdMs': '300',
    'play.waitMs': '100',
  });
  witness = await Witness.start(node, `?key=${SECRET}`);
});

afterAll(async () => {
  witness.stop();
  await node.stop();
});

beforeEach(() => {
  watch = new Watch(node);
});

afterEach(async () => {
  for (const { socket } of sockets) socket.destroy();
  sockets = [];
  await witness.undisturbed();
});

function open(): RawSocket {
  const socket = new RawSocket(node.httpPort);
  sockets.push(socket);
  return socket;
}

/** Sends it all and waits for the close. */
async function exchange(...parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = open();
  for (const part of parts) socket.write(part);
  await socket.closed();
  return socket.received;
}

/** A head with the given lines, `Host` first. */
function head(request: string, ...lines: readonly string[]): string {
  return [`${request} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
}

describe('what could be read in two ways is 400, and nothing behind it is answered', () => {
  const SMUGGLED = head('GET /healthz');
  const body = `0\r\n\r\n${SMUGGLED}`;

  test.each([
    ['both a length and chunks', head('POST /', 'Content-Length: 6', 'Transfer-Encoding: chunked'), body],
    ['two lengths', head('POST /', 'Content-Length: 0', 'Content-Length: 60'), SMUGGLED],
    ['a negative length', head('POST /', 'Content-Length: -1'), SMUGGLED],
    ['a length with a sign', head('POST /', 'Content-Length: +6'), SMUGGLED],
    ['a length beyond all numbers', head('POST /', 'Content-Length: 99999999999999999999'), SMUGGLED],
    ['an unknown transfer coding', head('POST /', 'Transfer-Encoding: xchunked'), body],
    ['chunks that are not last', head('POST /', 'Transfer-Encoding: chunked, identity'), body],
    ['a space before a colon', head('POST /', 'Transfer-Encoding : chunked'), body],
    ['a folded header', head('POST /', 'X: y', ' Transfer-Encoding: chunked'), body],
    ['a header with a NUL', head('POST /', 'X: \0'), SMUGGLED],
    ['a bare carriage return', head('POST /', 'X: y\rTransfer-Encoding: chunked'), body],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', ''],
    ['an unknown version', 'GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n', SMUGGLED],
    ['an unknown method', head('BREW /healthz'), SMUGGLED],
  ])('%s', async (_what, start, rest) => {
    const text = await exchange(start + rest);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });

  test('a chunk of a length beyond all numbers', async () => {
    const text = await exchange(
      head(`POST ${PUBLISH}`, 'Transfer-Encoding: chunked'),
      'FFFFFFFFFFFFFFFFF\r\n',
    );
    expect(text).toMatch(/^(HTTP\/1\.1 400 .*)?$/s);
    expect(watch.of('publish.start')).toEqual([]);
  });

  test('a body without an end on a path that takes none', async () => {
    const startedMs = performance.now();
    const text = await exchange(head('POST /healthz', 'Content-Length: 1000000'), 'x'.repeat(1000));
    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});

describe('a request behind a player’s own', () => {
  test('in the same packet ends it', async () => {
    const text = await exchange(head(`GET ${LIVE}`) + head('GET /healthz'));
    expect(text).not.toContain('"ok"');
  });

  test('while media flows ends it with the reason', async () => {
    const socket = await open()
      .write(head(`GET ${LIVE}`))
      .closedAfter(/FLV/, head('GET /healthz'));
    expect(socket.received.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    await watch.line('play.end', { reason: 'player.sent-bytes' });
  });

  test('a body of a player’s request ends it', async () => {
    await open()
      .write(head(`GET ${LIVE}`, 'Content-Length: 100'))
      .closedAfter(/FLV/, 'x'.repeat(100));
    await watch.line('play.end', { reason: 'player.sent-bytes' });
  });

  test('a thousand requests in one packet are not a thousand answers', async () => {
    const text = await exchange(head('GET /no/such.flv').repeat(1000));
    expect(text.match(/HTTP\/1\.1 /g) ?? []).toHaveLength(0);
  });
});

describe('a bad request', () => {
  test.each([
    ['/witness/../stream.flv', 404],
    ['/witness/%2e%2e/stream.flv', 404],
    ['/witness/..%2fstream.flv', 400],
    ['/witness/stream%00.flv', 400],
    ['/witness/stream.flv.flv', 400],
    ['/.witness/stream.flv', 400],
    ['/witness/%ff.flv', 400],
    ['/witness/stream.flv%', 400],
    [`/witness/${'x'.repeat(65)}.flv`, 400],
    [`/${'x'.repeat(64)}/${'y'.repeat(64)}.flv`, 404],
    ['/api/stream.flv', 400],
    ['/watch/stream.flv', 400],
    ['/__proto__/constructor.flv', 404],
    ['/a/b/c.flv', 404],
    ['\\\\witness\\stream.flv', 400],
    [`/no/such.flv?${'a=b&'.repeat(3900)}`, 404],
    [`/no/such.flv?${'%'.repeat(15_000)}`, 404],
    [`/no/such.flv?${'['.repeat(15_000)}`, 404],
  ])('for target %# is answered', async (target, status) => {
    expect(await exchange(head(`GET ${target}`, 'Connection: close'))).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} `),
    );
  });

  test.each([
    ['headers over 16 KiB', head('GET /healthz', `X: ${'y'.repeat(17_000)}`)],
    ['a target over 16 KiB', head(`GET /${'y'.repeat(17_000)}`)],
    ['many small headers', head('GET /healthz', ...Array.from({ length: 3000 }, (_, at) => `x${at}: y`))],
  ])('with %s is 431', async (_what, text) => {
    expect(await exchange(text)).toMatch(/^HTTP\/1\.1 431 .*http\.headers-too-large/s);
  });

  test.each([
    ['random bytes', noise(7, 50_000)],
    ['an RTMP handshake', Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)])],
    ['HTTP/2 without asking', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['a tunnel', Buffer.from(head('CONNECT 127.0.0.1:22'))],
  ])('that is %s is closed', async (_what, bytes) => {
    expect(await exchange(bytes)).toMatch(/^(HTTP\/1\.1 4.*)?$/s);
  });
});

/** The pong for `?`. */
const PONG = /\x8a.\?/s;

/** A WebSocket frame as a client sends it. */
function frame(first: number, payload: Buffer, { masked = true, promise = payload.length } = {}): Buffer {
  const mask = masked ? Buffer.alloc(4) : Buffer.alloc(0);
  const bit = masked ? 0x80 : 0;
  const length =
    promise < 126
      ? Buffer.from([bit | promise])
      : promise < 65_536
        ? Buffer.from([bit | 126, ...uint(promise, 2)])
        : Buffer.concat([Buffer.from([bit | 127, 0x7f]), uint(promise, 6), Buffer.alloc(1)]);
  return Buffer.concat([Buffer.from([first]), length, mask, payload]);
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];
const VERSION = 'Sec-WebSocket-Version: 13';

describe('a WS-FLV player is closed for', () => {
  const FIN = 0x80;
  test.each([
    [
      'a frame that is not masked',
      [frame(FIN | 2, Buffer.from('hi'), { masked: false })],
      'player.bad-frame',
    ],
    ['reserved bits', [frame(FIN | 0x40 | 2, Buffer.from('hi'))], 'player.bad-frame'],
    ['a reserved opcode', [frame(FIN | 3, Buffer.from('hi'))], 'player.bad-frame'],
    ['a reserved control opcode', [frame(FIN | 11, Buffer.alloc(0))], 'player.bad-frame'],
    ['a message over 4 KiB', [frame(FIN | 2, Buffer.alloc(5000))], 'player.bad-frame'],
    ['a message of 2^62 bytes', [frame(FIN | 2, Buffer.alloc(0), { promise: 2 ** 40 })], 'player.bad-frame'],
    ['a ping in two parts', [frame(9, Buffer.alloc(1))], 'player.bad-frame'],
    ['a ping over 125 bytes', [frame(FIN | 9, Buffer.alloc(126))], 'player.bad-frame'],
    ['a continuation of nothing', [frame(FIN, Buffer.alloc(1))], 'player.bad-frame'],
    [
      'a message in a message',
      [frame(2, Buffer.alloc(1)), frame(FIN | 2, Buffer.alloc(1))],
      'player.bad-frame',
    ],
    [
      'parts that add up to too much',
      Array.from({ length: 9 }, (_, at) => frame(at ? 0 : 2, Buffer.alloc(500))),
      'player.bad-frame',
    ],
    ['text that is no UTF-8', [frame(FIN | 1, Buffer.from([0xff, 0xfe]))], 'player.bad-frame'],
    ['a close code that is none', [frame(FIN | 8, uint(1, 2))], 'player.bad-frame'],
    ['a close of one byte', [frame(FIN | 8, uint(1, 1))], 'player.bad-frame'],
    [
      'pings without end',
      Array.from({ length: 500 }, () => frame(FIN | 9, Buffer.alloc(125))),
      'player.talks-too-much',
    ],
    [
      'messages without end',
      Array.from({ length: 500 }, () => frame(FIN | 1, Buffer.alloc(1))),
      'player.talks-too-much',
    ],
    [
      'parts without end',
      Array.from({ length: 50_000 }, (_, at) => frame(at ? 0 : 2, Buffer.alloc(0))),
      'player.bad-frame',
    ],
  ])('%s', async (_what, frames, reason) => {
    const socket = open().write(head(`GET ${LIVE}`, ...UPGRADE, VERSION));
    await socket.answered(/FLV/);
    socket.write(Buffer.concat(frames));
    await watch.line('play.end', { reason });
    await socket.closed();
  });

  test.each([
    ['an old version', head(`GET ${LIVE}`, ...UPGRADE, 'Sec-WebSocket-Version: 7'), 400],
    ['no key', head(`GET ${LIVE}`, 'Connection: Upgrade', 'Upgrade: websocket', VERSION), 400],
    ['another method', head(`POST ${LIVE}`, ...UPGRADE, VERSION), 405],
    ['a path that takes none', head('GET /healthz', ...UPGRADE, VERSION), 404],
    ['an unknown stream', head('GET /no/such.flv', ...UPGRADE, VERSION), 404],
  ])('or not let in with %s', async (_what, text, status) => {
    expect(await exchange(text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test('or not minded for a message in parts, a pong, and one that it should not send', async () => {
    const socket = open().write(head(`GET ${LIVE}`, ...UPGRADE, VERSION));
    await socket.answered(/FLV/);
    const parts = [frame(2, Buffer.alloc(4)), frame(FIN | 9, Buffer.from('?')), frame(FIN, Buffer.alloc(4))];
    socket.write(Buffer.concat([...parts, frame(FIN | 10, Buffer.alloc(0))]));
    await socket.answered(PONG);
    expect(socket.isClosed).toBe(false);
  });
});

describe('an HTTP-FLV publisher', () => {
  const CHUNKED = 'Transfer-Encoding: chunked';
  const FLV = Buffer.concat([
    httpFlv.open({ audio: true, video: true }),
    httpFlv.encode([{ frame: frameOf('avc key', 1, 0, 500), time: 0 }], 0),
  ]);
  const HEADER = FLV.subarray(0, 13);
  const tag = (type: number, size: number) =>
    Buffer.concat([HEADER, uint(type, 1), uint(size, 3), Buffer.alloc(7)]);
  const chunkOf = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

  test.each([
    ['text', Buffer.from('<html>'.repeat(100)), 'flv.signature'],
    ['random bytes', noise(9, 100_000), 'flv.signature'],
    ['another FLV version', Buffer.from([0x46, 0x4c, 0x56, 9, 5, 0, 0, 0, 9]), 'flv.version'],
    [
      'a header that is all there is',
      Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0xff, 0xff, 0xff, 0xff]),
      'flv.header-size',
    ],
    ['a tag of promised 16 MiB', tag(9, 0xffffff), 'flv.tag-size'],
    ['a script tag over 256 KiB', tag(18, 256 * 1024 + 1), 'flv.tag-size'],
    ['an encrypted tag', tag(0x29, 10), 'flv.encrypted'],
    ['reserved bits', tag(0xc9, 10), 'flv.tag-type'],
  ])('that sends %s is told so', async (_what, body, code) => {
    const socket = open()
      .write(head(`POST ${PUBLISH}`, CHUNKED))
      .write(chunkOf(body));
    await socket.answered(new RegExp(`^HTTP/1\\.1 400 .*${code}`, 's'));
    await watch.line('http.refused', { code });
    expect(watch.of('publish.start')).toEqual([]);
  });

  test.each([
    ['an FLV that is cut short', chunkOf(FLV.subarray(0, 300))],
    ['half a header', chunkOf(FLV.subarray(0, 5))],
    ['nothing', Buffer.alloc(0)],
  ])('that sends %s is told so', async (_what, body) => {
    const text = await exchange(head(`POST ${PUBLISH}`, CHUNKED, 'Connection: close'), body, '0\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 .*flv\.truncated/s);
  });

  test.each([
    ['a header and nothing', chunkOf(HEADER)],
    [
      'tags without content',
      chunkOf(
        Buffer.concat([
          HEADER,
          ...Array.from({ length: 1000 }, () => tag(9, 0).subarray(13)).flatMap((each) => [
            each,
            Buffer.alloc(4),
          ]),
        ]),
      ),
    ],
  ])('that sends %s has ended', async (_what, body) => {
    const text = await exchange(head(`POST ${PUBLISH}`, CHUNKED), body, '0\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    await watch.line('publish.end', { reason: 'publish.stopped' });
  });

  test.each([
    ['in the middle of a tag', chunkOf(FLV.subarray(0, 300))],
    ['in the middle of a chunk', 'ffff\r\nFLV'],
    ['before the first byte', ''],
  ])('that stalls %s is closed', async (_what, body) => {
    const text = await exchange(head(`POST ${PUBLISH}`, CHUNKED), body);
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await watch.line('http.refused', { code: 'publish.idle' });
  });

  test('that resets its connection is lost, and nothing else', async () => {
    const socket = open()
      .write(head(`POST ${PUBLISH}`, 'Content-Length: 1000000'))
      .write(FLV);
    await watch.line('publish.start');
    socket.socket.resetAndDestroy();
    await watch.line('publish.end', { reason: 'publish.lost' });
  });

  test('without the secret is refused, and what it sends is not kept', async () => {
    const socket = open().write(head('POST /hostile/cam.flv?key=wrong', 'Content-Length: 1000000000'));
    const flood = setInterval(() => socket.write(FLV), 1);
    await socket.closed(2500).finally(() => clearInterval(flood));
    expect(socket.received).toMatch(/^HTTP\/1\.1 403 .*publish\.denied/s);
    expect(watch.of('publish.start')).toEqual([]);
  });
});

test('the publish secret never reached the log or an answer, wherever it was given', async () => {
  const given = [
    `${head(`POST ${PUBLISH}`, 'Connection: close', 'Content-Length: 3')}FLV`,
    head(`GET /no/such.flv?key=${SECRET}`, 'Connection: close', `Referer: http://x/?key=${SECRET}`),
    head(`GET /no/such.flv?key=${SECRET}`, ...UPGRADE, VERSION),
    head(`GET //${SECRET}?key=${SECRET}`, 'Connection: close'),
    head(`GET /${SECRET}\x01`, 'Connection: close'),
    head(`GET /${SECRET} ${SECRET}`, 'Connection: close'),
    head(`DELETE /no/such.flv?key=${SECRET}`, 'Connection: close', `Authorization: Bearer ${SECRET}`),
  ];
  const answers = await Promise.all(given.map((text) => exchange(text)));
  expect(answers.filter((text) => text.includes(SECRET))).toEqual([]);
  expect(node.lines.filter((line) => JSON.stringify(line).includes(SECRET))).toEqual([]);
});

test('nothing of all that is left, and the node found no fault of its own', async () => {
  const expected = new Map([
    ['door="rtmp"', 2],
    ['door="http"', 3],
  ]);
  await until('the connections of the attackers are gone', async () => {
    const open = await metric(node, 'tideway_connections');
    return [...expected].every(([door, count]) => (open.get(door) ?? Number.NaN) <= count);
  });
  await until('their streams are gone', async () => {
    const streams = await metric(node, 'tideway_streams');
    return streams.get('state="live"') === 1 && streams.get('state="held"') === 0;
  });
  expect(node.lines.filter(({ level }) => level === 'error')).toEqual([]);
});
