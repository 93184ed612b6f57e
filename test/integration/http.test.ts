import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Reason, TidewayError } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { healthRoutes, watchRoutes } from '../../src/http/api.ts';
import { loadDashboard, loadWatchPage } from '../../src/http/assets.ts';
import type { Route } from '../../src/http/route.ts';
import { HttpServer } from '../../src/http/server.ts';
import { OPEN_HINT } from '../support/state-answers.ts';
import { until } from '../support/until.ts';

const logged: string[] = [];
const note = (fields: object, event: string) => {
  logged.push(`${event} ${JSON.stringify(fields)}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };

let notReady: Reason | undefined;
let trouble: Reason | undefined;
let server: HttpServer;
let base: string;

function route(path: string, handle: Route['handle'], methods = ['GET', 'HEAD']): Route {
  return { methods, matches: (asked) => asked === path, handle };
}

const routes: Route[] = [
  ...healthRoutes({
    notReady: () => notReady,
    trouble: () => trouble,
    metricsText: async () => 'tideway_up 1\n',
  }),
  ...watchRoutes({
    streams: () => [
      {
        key: parseStreamKey('live', 'demo'),
        state: 'live',
        players: 2,
        video: 'avc',
        audio: undefined,
        sinceWallMs: 0,
      },
    ],
    rtmpPort: () => 1935,
    publishHint: () => OPEN_HINT,
  }),
  route('/fails', () => {
    throw new Error('a secret of the node');
  }),
  route('/never', () => undefined),
  route('/refuses', async () => {
    throw new TidewayError('publish.denied', 'the publish secret is wrong');
  }, ['POST']),
];

/** Codes of what was refused. */
const refused: string[] = [];
const counters = {
  refused: (code: string) => refused.push(code),
  wireError: (code: string) => refused.push(code),
};

beforeEach(async () => {
  notReady = undefined;
  logged.length = 0;
  refused.length = 0;
  server = new HttpServer(
    { host: '127.0.0.1', port: 0, maxConnections: 50 },
    { clock: systemClock, log, counters, routes, upgrades: [] },
  );
  await server.start();
  base = `http://127.0.0.1:${server.port}`;
});

afterEach(() => server.stop(100));

function open(): Socket {
  return connect(server.port, '127.0.0.1');
}

/** Sends text on a connection of its own; returns everything that comes until it is closed. */
function exchange(text: string, socket = open()): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (more: string) => {
      received += more;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
    socket.write(text, 'latin1');
  });
}

