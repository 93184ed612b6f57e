// The routes and the decisions over real sockets, with a router that is made up: what is asked of it, and what becomes of
// its answers.
import { type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/base/clock.ts';
import { Slices } from '../../src/base/slices.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { apiRoutes } from '../../src/http/api-routes.ts';
import type { DecisionsAnswer } from '../../src/http/forms/decisions.ts';
import {
  playerRoute,
  type RouteApiNeeds,
  routeHandlers,
  routeUpgrade,
  type SentOn,
} from '../../src/http/route-api.ts';
import type { RouteAnswer, RouteRequest } from '../../src/http/route-request.ts';
import { HttpServer } from '../../src/http/server.ts';
import { ClusterAsk } from '../../src/node/cluster-ask.ts';
import { ClusterLists } from '../../src/node/cluster-lists.ts';
import { decisionAnswer } from '../../src/node/decision-rows.ts';
import type { Considered } from '../../src/routing/choose.ts';
import { Decisions } from '../../src/routing/decisions.ts';
import { PlaceFinder } from '../../src/routing/place.ts';
import { accessBy } from '../support/api-access.ts';
import { FakeLog } from '../support/media.ts';

const SESSION = 'session12345';
const KEY = parseStreamKey('live', 'show');
const PARTS = { cpu: 0.1, memory: 0.2, bandwidth: 0, place: 0, link: 0, price: 0, stream: 1 };
const CONSIDERED: readonly Considered[] = [
  { node: 'b', region: 'eu', score: 0.4, parts: PARTS, promised: { players: 1, bytesPerS: 250_000 } },
];
const FILTERED = [{ reason: 'cpu', count: 1, nodes: ['a'] }] as const;
const NOBODY: RouteAnswer = {
  ...{ node: undefined, url: undefined, alternatives: [], considered: [] },
  ...{ why: 'no node is left; not a (cpu)', filtered: FILTERED },
};

let server: HttpServer;
let base: string;
let log: FakeLog;
let asked: RouteRequest[];
let sent: SentOn[];
let answer: (request: RouteRequest) => RouteAnswer;
let refused: string[];
let decisions: Decisions;
let token: string | undefined;

beforeEach(async () => {
  [log, asked, sent, refused, token] = [new FakeLog(), [], [], [], undefined];
  answer = ({ protocol, key }) => {
    const file = protocol === 'rtmp' ? '' : '.flv';
    const at = (node: string) => `${protocol.replace('-flv', '')}://${node}:1/${key}${file}`;
    return {
      ...{ node: 'b', url: at('b'), alternatives: [{ node: 'c', url: at('c') }] },
      ...{ why: 'the best', considered: CONSIDERED, filtered: FILTERED },
    };
  };
  let wallMs = 0;
  decisions = new Decisions(() => {
    wallMs += 1_000;
    return wallMs;
  });
  await serve();
});

afterEach(() => server.stop(100));

async function serve(): Promise<void> {
  await server?.stop(100);
  const lists = new ClusterLists({
    ...{ clock: systemClock, node: 'a', trafficWindowMs: 0 },
    ask: new ClusterAsk({
      ...{ log, slices: new Slices({ clock: systemClock }), self: 'a' },
      answers: { decisions: (args) => decisionAnswer(decisions, 'a', args) },
      members: () => [],
      linked: () => undefined,
    }),
    envelope: () => ({ node: 'a', registry: 'up', asOf: '1970-01-01T00:01:00.000Z' }),
  });
  const told = async (answer: ReturnType<ClusterLists['decisions']>) =>
    ({ status: 200, document: await answer }) as const;
  const needs: RouteApiNeeds = {
    places: new PlaceFinder({
      node: { region: '', zone: '' },
      networks: [{ network: '127.0.0.0/8', region: 'home' }],
      regionHeader: 'x-region',
    }),
    route: async (request) => {
      asked.push(request);
      return answer(request);
    },
    sent: (to) => sent.push(to),
    sessionOf: () => SESSION,
  };
  server = new HttpServer(
    { host: '127.0.0.1', port: 0, maxConnections: 50 },
    {
      ...{ clock: systemClock, log, upgrades: [routeUpgrade(needs)] },
      counters: { refused: (code) => refused.push(code), wireError: (code) => refused.push(code) },
      routes: [
        ...apiRoutes(
          { access: accessBy({ token }), clock: systemClock, log },
          { ...routeHandlers(needs), decisions: ({ query, id }) => told(lists.decisions(query, id)) },
        ),
        playerRoute(needs),
      ],
    },
  );
  await server.start();
  base = `http://127.0.0.1:${server.port}`;
}

function get(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${base}${path}`, { redirect: 'manual', ...init });
}

describe('the API of routes', () => {
  test('tells a player its node, ready URLs and why', async () => {
    const response = await get('/api/v1/route/play?stream=live/show&region=eu&zone=eu-1&session=a%20b');
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(await response.json()).toEqual({
      node: 'b',
      url: 'http://b:1/live/show.flv?session=a+b',
      alternatives: [{ node: 'c', url: 'http://c:1/live/show.flv?session=a+b' }],
      ttlSeconds: 5,
      session: 'a b',
      place: { region: 'eu', zone: 'eu-1', from: 'query' },
      why: 'the best',
      considered: CONSIDERED,
      filtered: FILTERED,
    });
    expect(asked).toEqual([
      {
        ...{ kind: 'play', key: KEY, protocol: 'http-flv', network: 'public', session: 'a b' },
        place: { region: 'eu', zone: 'eu-1', from: 'query' },
      },
    ]);
    expect(sent).toEqual([]);
  });

  test('tells a publisher its node, and takes the place of who asks from header or address', async () => {
    const response = await get('/api/v1/route/publish?stream=live/show&network=internal');
    expect(await response.json()).toMatchObject({
      ...{ url: 'rtmp://b:1/live/show', session: null },
      place: { region: 'home', zone: '', from: 'network' },
    });
    await get('/api/v1/route/play?stream=live/show&protocol=ws-flv', { headers: { 'X-Region': 'us' } });
    expect(asked).toMatchObject([
      { kind: 'publish', protocol: 'rtmp', network: 'internal', session: undefined },
      { kind: 'play', protocol: 'ws-flv', place: { region: 'us', from: 'header' } },
    ]);
  });

  test.each([
    ['play', '', 'route.stream'],
    ['play', 'stream=', 'route.stream'],
    ['play', 'stream=show', 'route.stream'],
    ['play', 'stream=live/show/more', 'route.stream'],
    ['play', 'stream=live/sh%20ow', 'stream-key.invalid'],
    ['play', 'stream=live/show.flv', 'stream-key.invalid'],
    ['play', 'stream=route/show', 'stream-key.reserved'],
    ['play', 'stream=live/show&stream=live/other', 'route.repeated'],
    ['play', 'stream=live/show&protocol=hls', 'route.protocol'],
    ['play', 'stream=live/show&protocol=', 'route.protocol'],
    ['publish', 'stream=live/show&protocol=ws-flv', 'route.protocol'],
    ['play', 'stream=live/show&region=', 'route.place'],
    ['play', 'stream=live/show&region=e%0au', 'route.place'],
    ['play', 'stream=live/show&region=eu&region=us', 'route.repeated'],
    ['play', 'stream=live/show&zone=eu-1', 'route.place'],
    ['play', 'stream=live/show&region=eu&zone=%20', 'route.place'],
    ['play', 'stream=live/show&network=private', 'route.network'],
    ['play', 'stream=live/show&session=', 'route.session'],
    ['play', `stream=live/show&session=${'x'.repeat(129)}`, 'route.session'],
    ['play', 'stream=live/show&regoin=eu', 'api.query'],
    ['play', 'stream=live/show&__proto__=eu', 'api.query'],
  ])('refuses %s?%s with 400 and says why', async (kind, query, code) => {
    const response = await get(`/api/v1/route/${kind}?${query}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      400,
      'application/problem+json',
    ]);
    expect(await response.json()).toEqual({
      ...{ type: `/errors#${code}`, title: 'Bad Request', status: 400, code },
      detail: expect.stringMatching(/\w+ .*\w/),
    });
    expect([refused, asked]).toEqual([[code], []]);
    expect(log.of('http.refused')).toMatchObject([{ code }]);
  });

  test('takes a value twice that is the same, and the longest session', async () => {
    const session = 'x'.repeat(128);
    const response = await get(`/api/v1/route/play?stream=live/show&session=${session}&region=eu&region=eu`);
    expect(response.status).toBe(200);
  });

  test('tells operators why no node is left, and when to ask again', async () => {
    answer = () => NOBODY;
    const response = await get('/api/v1/route/play?stream=live/show');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await response.json()).toEqual({
      ...{ type: '/errors#route.no-node', title: 'Service Unavailable', status: 503 },
      ...{ code: 'route.no-node', detail: 'no node is left; not a (cpu)' },
      filtered: [{ reason: 'cpu', count: 1, nodes: ['a'] }],
    });
    expect(log.of('http.refused')).toMatchObject([{ code: 'route.no-node', detail: NOBODY.why }]);
  });

  test('is for who has the token', async () => {
    token = 'correct-horse-battery';
    await serve();
    for (const path of ['route/play?stream=live/show', 'route/publish?stream=live/show', 'decisions']) {
      const headers = { Authorization: `Bearer ${token}` };
      expect((await get(`/api/v1/${path}`, { headers })).status).toBe(200);
      const refusal = await get(`/api/v1/${path}`, { headers: { 'X-Forwarded-For': '10.0.0.1' } });
      expect([refusal.status, refusal.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="tideway"',
      ]);
    }
    expect(asked.length).toBe(2);
  });
});

