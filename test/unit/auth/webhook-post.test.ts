import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type HostAddress, type Post, WebhookPoster } from '../../../src/auth/webhook-post.ts';
import { WebhookTargets } from '../../../src/auth/webhook-targets.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { until } from '../../support/until.ts';

const LOOPBACK = new WebhookTargets(['127.0.0.0/8']);
let servers: Server[] = [];

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
});

/** Its port. */
async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function poster(
  resolve?: (host: string) => Promise<readonly HostAddress[]>,
  targets = LOOPBACK,
): WebhookPoster {
  return new WebhookPoster({ clock: systemClock, targets, ...(resolve && { resolve }) });
}

function postTo(url: string, timeoutMs = 2_000): Post {
  return { url: new URL(url), body: Buffer.from('{"a":1}'), headers: { 'X-Some': 'header' }, timeoutMs };
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await asked);
  } catch (error) {
    if (error instanceof TidewayError) return error.code;
    throw error;
  }
}

test('sends the body and the headers, and answers with the status and the body', async () => {
  let seen = '';
  const port = await serve((request, response) => {
    request.on('data', (chunk) => {
      seen = `${request.method} ${request.url} ${request.headers['x-some']} ${request.headers.host} ${chunk}`;
    });
    request.on('end', () => response.writeHead(201).end('0'));
  });
  const { status, body } = await poster().post(postTo(`http://127.0.0.1:${port}/hook?x=1`));
  expect([status, body.toString()]).toEqual([201, '0']);
  expect(seen).toBe(`POST /hook?x=1 header 127.0.0.1:${port} {"a":1}`);
});

test('follows no redirect', async () => {
  let others = 0;
  const other = await serve((_request, response) => {
    others += 1;
    response.end('0');
  });
  const port = await serve((_request, response) => {
    response.writeHead(307, { Location: `http://127.0.0.1:${other}/` }).end();
  });
  expect((await poster().post(postTo(`http://127.0.0.1:${port}/`))).status).toBe(307);
  expect(others).toBe(0);
});

test.each([
  ['never answers', () => {}],
  ['never ends its head', (_request, response) => void response.socket?.write('HTTP/1.1 200 OK\r\nX: ')],
  ['never ends its body', (_request, response) => void response.writeHead(200).write('0')],
] as [string, RequestListener][])(
  'one that %s is given up in time, and its connection closed',
  async (_what, answer) => {
    let isClosed = false;
    const port = await serve((request, response) => {
      request.socket.on('close', () => {
        isClosed = true;
      });
      answer(request, response);
    });
    const startedMs = performance.now();
    expect(await refusal(poster().post(postTo(`http://127.0.0.1:${port}/`, 150)))).toBe('webhook.timeout');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await until('the connection is closed', () => isClosed);
  },
);

test('one whose name is never found is given up in time', async () => {
  const never = () => new Promise<HostAddress[]>(() => {});
  expect(await refusal(poster(never).post(postTo('http://hooks.example/', 50)))).toBe('webhook.timeout');
});

test('calls that come while the name is looked up share that', async () => {
  const port = await serve((_request, response) => response.end('0'));
  let lookups = 0;
  const slow = poster(async () => {
    lookups += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return [{ address: '127.0.0.1', family: 4 }];
  });
  const ask = () => slow.post(postTo(`http://hooks.example:${port}/`));
  const answers = await Promise.all([ask(), ask(), ask()]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(lookups).toBe(1);
  await ask();
  expect(lookups).toBe(2);
});

test('an answer without end is cut off after 64 KiB', async () => {
  let sent = 0;
  const port = await serve((_request, response) => {
    response.writeHead(200, { 'Content-Length': 1_000_000_000 });
    const chunk = Buffer.alloc(16 * 1024, '0');
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
    };
    response.on('drain', more);
    more();
  });
  expect(await refusal(poster().post(postTo(`http://127.0.0.1:${port}/`)))).toBe('webhook.too-large');
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});

test.each([
  ['breaks off', (request) => request.socket.destroy()],
  [
    'breaks off its body',
    (_request, response) =>
      response.writeHead(200, { 'Content-Length': 10 }).write('0', () => response.socket?.destroy()),
  ],
  ['is no HTTP', (_request, response) => response.socket?.end('hello\r\n\r\n')],
  [
    'has a huge head',
    (_request, response) => response.socket?.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`),
  ],
] as [string, RequestListener][])('one that %s fails', async (_what, answer) => {
  const port = await serve(answer);
  expect(await refusal(poster().post(postTo(`http://127.0.0.1:${port}/`)))).toBe('webhook.failed');
});

test('a name is looked up once, and the address that was checked is the one that is connected to', async () => {
  let requests = 0;
  const port = await serve((_request, response) => {
    requests += 1;
    response.end('0');
  });
  const asked: string[] = [];
  // As a name server does that wants to lead elsewhere behind the check.
  const rebinding = async (host: string): Promise<HostAddress[]> => {
    asked.push(host);
    return [{ address: asked.length === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }];
  };
  const bound = poster(rebinding);
  expect(await refusal(bound.post(postTo(`http://hooks.example:${port}/`)))).toContain('"status":200');
  expect([asked, requests]).toEqual([['hooks.example'], 1]);
  expect(await refusal(bound.post(postTo(`http://hooks.example:${port}/`)))).toBe('webhook.address');
  expect(requests).toBe(1);
});

test.each([
  ['http://127.0.0.1:PORT/'],
  ['http://2130706433:PORT/'],
  ['http://0x7f.1:PORT/'],
  ['http://[::ffff:127.0.0.1]:PORT/'],
  ['http://localhost:PORT/'],
])('%s is not connected to unless its network is listed', async (form) => {
  let connections = 0;
  const port = await serve((_request, response) => response.end('0'));
  servers[0]?.on('connection', () => {
    connections += 1;
  });
  const url = form.replace('PORT', String(port));
  expect(await refusal(poster(undefined, new WebhookTargets([])).post(postTo(url)))).toBe('webhook.address');
  expect(connections).toBe(0);
});

test('a name with one address that is not allowed is refused', async () => {
  const both = async () => [
    { address: '127.0.0.1', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  expect(await refusal(poster(both).post(postTo('http://hooks.example/')))).toBe('webhook.address');
  expect(await refusal(poster(async () => []).post(postTo('http://hooks.example/')))).toBe('webhook.address');
});
