// A node that is emptied, over its API and by the command: who is refused, who goes on, who is sent elsewhere, and the way
// back.
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { DrainAnswer } from '../../src/http/forms/drain.ts';
import { CheckedPlayer } from '../support/checked-player.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { field, RtmpClient } from '../support/rtmp-client.ts';
import { runCommand } from '../support/run-command.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

let node: RunningNode;
let api: string;
let publisher: NumberedPublisher;
let player: CheckedPlayer;

beforeEach(async () => {
  node = await runNode({ 'node.id': 'solo', 'watch.enabled': 'false' });
  api = `http://127.0.0.1:${node.httpPort}/api/v1/node/drain`;
  publisher = await NumberedPublisher.start(node, { plan: PLANS['60 frames/s'], key: 'live/show' });
  player = await CheckedPlayer.play(node, 'live/show', 'http-flv');
  await until('it plays', () => player.check.frames > 0);
});

afterEach(async () => {
  player.leave();
  publisher.drop();
  await node.stop();
});

async function state(): Promise<DrainAnswer> {
  return (await (await fetch(api)).json()) as DrainAnswer;
}

function drain(body: unknown = {}): Promise<Response> {
  return fetch(api, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) });
}

function get(path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${node.httpPort}${path}`);
}

/** How a WS-FLV player is refused. */
function wsStatus(): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(node.wsUrl('live/show'));
    socket.on('unexpected-response', (asked, answer) => {
      asked.destroy();
      resolve(answer.statusCode);
    });
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('error', () => {});
  });
}

test('it is told by readyz and not by healthz, takes nobody new, and those who are there go on', async () => {
  expect(await state()).toEqual({
    ...{ node: 'solo', state: 'serving', since: null, deadlineMs: null },
    ...{ players: 1, publishers: 1, children: 0 },
  });
  const waits = fetch(node.flvUrl('live/none'));
  await until('it waits', async () => /^tideway_waiting_keys 1$/m.test(await (await get('/metrics')).text()));

  const begun = (await (await drain({ deadlineSeconds: 60 })).json()) as DrainAnswer;
  expect(begun).toMatchObject({ state: 'draining', players: 1, publishers: 1, children: 0 });
  expect(begun.since).toMatch(/^\d{4}-.*Z$/);
  expect(begun.deadlineMs).toBeGreaterThan(59_000);
  expect((await waits).status, 'who waits is told').toBe(503);

  const route = await get('/api/v1/route/play?stream=live/show');
  expect([route.status, await route.json()]).toMatchObject([503, { code: 'route.no-node' }]);
  const ready = await get('/readyz');
  expect([ready.status, await ready.json()]).toMatchObject([503, { code: 'node.draining' }]);
  expect((await get('/healthz')).status).toBe(200);
  const { nodes } = (await (await get('/api/v1/nodes')).json()) as { nodes: { draining: boolean }[] };
  expect(nodes).toMatchObject([{ draining: true }]);

  const refused = await get('/live/show.flv');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await refused.json()).toMatchObject({ code: 'node.draining' });
  expect(await wsStatus()).toBe(503);
  const flv = Buffer.from('464c5601050000000900000000', 'hex');
  const pushed = await fetch(node.flvUrl('live/pushed'), { method: 'POST', body: flv });
  expect([pushed.status, await pushed.json()]).toMatchObject([503, { code: 'node.draining' }]);
  await using clients = new AsyncClients();
  expect(await (await clients.add(node.rtmpPort)).play('show')).toBe('NetStream.Play.Failed');
  expect(await (await clients.add(node.rtmpPort)).publish('other')).toBe('NetStream.Publish.Denied');

  const metrics = await (await get('/metrics')).text();
  expect(metrics).toContain('tideway_drain_state{state="draining"} 1\n');
  expect(metrics).toContain('tideway_drain_left{who="players"} 1\n');
  const before = player.check.frames;
  await until('it plays on', () => player.check.frames > before + 10);

  const undone = await fetch(api, { method: 'DELETE' });
  expect([undone.status, await undone.json()]).toMatchObject([200, { state: 'serving', since: null }]);
  expect((await get('/readyz')).status).toBe(200);
  using late = await CheckedPlayer.play(node, 'live/show', 'http-flv');
  await until('a new one plays', () => late.check.frames > 0);
  expect([player.ended, player.check.words, publisher.isClosed]).toEqual([undefined, [], false]);
});

test('at the deadline players and publishers are ended, and the node stays until that is undone', async () => {
  using rtmp = await CheckedPlayer.play(node, 'live/show', 'rtmp');
  await until('it plays', () => rtmp.check.frames > 0);
  expect((await drain({ deadlineSeconds: 0 })).status).toBe(200);
  await until('all are ended', () => player.ended && rtmp.ended && publisher.isClosed);
  expect([player.ended, rtmp.ended]).toEqual(['closed', 'StreamEOF']);
  expect(await state()).toMatchObject({ state: 'drained', deadlineMs: 0, players: 0, publishers: 0 });
  const ends = node.lines.filter(({ event }) => event === 'play.end' || event === 'publish.end');
  expect(ends.map(({ reason }) => reason)).toEqual(['node.drained', 'node.drained', 'node.drained']);
  expect((await get('/readyz')).status).toBe(503);
  await fetch(api, { method: 'DELETE' });
  await publisher.connect(node);
  using back = await CheckedPlayer.play(node, 'live/show', 'http-flv');
  await until('it serves again', () => back.check.session === publisher.session);
});

test('an encoder that can be asked to connect again is asked, at once and at the end; another is not', async () => {
  await using clients = new AsyncClients();
  const able = await clients.open(node.rtmpPort);
  await able.connect('live', { capsEx: 1 });
  expect(await able.publish('able')).toBe('NetStream.Publish.Start');
  const old = await clients.open(node.rtmpPort);
  await old.connect('live', { capsEx: 14 });
  expect(await old.publish('old')).toBe('NetStream.Publish.Start');

  await drain({ deadlineSeconds: 60 });
  const { args } = await able.command('onStatus');
  expect(field(args[1], 'code')).toBe('NetConnection.Connect.ReconnectRequest');
  expect(field(args[1], 'level')).toBe('status');
  expect(field(args[1], 'tcUrl')).toBeUndefined();
  await drain({ deadlineSeconds: 0 });
  expect(await able.status()).toBe('NetConnection.Connect.ReconnectRequest');
  expect(await able.status()).toBe('NetConnection.Connect.ReconnectRequest');
  expect(await able.status()).toBe('NetStream.Unpublish.Success');
  expect(await old.status()).toBe('NetStream.Unpublish.Success');
  expect(await (await get('/metrics')).text()).toContain('tideway_reconnect_requests_total 4\n');
});

interface Refusal {
  readonly status: number | undefined;
  readonly code: string;
  /** Their names. */
  readonly headers: readonly string[];
}

describe('nothing changes by', () => {
  afterEach(async () => {
    expect(await state()).toMatchObject({ state: 'serving' });
  });

  /** A request with headers that `fetch` keeps for itself. */
  function ask(method: string, headers: Record<string, string>, body = ''): Promise<Refusal> {
    return new Promise((resolve, reject) => {
      request(api, { method, headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => {
          const { statusCode: status, headers } = answer;
          resolve({ status, code: text && JSON.parse(text).code, headers: Object.keys(headers) });
        });
      })
        .on('error', reject)
        .end(body);
    });
  }

  test.each([
    ['without a type', {}],
    ['a text', { 'Content-Type': 'text/plain' }],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
  ])('what a page of another site can send unasked: %s', async (_, headers) => {
    const origin = { Origin: 'http://evil.test', ...headers };
    expect(await ask('POST', origin, '{}')).toMatchObject({ status: 415, code: 'http.media-type' });
    expect(await ask('POST', origin)).toMatchObject({ status: 415, code: 'http.media-type' });
  });

  test('what such a page has to ask for first', async () => {
    const { status, headers } = await ask('OPTIONS', {
      ...{ Origin: 'http://evil.test', 'Access-Control-Request-Method': 'DELETE' },
      'Access-Control-Request-Headers': 'content-type',
    });
    expect(status).toBe(204);
    expect(headers.filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('who is not this machine, or came by a name that was made to point here', async () => {
    for (const method of ['POST', 'DELETE', 'GET']) {
      const forwarded = { ...JSON_TYPE, 'X-Forwarded-For': '10.0.0.1' };
      expect(await ask(method, forwarded)).toMatchObject({ status: 403, code: 'api.loopback-only' });
      expect(await ask(method, { ...JSON_TYPE, Host: 'evil.test' })).toMatchObject({
        status: 403,
        code: 'api.loopback-only',
      });
    }
  });

  test.each([
    ['{"deadlineSeconds":-1}', 400, 'api.body'],
    ['{"deadlineSeconds":86401}', 400, 'api.body'],
    ['{"deadlineSeconds":"60"}', 400, 'api.body'],
    ['{"deadline":60}', 400, 'api.body'],
    ['{', 400, 'api.body'],
    [' '.repeat(65_537), 413, 'http.body-too-large'],
  ])('a body of %.30s', async (body, status, code) => {
    expect(await ask('POST', JSON_TYPE, body)).toMatchObject({ status, code });
  });
});

describe('the command', () => {
  function tideway(line: string) {
    return runCommand(line.split(' '), { TIDEWAY_HTTP_PORT: String(node.httpPort) });
  }

  test('drains, and undoes it, in a line each', async () => {
    expect(await tideway('drain --deadline 60')).toEqual({
      ...{ code: 0, stderr: '' },
      stdout: 'solo drains: 1 player, 1 publisher, 60 s to the deadline\n',
    });
    const json = await tideway('drain --json');
    expect(JSON.parse(json.stdout)).toMatchObject({ state: 'draining', players: 1 });
    expect(JSON.parse(json.stdout).deadlineMs).toBeGreaterThan(3_590_000);
    expect((await tideway('drain --undo')).stdout).toBe('solo serves: 1 player, 1 publisher\n');
    const refused = await tideway('drain --deadline 86401');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      / refused with 400 api\.body: deadlineSeconds is at most 86400, not 86401\n$/,
    );
  });

  test('waits until nobody is left, and says who is', async () => {
    const waiting = tideway('drain --wait');
    await until('it drains', async () => (await state()).state === 'draining');
    player.leave();
    publisher.stop();
    expect(await waiting).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^tideway: solo drains: 1 player, 1 publisher, 3600 s to the deadline\n/),
      stdout: 'solo is drained: nobody is on it\n',
    });
  });

  test('says when somebody else undoes what it waits for', async () => {
    const waiting = tideway('drain --wait');
    await until('it drains', async () => (await state()).state === 'draining');
    await fetch(api, { method: 'DELETE' });
    const { code, stderr } = await waiting;
    expect(code).toBe(1);
    expect(stderr).toContain('solo serves again: somebody has undone the drain\n');
  });
});

/** RTMP clients, closed at the end. */
class AsyncClients implements AsyncDisposable {
  readonly #clients: RtmpClient[] = [];

  /** One that is connected to `live`. */
  async add(port: number): Promise<RtmpClient> {
    const client = await RtmpClient.connected(port);
    this.#clients.push(client);
    return client;
  }

  /** One that has shaken hands. */
  async open(port: number): Promise<RtmpClient> {
    const client = await RtmpClient.open(port);
    this.#clients.push(client);
    await client.shakeHands();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
  }
}
