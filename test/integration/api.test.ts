// The JSON API of a real node, and the commands that read it.
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Log } from '../../src/base/log.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { apiRoutes } from '../../src/http/api-routes.ts';
import type { NodesAnswer } from '../../src/http/forms/nodes.ts';
import type { StreamsAnswer } from '../../src/http/forms/streams.ts';
import { HttpServer } from '../../src/http/server.ts';
import { accessBy } from '../support/api-access.ts';
import { payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type Outcome, runCommand } from '../support/run-command.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const TOKEN = 'correct-horse-battery';

/** Runs a command in this process. */
function tideway(line: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return runCommand(line.split(' '), env);
}

/** A request that may lie about its host, which `fetch` does not. */
function ask(
  url: string,
  options: { headers?: Record<string, string>; method?: string; localAddress?: string } = {},
): Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false, ...options }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('on one node', () => {
  let node: RunningNode;
  let api: string;
  let publisher: RtmpClient | undefined;

  beforeEach(async () => {
    node = await runNode({ 'node.id': 'solo', 'watch.enabled': 'false' });
    api = `http://127.0.0.1:${node.httpPort}/api/v1`;
  });

  afterEach(async () => {
    publisher?.destroy();
    publisher = undefined;
    await node.stop();
  });

  async function publish(name: string): Promise<void> {
    publisher = await RtmpClient.publishing(node.rtmpPort, name);
    publisher.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 1) });
    publisher.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc key', 2) });
  }

  test('a stream that is published here is listed with this node as its origin', async () => {
    await publish('show');
    const listed = await until('the stream is listed', async () => {
      const { streams } = (await (await fetch(`${api}/streams`)).json()) as StreamsAnswer;
      return streams[0];
    });
    expect(listed).toEqual({
      key: 'live/show',
      origin: {
        node: 'solo',
        epoch: expect.any(Number),
        state: 'live',
        reason: 'publish',
        since: expect.stringMatching(/^\d{4}-.*Z$/),
      },
      replicas: [],
      backup: null,
      here: {
        ...{ role: 'origin', state: 'live', epoch: listed.origin?.epoch, hops: 0, upstream: null },
        ...{ path: ['solo'], players: 0, children: 0, standby: null },
      },
      players: 0,
      bitsPerS: expect.any(Number),
      frameRate: expect.any(Number),
      video: 'avc',
      audio: null,
      history: null,
    });

    const url = `--url http://127.0.0.1:${node.httpPort}`;
    const table = await tideway(`streams ${url}`);
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout).toMatch(
      /^STREAM +NODE +ROLE .*\nlive\/show +solo +origin +live +\d s +0 +0 +\S+ Mbit\/s +\S+ +\S+\n$/,
    );
    const json = await tideway(`streams --json ${url}`);
    expect(JSON.parse(json.stdout)).toMatchObject({ registry: 'up', streams: [{ key: 'live/show' }] });
  });

  test('the node itself is listed, and the command finds it by TIDEWAY_HTTP_PORT', async () => {
    const answer = await fetch(`${api}/nodes`);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect((await answer.json()) as NodesAnswer).toMatchObject({
      ...{ node: 'solo', registry: 'up' },
      nodes: [{ node: 'solo', boot: expect.stringMatching(/^[0-9a-f]{16}$/), self: true, link: null }],
    });
    const { code, stdout } = await tideway('nodes', { TIDEWAY_HTTP_PORT: String(node.httpPort) });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NODE .*\nsolo +- +up +this node /);
    expect((await tideway(`streams --url http://127.0.0.1:${node.httpPort}`)).stdout).toBe('no streams\n');
  });

  test('pages of other sites are told nothing: no CORS, and no host but an address', async () => {
    const told = await ask(`${api}/nodes`, { headers: { Origin: 'http://evil.test' } });
    expect(told.status).toBe(200);
    expect(told.headers).not.toHaveProperty('access-control-allow-origin');
    const preflight = await ask(`${api}/nodes`, { method: 'OPTIONS' });
    expect(preflight.status).toBe(204);
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    const rebound = await ask(`${api}/nodes`, { headers: { Host: `evil.test:${node.httpPort}` } });
    expect(rebound.status).toBe(403);
    expect(rebound.headers).not.toHaveProperty('access-control-allow-origin');
    expect(JSON.parse(rebound.body)).toMatchObject({ status: 403, code: 'api.loopback-only' });
    const origins = ['/metrics', '/healthz'].map(async (path) => {
      const { headers } = await fetch(`http://127.0.0.1:${node.httpPort}${path}`);
      return headers.get('access-control-allow-origin');
    });
    expect(await Promise.all(origins)).toEqual([null, '*']);
  });

  test('any loopback address is this machine, and a forwarded request is not', async () => {
    expect((await ask(`${api}/nodes`, { localAddress: '127.0.0.7' })).status).toBe(200);
    const forwarded = await ask(`${api}/nodes`, { headers: { 'X-Forwarded-For': '127.0.0.1' } });
    expect(forwarded.status).toBe(403);
    expect(forwarded.headers['content-type']).toBe('application/problem+json');
  });

  test('who listens is told that it is over when the node stops, and holds up nothing', async () => {
    const headers = { Accept: 'text/html, text/event-stream;q=0.9' };
    const response = await fetch(`${api}/events?topics=status`, { headers });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const heard = response.text();
    const head = await fetch(`${api}/events`, { method: 'HEAD', headers });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      '',
    ]);
    const startMs = performance.now();
    await node.stop();
    expect(await heard).toMatch(/^retry: 2000\nevent: hello\n/);
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });

  test.each(['0', '10001', '-1', '1e3', '', 'all'])('a limit of "%s" is refused', async (limit) => {
    const answer = await fetch(`${api}/streams?limit=${limit}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'api.limit' });
  });

  test('a limit that is not allowed is one line of the command', async () => {
    const refused = await tideway(`streams --limit 10001 --url http://127.0.0.1:${node.httpPort}`);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^tideway: http:\S+ refused with 400 api\.limit: [^\n]+\n$/);
  });
});

