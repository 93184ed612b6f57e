// Who may do what with a real node, what is written down of it, and what is never repeated.
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { httpFlv } from '../../src/format/flv.ts';
import { Frame, FrameKind } from '../../src/format/frame.ts';
import { healthRoutes } from '../../src/http/api.ts';
import type { EventsAnswer } from '../../src/http/forms/alarms.ts';
import { type HttpArrivals, HttpServer } from '../../src/http/server.ts';
import { captureHttpFlv } from '../support/frames.ts';
import { metric, RawSocket } from '../support/hostile.ts';
import { FakeLog, type PayloadName, payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { secretScan } from '../support/secrets.ts';
import { until } from '../support/until.ts';

const ADMIN = 'token-of-admin-0123456789';
const EVA = 'token-of-eva-0123456789';
const GRAFANA = 'token-of-grafana-0123456789';
const SECRETS = [ADMIN, EVA, GRAFANA].flatMap((token) => [token, sha256Of(token)]);

function sha256Of(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

let node: RunningNode;

beforeAll(async () => {
  secretScan.use(...SECRETS);
  node = await runNode({
    ...{ 'node.id': 'solo', 'api.token': ADMIN, 'api.requireToken': 'true' },
    'api.tokens': `eva=operator:${sha256Of(EVA)},grafana=viewer:${sha256Of(GRAFANA)}`,
    ...{ 'watch.enabled': 'false', 'dashboard.enabled': 'false' },
  });
});

afterAll(() => node.stop());

/** The status and, of a refusal, the code. */
async function ask(path: string, token?: string, init: RequestInit = {}): Promise<string> {
  const headers = { ...init.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`http://127.0.0.1:${node.httpPort}${path}`, { ...init, headers });
  const { code = '' } = (await answer.json()) as { code?: string };
  return `${answer.status} ${code}`.trim();
}

const DRAIN = '/api/v1/node/drain';

describe('roles', () => {
  test('who looks may look, and change nothing; who operates may do both', async () => {
    const undo = { method: 'DELETE' };
    const kick = ['/api/v1/sessions/abcd1234', { method: 'DELETE' }] as const;
    expect({
      nobody: await ask('/api/v1/status'),
      grafana: [await ask('/api/v1/status', GRAFANA), await ask(DRAIN, GRAFANA, undo)],
      grafanaKicks: await ask(kick[0], GRAFANA, kick[1]),
      eva: [await ask('/api/v1/status', EVA), await ask(DRAIN, EVA, undo), await ask(kick[0], EVA, kick[1])],
      admin: [await ask('/api/v1/status', ADMIN), await ask(DRAIN, ADMIN, undo)],
    }).toEqual({
      nobody: '401 api.token',
      grafana: ['200', '403 api.role'],
      grafanaKicks: '403 api.role',
      eva: ['200', '200', '404 api.no-session'],
      admin: ['200', '200'],
    });
  });

  test('a token in the query opens nothing, and is repeated nowhere', async () => {
    for (const name of ['token', 'access_token', 'api.token', 'authorization']) {
      expect(await ask(`/api/v1/status?${name}=${ADMIN}`), name).toBe('401 api.token');
      // With a right one beside it, it is a parameter that nobody knows.
      expect(await ask(`/api/v1/status?${name}=${ADMIN}`, ADMIN), name).toBe('400 api.query');
    }
  });
});

test('each change leaves a line of who asked for it, also one that was refused; looking leaves none', async () => {
  const before = audits().length;
  await ask('/api/v1/nodes', EVA);
  await ask(DRAIN, GRAFANA, { method: 'DELETE', headers: { 'X-Request-Id': 'not-allowed' } });
  await ask(DRAIN, EVA, { method: 'DELETE', headers: { 'X-Request-Id': 'allowed' } });
  const lines = await until('both are written', () => {
    const since = audits().slice(before);
    return since.length === 2 && since;
  });
  const remote = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
  const asked = { method: 'DELETE', path: DRAIN, remote };
  expect(lines).toEqual([
    expect.objectContaining({
      who: 'grafana',
      role: 'viewer',
      ...asked,
      status: 403,
      request: 'not-allowed',
    }),
    expect.objectContaining({ who: 'eva', role: 'operator', ...asked, status: 200, request: 'allowed' }),
  ]);
  const headers = { Authorization: `Bearer ${GRAFANA}` };
  const answer = await fetch(`http://127.0.0.1:${node.httpPort}/api/v1/events`, { headers });
  const { events } = (await answer.json()) as EventsAnswer;
  const [newest] = events.filter(({ event }) => event === 'api.audit');
  expect(newest?.fields).toMatchObject({ who: 'eva', status: 200, path: DRAIN });
});

test('who asks too often, or guesses, is told when to come back', async () => {
  const guesses = [];
  for (let at = 0; at < 11; at += 1) guesses.push(await ask('/api/v1/status', `guess-${at}`));
  expect(guesses.slice(-2)).toEqual(['401 api.token', '429 api.too-many-tries']);
  const refused = await fetch(`http://127.0.0.1:${node.httpPort}/api/v1/status`, {
    headers: { Authorization: `Bearer ${EVA}` },
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
});

test('no token and no hash of one is in metrics', async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
  expect(metrics).toContain('tideway_table_entries{table="api_callers"}');
  expect(SECRETS.filter((secret) => metrics.includes(secret))).toEqual([]);
});

function audits() {
  return node.lines.filter(({ event }) => event === 'api.audit');
}

const TOLD = /^HTTP\/1\.1 429 .*Retry-After: 1.*"code":"limits.connection-rate-of-address"/s;

describe('limits', () => {
  let limited: RunningNode;

  beforeAll(async () => {
    limited = await runNode({
      ...{ 'node.id': 'limited', 'watch.enabled': 'false', 'dashboard.enabled': 'false' },
      ...{ 'publish.maxFramesPerSecond': '10', 'play.maxPlayersPerStream': '1' },
      ...{ 'limits.connectionsPerSecondPerAddress': '4', 'http.maxConnectionsPerAddress': '5' },
    });
  });

  afterAll(() => limited.stop());

  const refusals = async (door: 'rtmp' | 'http', code: string) =>
    (await metric(limited, `tideway_${door}_refusals_total`)).get(`code="${code}"`) ?? 0;

  test('a publisher that floods is ended, over RTMP and over HTTP, and nothing but it', async () => {
    const calm = await RtmpClient.publishing(limited.rtmpPort, 'calm');
    const flood = await RtmpClient.publishing(limited.rtmpPort, 'flood');
    calm.frame({ kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac sample', 1) });
    for (let at = 0; at < 200; at += 1) {
      flood.frame({ kind: FrameKind.audio, timestamp: at * 20, payload: payloadOf('aac sample', at) });
    }
    await until('it is closed', () => flood.isClosed);
    const answer = await post(limited.flvUrl('live/post'), 200);
    expect([answer.status, answer.code]).toEqual([429, 'publish.too-fast']);
    const ended = limited.lines.filter(
      ({ event, reason }) => event === 'publish.end' && reason === 'publish.too-fast',
    );
    expect(ended.map(({ stream, frames }) => [stream, frames])).toEqual([
      ['live/flood', 100],
      ['live/post', 100],
    ]);
    expect((await metric(limited, 'tideway_publishers_too_fast_total')).get('')).toBe(2);
    expect(calm.isClosed).toBe(false);
    calm.destroy();
  });

  test('a stream has no more players than it may', async () => {
    const publisher = await RtmpClient.publishing(limited.rtmpPort, 'full');
    publisher.frame({ kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac sample', 1) });
    const first = captureHttpFlv(limited.flvUrl('live/full'));
    await until('the first plays', () => limited.lines.some(({ event }) => event === 'play.start'));
    const second = await fetch(limited.flvUrl('live/full'));
    expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([
      ...[503, 'play.too-many-of-stream'],
    ]);
    publisher.destroy();
    first.close();
  });

  test('an address that connects too often is turned away at both doors, and told over HTTP; others are not', async () => {
    const from = '127.0.0.9';
    const code = 'limits.connection-rate-of-address';
    const rtmp = Array.from({ length: 60 }, () => new RawSocket(limited.rtmpPort, from));
    await until('some are turned away', () => rtmp.some(({ isClosed }) => isClosed));
    const http: RawSocket[] = [];
    await until('one is told', () => {
      // No more at once than the address may have.
      const older = http.filter(({ isClosed, received }) => !isClosed && received === '').slice(0, -2);
      for (const { socket } of older) socket.destroy();
      http.push(new RawSocket(limited.httpPort, from));
      return http.some(({ received }) => TOLD.test(received));
    });
    // Twenty at once, and four a second.
    await until('each is in, or counted', async () => {
      const closed = rtmp.filter(({ isClosed }) => isClosed).length;
      return closed > 0 && closed < 60 && (await refusals('rtmp', code)) === closed;
    });
    const sockets = [...rtmp, ...http];
    const other = new RawSocket(limited.httpPort, '127.0.0.10').write(
      'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    await other.answered(/200 OK/);
    for (const { socket } of [...sockets, other]) socket.destroy();
  });

  test('an address has no more HTTP connections than it may, and again once one goes', async () => {
    const from = '127.0.0.11';
    const held = Array.from({ length: 5 }, () => new RawSocket(limited.httpPort, from));
    const health = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const socket of held) await socket.write(health).answered(/200 OK/);
    const sixth = new RawSocket(limited.httpPort, from);
    await sixth.answered(/429 Too Many Requests.*Retry-After: 5.*http.too-many-from-address/s);
    held[0]?.socket.destroy();
    await until('there is room', async () => {
      const next = new RawSocket(limited.httpPort, from).write(health);
      await until('it is told', () => next.isClosed || next.received.includes('200 OK'));
      next.socket.destroy();
      return next.received.includes('200 OK');
    });
    for (const { socket } of held) socket.destroy();
  });
});

describe('a configuration that is read again', () => {
  const before = {
    'node.id': 'again',
    'api.token': ADMIN,
    'watch.enabled': 'false',
    'dashboard.enabled': 'false',
  };
  let settings: Record<string, string> = before;
  let again: RunningNode;

  beforeAll(async () => {
    again = await runNode(before, () => settings);
  });

  afterAll(() => again.stop());

  async function reload(token: string): Promise<{ status: number; answer: unknown }> {
    const answer = await fetch(`http://127.0.0.1:${again.httpPort}/api/v1/node/reload`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: '{}',
    });
    return { status: answer.status, answer: await answer.json() };
  }

  test('takes effect where it can, names the rest, and drops nobody', async () => {
    const publisher = await RtmpClient.publishing(again.rtmpPort, 'on');
    const send = (name: PayloadName, at: number) =>
      publisher.frame({ kind: FrameKind.video, timestamp: at, payload: payloadOf(name, at) });
    const frame = (at: number) => send('avc delta', at);
    send('avc header', 0);
    send('avc key', 1);
    const player = captureHttpFlv(again.flvUrl('live/on'));
    await until('it plays', () => player.frames.length > 0);

    settings = {
      ...{ ...before, 'api.tokens': `eva=operator:${sha256Of(EVA)}`, 'play.maxPlayersPerStream': '1' },
      ...{ 'http.port': '1', 'publish.maxFramesPerSecond': '1' },
    };
    expect((await reload(EVA)).status).toBe(401);
    expect(await reload(ADMIN)).toEqual({
      status: 200,
      answer: {
        node: 'again',
        changed: ['api.tokens', 'publish.maxFramesPerSecond', 'play.maxPlayersPerStream'],
        needsRestart: ['http.port'],
      },
    });
    // Eva is an operator now: she may ask, and not for this.
    expect(await reload(EVA)).toMatchObject({ status: 403, answer: { code: 'api.role' } });
    expect((await fetch(again.flvUrl('live/on'))).status).toBe(503);
    const seen = player.frames.length;
    frame(2);
    await until('the player goes on', () => player.frames.length > seen);
    // What a publisher may send is less now, for the one who is there, too.
    for (let at = 3; at < 30; at += 1) frame(at);
    await until('it sent too much', () => publisher.isClosed);
    player.close();
  });

  test('changes nothing if there is a mistake in it, and says which', async () => {
    settings = { ...before, 'play.waitMs': 'soon', 'publish.holdMs': '1' };
    const { status, answer } = await reload(ADMIN);
    expect([status, answer]).toEqual([
      422,
      expect.objectContaining({
        code: 'config.invalid',
        detail: expect.stringContaining('play.waitMs (--play.waitMs): "soon" is not allowed'),
      }),
    ]);
    expect(again.node.config.publish.holdMs).toBe(30_000);
    expect(again.lines.filter(({ event }) => event === 'config.reload-failed')).toHaveLength(1);
  });

  test('ends the live events of a token that it does not have any more, and of no other', async () => {
    const listen = async (token: string) => {
      const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' };
      const answer = await fetch(`http://127.0.0.1:${again.httpPort}/api/v1/events?topics=status`, {
        headers,
      });
      const reader = answer.body?.getReader();
      const heard = { status: answer.status, text: '', isOver: false, close: () => reader?.cancel() };
      void (async () => {
        for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
          heard.text += Buffer.from(part.value).toString();
        }
        heard.isOver = true;
      })();
      return heard;
    };
    const tokens = [`eva=viewer:${sha256Of(EVA)}`, `grafana=viewer:${sha256Of(GRAFANA)}`];
    settings = { ...before, 'api.tokens': tokens.join() };
    await reload(ADMIN);
    const [eva, grafana] = [await listen(EVA), await listen(GRAFANA)];
    await until('both are told', () => eva.text.includes('status') && grafana.text.includes('status'));
    settings = { ...before, 'api.tokens': tokens[1] ?? '' };
    expect((await reload(ADMIN)).status).toBe(200);
    await until('it is over', () => eva.isOver);
    expect((await listen(EVA)).status).toBe(401);
    const heard = grafana.text.length;
    await until('the other goes on', () => grafana.text.length > heard);
    expect(again.lines.filter(({ event }) => event === 'live.listener-revoked')).toMatchObject([
      { who: 'eva' },
    ]);
    await grafana.close();
  });

  test('is never asked for by a page of another site', async () => {
    const answer = await fetch(`http://127.0.0.1:${again.httpPort}/api/v1/node/reload`, { method: 'POST' });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      415,
      'http.media-type',
    ]);
  });
});

test('where files are short, who asked for nothing makes room for who asks for health', async () => {
  let lacks = false;
  const arrivals: HttpArrivals = { lacksFiles: () => lacks, refusal: () => undefined };
  const refused: string[] = [];
  const server = new HttpServer(
    { host: '127.0.0.1', port: 0, maxConnections: 50 },
    {
      ...{ clock: systemClock, log: new FakeLog(), upgrades: [], arrivals },
      counters: { refused: (code) => refused.push(code), wireError() {} },
      routes: healthRoutes({
        ...{ notReady: () => undefined, trouble: () => undefined },
        metricsText: () => Promise.resolve(''),
      }),
    },
  );
  await server.start();
  const silent = [new RawSocket(server.port), new RawSocket(server.port)];
  await until('they are in', () => server.connections === 2);
  lacks = true;
  const asking = new RawSocket(server.port).write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await asking.answered(/200 OK/);
  await until('the oldest is gone', () => silent[0]?.isClosed === true);
  expect([silent[1]?.isClosed, silent[0]?.received.includes('limits.files'), refused]).toEqual([
    ...[false, true, ['limits.files']],
  ]);
  asking.socket.destroy();
  await server.stop(0);
});

describe('where all connections are taken', () => {
  const PLACES = 2;
  const SPARE = 64;
  const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const NO_PLACE = /^HTTP\/1\.1 503 .*Retry-After: 5.*"code":"http.too-many-connections"/s;
  let full: HttpServer;
  let refused: string[];
  let sockets: RawSocket[];

  beforeEach(async () => {
    [refused, sockets] = [[], []];
    const never = { methods: ['GET'], handle: () => new Promise<void>(() => {}) };
    const trouble = { notReady: () => undefined, trouble: () => undefined };
    full = new HttpServer(
      { host: '127.0.0.1', port: 0, maxConnections: PLACES },
      {
        ...{ clock: systemClock, log: new FakeLog() },
        counters: { refused: (code) => refused.push(code), wireError() {} },
        upgrades: [{ matches: () => true, upgrade() {} }],
        routes: [
          ...healthRoutes({ ...trouble, metricsText: () => Promise.resolve('') }),
          { ...never, matches: (path) => path === '/media' },
          { ...never, matches: (path) => path === '/slow', isVital: true },
        ],
      },
    );
    await full.start();
  });

  afterEach(async () => {
    for (const { socket } of sockets) socket.destroy();
    await full.stop(0);
  });

  function come(text = ''): RawSocket {
    const socket = new RawSocket(full.port);
    sockets.push(socket);
    return text === '' ? socket : socket.write(text);
  }

  const ask = (path: string, more = '') => come(`GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`);

  test('who has asked for nothing for longest makes room, also one that was answered before', async () => {
    const answered = come(HEALTH);
    await answered.answered(/200 OK/);
    const silent: RawSocket[] = [];
    for (let at = 1; at < PLACES + SPARE; at += 1) silent.push(come());
    await until('it is full', () => full.connections === PLACES + SPARE);
    await come(HEALTH).answered(/200 OK/);
    await until('the oldest is gone', () => answered.isClosed);
    expect(answered.received).not.toContain('http.too-many-connections');
    for (let at = 0; at < 3; at += 1) await come(HEALTH).answered(/200 OK/);
    await until('three more are gone', () => silent.filter(({ isClosed }) => isClosed).length === 3);
    expect(silent.map(({ isClosed }) => isClosed).lastIndexOf(true)).toBe(2);
    expect(silent[0]?.received).toMatch(NO_PLACE);
    expect([full.connections, full.droppedConnections, refused.length]).toEqual([PLACES + SPARE, 4, 4]);
  });

  test('media has http.maxConnections, and is told so; health is answered beyond them', async () => {
    const [first] = [ask('/media'), ask('/media')];
    await until('both are asked for', () => full.requests === 2);
    await ask('/media').answered(NO_PLACE);
    await ask('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n').answered(NO_PLACE);
    await come(HEALTH).answered(/200 OK/);
    first?.socket.destroy();
    await until('a place is free', () => full.connections <= PLACES);
    const next = ask('/media');
    await until('it is taken', () => full.requests === 6);
    expect([next.isClosed, next.received, refused]).toEqual([
      ...[false, '', ['http.too-many-connections', 'http.too-many-connections']],
    ]);
  });

  test('where none is idle, the next one is told that there is no room', async () => {
    for (let at = 0; at < PLACES + SPARE; at += 1) ask('/slow');
    await until('all are asked for', () => full.requests === PLACES + SPARE);
    await come().answered(NO_PLACE);
    expect([full.connections, full.droppedConnections]).toEqual([PLACES + SPARE, 1]);
  });
});

/** Publishes so many frames at once, and never ends. */
function post(url: string, frames: number): Promise<{ status: number | undefined; code: string }> {
  const all = Array.from({ length: frames }, (_, at) => ({
    frame: new Frame(FrameKind.audio, 'sample', at, at * 20, payloadOf('aac sample', at)),
    time: at * 20,
  }));
  return new Promise((resolve, reject) => {
    const upload = request(url, { method: 'POST', agent: false });
    upload.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('close', () => {
        upload.destroy();
        resolve({ status: response.statusCode, code: (JSON.parse(body) as { code: string }).code });
      });
    });
    upload.on('error', reject);
    upload.write(Buffer.concat([httpFlv.open({ audio: true, video: false }), httpFlv.encode(all, 0)]));
  });
}