describe('the node about itself', () => {
  test('is healthy, and ready unless there is a reason why not', async () => {
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    trouble = { code: 'registry.unavailable', message: 'Redis is not there' };
    const troubled = await fetch(`${base}/readyz`);
    expect(troubled.status).toBe(200);
    expect(await troubled.json()).toMatchObject({ status: 'ready', code: 'registry.unavailable' });
    notReady = { code: 'node.draining', message: 'the node is draining' };
    const answer = await fetch(`${base}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'node.draining' });
  });

  test('gives its metrics as text', async () => {
    const answer = await fetch(`${base}/metrics`);
    expect(answer.headers.get('content-type')).toContain('version=0.0.4');
    expect(await answer.text()).toBe('tideway_up 1\n');
  });

  test('lists what is live, for anyone who asks from anywhere', async () => {
    const answer = await fetch(`${base}/watch/streams`);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(await answer.json()).toEqual({
      rtmpPort: 1935,
      publishHint: OPEN_HINT,
      streams: [
        {
          key: 'live/demo',
          state: 'live',
          players: 2,
          video: 'avc',
          since: '1970-01-01T00:00:00.000Z',
          playPath: '/live/demo.flv',
        },
      ],
    });
  });

  test.each(['/', '/watch'])('%s leads to the watch page', async (path) => {
    const answer = await fetch(base + path, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/watch/']);
  });
});

test('counts what it read and wrote, of open and of closed connections', async () => {
  const asked = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const answer = await exchange(asked);
  await until('the first is closed', () => server.connections === 0);
  expect([server.bytesIn, server.bytesOut]).toEqual([asked.length, answer.length]);
  const kept = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const socket = open();
  socket.write(kept);
  await new Promise((resolve) => socket.once('data', resolve));
  expect(server.bytesIn).toBe(asked.length + kept.length);
  expect(server.bytesOut).toBeGreaterThan(answer.length);
  socket.destroy();
});

describe('refusals say why', () => {
  test('to the log and the counters, too, without the query', async () => {
    const answer = await fetch(`${base}/refuses?key=wrong-secret`, { method: 'POST' });
    expect(answer.status).toBe(403);
    expect(refused).toEqual(['publish.denied']);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(
      /^http\.refused .*"code":"publish\.denied","detail":"the publish secret is wrong"/,
    );
    expect(logged[0]).not.toContain('wrong-secret');
  });

  test('an unknown path is 404, an unknown method 405 with what is allowed', async () => {
    expect(await (await fetch(`${base}/nothing`)).json()).toMatchObject({
      status: 404,
      code: 'http.not-found',
    });
    const answer = await fetch(`${base}/healthz`, { method: 'DELETE' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'OPTIONS, GET, HEAD']);
  });

  test.each(['//', '//evil/healthz', '/%zz', '/a%00b', 'http://else/healthz', '*', '/%c3%28'])(
    'the target %s is 400',
    async (target) => {
      const text = await exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(text).toContain('http.bad-url');
    },
  );

  test('what is no HTTP is 400, headers beyond the bound are 431', async () => {
    expect(await exchange('\x16\x03\x01\x00\xa5 hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    const long = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`;
    expect(await exchange(long)).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('a failing route is 500, told to the log and not to the client', async () => {
    const answer = await fetch(`${base}/fails?key=hidden`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('secret');
    expect(logged.join()).toContain('http.request-failed');
    expect(logged.join()).not.toContain('hidden');
  });

  test('a refused body is told why, and is not read for longer than a second', async () => {
    const startedMs = performance.now();
    const socket = open();
    const flood = setInterval(() => socket.write('5\r\nhello\r\n'), 20);
    const text = await exchange(
      'POST /refuses HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
      socket,
    );
    clearInterval(flood);
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(text).toContain('the publish secret is wrong');
    expect(performance.now() - startedMs).toBeLessThan(2500);
  });

  test('a refused body that ends is closed at once', async () => {
    const answer = await fetch(`${base}/refuses`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(answer.status).toBe(403);
  });

  test('an upgrade that nobody takes is 404; one that is no WebSocket is ignored, or 400 with a body', async () => {
    const head = 'GET /live/x.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade:';
    expect(await exchange(`${head} websocket\r\n\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
    const h2c =
      'HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n';
    expect(await exchange(`GET /healthz ${h2c}\r\n`)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*{"status":"ok"}\n$/);
    expect(await exchange(`POST /refuses ${h2c}Content-Length: 1\r\n\r\nx`)).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('a request', () => {
  const idOf = async (given: string) => {
    const response = await fetch(`${base}/healthz`, { headers: { 'X-Request-Id': given } });
    return response.headers.get('x-request-id') ?? '';
  };

  test('keeps the id that it came with, if that is one; else it is given one, each its own', async () => {
    expect(await idOf('Edge-7.4_a')).toBe('Edge-7.4_a');
    const made = [await idOf('x'.repeat(65)), await idOf('a b'), await idOf('<b>'), await idOf('')];
    for (const id of made) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(made).size).toBe(4);
  });

  test('that is refused has its id in the answer and in the log', async () => {
    const refusal = await fetch(`${base}/refuses`, { method: 'POST', headers: { 'X-Request-Id': 'mine-1' } });
    expect([refusal.status, refusal.headers.get('x-request-id')]).toEqual([403, 'mine-1']);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: mine-2';
    expect(await exchange(`GET /nowhere HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n\r\n`)).toContain(
      '\r\nX-Request-Id: mine-2\r\n',
    );
    await fetch(`${base}/fails`, { headers: { 'X-Request-Id': 'mine-3' } });
    expect(logged.map((line) => /^(\S+) \{"request":"([^"]*)"/.exec(line)?.slice(1).join(' '))).toEqual([
      'http.refused mine-1',
      'http.refused mine-2',
      'http.request-failed mine-3',
      'http.refused mine-3',
    ]);
  });
});

test('a preflight tells what a path takes', async () => {
  const answer = await fetch(`${base}/refuses`, { method: 'OPTIONS' });
  expect(answer.status).toBe(204);
  expect(answer.headers.get('access-control-allow-methods')).toBe('OPTIONS, POST');
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  expect(Number(answer.headers.get('access-control-max-age'))).toBeGreaterThan(0);
});

test('a request pipelined behind an unanswered one closes the connection', async () => {
  const one = 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n';
  expect(await exchange(one + one)).toBe('');
});

test('silent connections beyond the limit and the spare places close others, and are counted', async () => {
  const sockets = Array.from({ length: 124 }, open);
  const closed = sockets.map((socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())));
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  await Promise.race(closed);
  while (server.droppedConnections < 10) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(server.connections).toBe(114);
  for (const socket of sockets) socket.destroy();
});

test('a busy port is an error with a code', async () => {
  const second = new HttpServer(
    { host: '127.0.0.1', port: server.port, maxConnections: 1 },
    { clock: systemClock, log, counters, routes: [], upgrades: [] },
  );
  await expect(second.start()).rejects.toMatchObject({ code: 'listen.busy' });
});

test('a stop closes idle connections at once and hanging ones when its grace is over', async () => {
  await fetch(`${base}/healthz`);
  const hanging = exchange('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const startedMs = performance.now();
  await server.stop(200);
  expect(await hanging).toBe('');
  expect(performance.now() - startedMs).toBeLessThan(1000);
  await expect(fetch(`${base}/healthz`)).rejects.toThrow();
});

describe('the watch page', () => {
  test('is served from memory, with a strict policy and an ETag', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tideway-watch-'));
    for (const name of [
      'index.html',
      'watch.css',
      'watch.js',
      'codec-names.js',
      'live-player.js',
      'mpegts.js',
      'mpegts.js.LICENSE.txt',
    ]) {
      await writeFile(join(folder, name), `it is ${name}`);
    }
    const assets = await loadWatchPage(pathToFileURL(`${folder}/`));
    const pages = new HttpServer(
      { host: '127.0.0.1', port: 0, maxConnections: 10 },
      { clock: systemClock, log, counters, routes: [assets], upgrades: [] },
    );
    await pages.start();
    const root = `http://127.0.0.1:${pages.port}/watch/`;
    const page = await fetch(root);
    expect(await page.text()).toBe('it is index.html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const etag = page.headers.get('etag') ?? '';
    expect((await fetch(root, { headers: { 'If-None-Match': etag } })).status).toBe(304);
    expect((await fetch(`${root}watch.js`)).headers.get('content-type')).toContain('text/javascript');
    expect((await fetch(`${root}..%2f..%2fetc/passwd`)).status).toBe(404);
    await pages.stop(100);
  });

  test('that was never built says so at start', async () => {
    await expect(loadWatchPage(new URL('file:///nowhere/'))).rejects.toMatchObject({
      code: 'assets.missing',
    });
  });
});

describe('the dashboard', () => {
  const doors: string[] = [];
  let pages: HttpServer;
  let root: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tideway-dashboard-'));
    await mkdir(join(folder, 'assets'));
    const files = {
      'index.html': '<meta name="tideway-origins" content=""><title>it</title>',
      'assets/index-Ab_-12xy.js': 'the script',
      'assets/index-Ab_-12xy.js.gz': 'the packed script',
      'assets/licences.txt': 'the licences',
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const dashboard = await loadDashboard(pathToFileURL(`${folder}/`), { httpDoors: () => doors });
    pages = new HttpServer(
      { host: '127.0.0.1', port: 0, maxConnections: 10 },
      { clock: systemClock, log, counters, routes: [dashboard], upgrades: [] },
    );
    await pages.start();
    root = `http://127.0.0.1:${pages.port}/`;
  });

  afterAll(() => pages.stop(100));

  async function policyAndPage(): Promise<{ connect: string | undefined; text: string }> {
    const page = await fetch(root);
    const policy = (page.headers.get('content-security-policy') ?? '').split('; ');
    return { connect: policy.find((each) => each.startsWith('connect-src')), text: await page.text() };
  }

  test('names the doors of the nodes that are known when it is asked for, in its policy and to the page', async () => {
    expect(await policyAndPage()).toEqual({
      connect: "connect-src 'self'",
      text: '<meta name="tideway-origins" content=""><title>it</title>',
    });
    doors.push('10.0.0.1:8080', 'edge.example:80');
    expect(await policyAndPage()).toEqual({
      connect: "connect-src 'self' http://10.0.0.1:8080 http://edge.example:80",
      text: '<meta name="tideway-origins" content="http://10.0.0.1:8080 http://edge.example:80"><title>it</title>',
    });
    expect((await fetch(root)).headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  test('takes nothing into its policy that is no address, and not without end', async () => {
    const wrong = [
      '',
      '[fd00::1]:8080',
      'x',
      '*',
      "a:1; script-src 'unsafe-inline'",
      'a:1 b:2',
      'a:1\r\nX: y',
      '"><script>:1',
      '$&:80',
    ];
    doors.splice(0, doors.length, ...wrong, 'good:1');
    expect(await policyAndPage()).toMatchObject({ connect: "connect-src 'self' http://good:1" });
    doors.splice(0, doors.length, ...Array.from({ length: 10_000 }, (_, at) => `node-${at}.example:80`));
    const { connect = '' } = await policyAndPage();
    expect(connect.length).toBeLessThan(6_100);
    expect(connect.split(' ')).toHaveLength(228);
    doors.length = 0;
  });

  test('files named for what is in them are kept for long, and others are asked for again', async () => {
    const script = await fetch(`${root}assets/index-Ab_-12xy.js`, {
      headers: { 'Accept-Encoding': 'identity' },
    });
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await script.text()).toBe('the script');
    for (const path of ['', 'assets/licences.txt']) {
      expect((await fetch(root + path)).headers.get('cache-control')).toBe('no-cache');
    }
    for (const path of ['assets/', 'assets/index-Ab_-12xy.js.gz', 'assets/..%2findex.html', 'index.html']) {
      expect((await fetch(root + path)).status, path).toBe(404);
    }
  });

  test('who takes gzip gets what was packed at the build, under a tag of its own', async () => {
    const asked = (accept: string) =>
      exchange(
        `GET /assets/index-Ab_-12xy.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: ${accept}\r\n\r\n`,
        connect(pages.port, '127.0.0.1'),
      );
    for (const accept of ['gzip', 'br, gzip;q=0.5', 'x, gzip, deflate']) {
      const answer = await asked(accept);
      expect(answer, accept).toContain('\r\nContent-Encoding: gzip\r\n');
      expect(answer, accept).toMatch(/\r\nVary: Accept-Encoding\r\n[\s\S]*\r\n\r\nthe packed script$/);
      expect(answer, accept).toMatch(/\r\nETag: "[\w-]{22}-gzip"\r\n/);
    }
    for (const accept of ['identity', 'br', 'gzip;q=0', 'gzip; q=0.0, br']) {
      const answer = await asked(accept);
      expect(answer, accept).not.toContain('Content-Encoding');
      expect(answer, accept).toMatch(/\r\nETag: "[\w-]{22}"\r\n[\s\S]*\r\n\r\nthe script$/);
    }
  });

  test('that was never built says so at start', async () => {
    await expect(loadDashboard(new URL('file:///nowhere/'), { httpDoors: () => [] })).rejects.toMatchObject({
      code: 'assets.missing',
      message: expect.stringContaining('dashboard.enabled'),
    });
  });
});