describe('/route/', () => {
  test('sends a player on with its query and the mark, and takes what is its own', async () => {
    const query = 'key=a%2Fb&region=eu&zone=z&network=internal&session=me&protocol=rtmp&x=1';
    for (const method of ['GET', 'HEAD']) {
      const response = await get(`/route/live/show.flv?${query}`, { method });
      expect([response.status, await response.text()]).toEqual([302, '']);
      expect(response.headers.get('location')).toBe(
        'http://b:1/live/show.flv?key=a%2Fb&session=me&x=1&tw_hop=1&tw_session=session12345',
      );
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
    }
    expect(asked[0]).toEqual({
      ...{ kind: 'play', key: KEY, protocol: 'http-flv', network: 'internal', session: 'me' },
      place: { region: 'eu', zone: 'z', from: 'query' },
    });
    const remote = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
    expect(sent[0]).toEqual({
      ...{ key: KEY, door: 'route', remote, session: SESSION },
      url: 'http://b:1/live/show.flv',
    });
    expect(sent.length).toBe(2);
  });

  test('sends WebSocket players on, too', async () => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/route/live/show.flv?key=a`);
    socket.on('error', () => {});
    const response = await new Promise<IncomingMessage>((resolve) => {
      socket.once('unexpected-response', (_request, answered) => resolve(answered));
    });
    expect(response.statusCode).toBe(302);
    expect(response.headers).toMatchObject({
      ...{ location: 'ws://b:1/live/show.flv?key=a&tw_hop=1&tw_session=session12345', connection: 'close' },
      ...{ 'access-control-allow-origin': '*', 'cache-control': 'no-store' },
    });
    socket.terminate();
    expect(asked).toMatchObject([{ protocol: 'ws-flv' }]);
  });

  test('says that no node is left, but not which were and why', async () => {
    answer = () => NOBODY;
    const response = await get('/route/live/show.flv');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    const problem = (await response.json()) as object;
    expect(Object.keys(problem)).toEqual(['type', 'title', 'status', 'code', 'detail']);
    expect(JSON.stringify(problem)).not.toContain('cpu');

    const upgraded = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
      request(`${base}/route/live/show.flv`, { headers, agent: false }, resolve).on('error', reject).end();
    });
    upgraded.resume();
    expect([upgraded.statusCode, upgraded.headers['retry-after']]).toEqual([503, '2']);
    expect(sent).toEqual([]);
  });

  test.each([
    ['/route/live/sh%20ow.flv', 400, 'stream-key.invalid'],
    ['/route/api/show.flv', 400, 'stream-key.reserved'],
    ['/route/live/show.flv?region=%20', 400, 'route.place'],
    ['/route/live/show.flv?session=', 400, 'route.session'],
    ['/route/live/show', 404, 'http.not-found'],
    ['/route/show.flv', 404, 'http.not-found'],
  ])('refuses %s with %i %s', async (path, status, code) => {
    const response = await get(path);
    expect([response.status, await response.json()]).toMatchObject([status, { code }]);
  });
});

describe('the decisions', () => {
  const place = { region: 'eu', zone: '' };
  beforeEach(() => {
    const choice = { place, why: 'the best', considered: CONSIDERED, filtered: FILTERED };
    decisions.add({ kind: 'play', stream: KEY, node: 'b', ...choice });
    const parts = { rtt: 1, hops: 0, loss: 0, busy: 0, price: 0, draining: 0 };
    decisions.add({
      ...{ kind: 'upstream', stream: KEY, node: 'c', why: 'the cheapest' },
      parents: [{ node: 'c', total: 1, parts }],
    });
    decisions.add({ ...choice, kind: 'publish', stream: parseStreamKey('live', 'other'), node: undefined });
  });

  test('are told newest first, all with the same fields', async () => {
    const told = (await (await get('/api/v1/decisions')).json()) as DecisionsAnswer;
    expect(told).toMatchObject({
      ...{ node: 'a', asOf: '1970-01-01T00:01:00.000Z' },
      decisions: [
        { id: 2, kind: 'publish', stream: 'live/other', node: null, parents: [] },
        {
          id: 1,
          kind: 'upstream',
          stream: 'live/show',
          node: 'c',
          place: null,
          considered: [],
          filtered: [],
        },
        {},
      ],
    });
    expect(told.decisions[1]?.parents).toMatchObject([{ node: 'c', total: 1, parts: { rtt: 1 } }]);
    expect(told.decisions[2]).toEqual({
      ...{
        id: 0,
        by: 'a',
        time: '1970-01-01T00:00:01.000Z',
        kind: 'play',
        stream: 'live/show',
        place,
        node: 'b',
      },
      ...{ why: 'the best', considered: CONSIDERED, filtered: FILTERED, parents: [] },
    });
    const fields = told.decisions.map((row) => Object.keys(row).join());
    expect(new Set(fields).size).toBe(1);
  });

  test('are told of one stream, and as many as are wanted', async () => {
    const ids = async (query: string) => {
      const told = (await (await get(`/api/v1/decisions?${query}`)).json()) as DecisionsAnswer;
      return told.decisions.map(({ id }) => id);
    };
    expect(await ids('stream=live/show')).toEqual([1, 0]);
    expect(await ids('stream=live/show&limit=1')).toEqual([1]);
    expect(await ids('stream=live/unknown')).toEqual([]);
    expect(await ids('limit=1000')).toEqual([2, 1, 0]);
  });

  test.each([
    ['limit=0', 'api.limit'],
    ['limit=1001', 'api.limit'],
    ['limit=x', 'api.limit'],
    ['stream=show', 'route.stream'],
    ['stream=live/..', 'stream-key.invalid'],
  ])('are refused with 400 for ?%s', async (query, code) => {
    const response = await get(`/api/v1/decisions?${query}`);
    expect([response.status, await response.json()]).toMatchObject([400, { code }]);
  });
});