describe('from another machine', () => {
  /** An address of this machine that is not loopback: to the node, whoever comes from it is not this machine. */
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

  test.runIf(outside !== undefined)('a node without a token refuses', async () => {
    await using node = await serve(undefined, '0.0.0.0');
    const url = `http://${outside}:${node.port}`;
    const refused = await ask(`${url}/api/v1/nodes`);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'api.loopback-only' });
    const told = await tideway(`nodes --url ${url}`);
    expect(told).toMatchObject({ code: 1, stdout: '' });
    expect(told.stderr).toMatch(/^tideway: http:\S+ refused with 403 api\.loopback-only: [^\n]+\n$/);
  });

  test.runIf(outside !== undefined)('a node with a token answers who has it', async () => {
    await using node = await serve(TOKEN, '0.0.0.0');
    const url = `http://${outside}:${node.port}`;
    const refused = await ask(`${url}/api/v1/nodes`);
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="tideway"');
    expect(await tideway(`nodes --url ${url}`, { TIDEWAY_API_TOKEN: TOKEN })).toMatchObject({ code: 0 });
    expect(await tideway(`nodes --url ${url} --token ${TOKEN}`)).toMatchObject({ code: 0 });
    const wrong = await tideway(`nodes --url ${url} --token wrong-${TOKEN}`);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^tideway: [^\n]+ 401 api\.token: [^\n]+--token or TIDEWAY_API_TOKEN\n$/);
    expect(wrong.stderr).not.toContain(TOKEN);
  });

  test('a token is good through a proxy and by a name, and a wrong one is not even good here', async () => {
    await using node = await serve(TOKEN, '127.0.0.1');
    const url = `http://127.0.0.1:${node.port}/api/v1/nodes`;
    const headers = { Host: 'tideway.example', 'X-Forwarded-For': '10.0.0.1' };
    expect((await ask(url, { headers })).status).toBe(401);
    expect((await ask(url, { headers: { ...headers, Authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
    expect((await ask(url, { headers: { Authorization: 'Bearer wrong' } })).status).toBe(401);
  });
});

describe('the commands say in one line', () => {
  async function answering(status: number, body: string, headers: Record<string, string> = {}) {
    const server = createServer((_request, response) => {
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const outcome = await tideway(`nodes --url http://127.0.0.1:${port} --token ${TOKEN}`);
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    return outcome;
  }

  test.each([
    [200, '<html>'],
    [200, '{"nodes":[]}'],
    [404, 'not here'],
    [404, '{"status":404,"code":"http.not-found","detail":"nothing is here"}'],
    [500, ''],
  ])('that %i %s is no answer of a node', async (status, body) => {
    const { code, stdout, stderr } = await answering(status, body);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^tideway: http:\S+: what answers there is no Tideway [^\n]+\n$/);
  });

  test('that nobody listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { code, stderr } = await tideway(`streams --url http://127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `tideway: http://127.0.0.1:${port}: connection refused: does a node run there? see --url\n`,
    );
  });

  test('and take no token along to where a redirect points', async () => {
    let asked = 0;
    const target = createServer((_request, response) => {
      asked += 1;
      response.end();
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const { port } = target.address() as AddressInfo;
    const { code } = await answering(302, '', { Location: `http://127.0.0.1:${port}/` });
    await new Promise((resolve) => target.close(resolve));
    expect({ code, asked }).toEqual({ code: 1, asked: 0 });
  });
});

/** The API alone, with answers that are always the same. */
async function serve(
  token: string | undefined,
  host: string,
): Promise<AsyncDisposable & { readonly port: number }> {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
  const envelope = { node: 'a', registry: 'up', asOf: '2026-01-01T00:00:00.000Z' } as const;
  const routes = apiRoutes(
    { access: accessBy({ token }), clock: systemClock, log },
    { nodes: () => ({ status: 200, document: { ...envelope, nodes: [] } }) },
  );
  const counters = { refused() {}, wireError() {} };
  const server = new HttpServer(
    { host, port: 0, maxConnections: 50 },
    { clock: systemClock, log, counters, routes, upgrades: [] },
  );
  await server.start();
  return { port: server.port, [Symbol.asyncDispose]: () => server.stop(100) };
}
