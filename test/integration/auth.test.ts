// Who is let in at the doors of a real node, and how the others are refused, in each protocol's own way.
import { Agent, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Grant, sign } from '../../src/auth/signed-url.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import type { StatusAnswer } from '../../src/http/forms/nodes.ts';
import { metric } from '../support/hostile.ts';
import { kindOf, type PayloadName, payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type NodeSettings, type RunningNode, runNode } from '../support/running-node.ts';
import { secretScan } from '../support/secrets.ts';
import { until } from '../support/until.ts';

const KEY = { id: 'k1', secret: 'hush-signing-secret-77' };
const NEXT_KEY = { id: 'k2', secret: 'hush-signing-secret-78' };
const TOKEN_SECRET = 'hush-token-secret-77';
const HOOK_SECRET = 'hush-webhook-secret-77';
const HOOK_TOKEN = 'hush-webhook-token-77';
const MEDIA: readonly PayloadName[] = ['avc header', 'aac header', 'avc key', 'aac sample', 'avc delta'];

/** What was given to the node, of which nothing may be in its log or its answers. */
const given = new Set<string>([KEY.secret, NEXT_KEY.secret, TOKEN_SECRET, HOOK_SECRET, HOOK_TOKEN]);
const answers: string[] = [];
let node: RunningNode;
let settings: NodeSettings;
let publisher: RtmpClient;
/** What the operator's own server was sent. It lets in who is `user=me`. */
const sent: Record<string, unknown>[] = [];
/** Gives the answers that it keeps back. */
const held: (() => void)[] = [];
const hook = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  request.on('end', () => {
    const body = JSON.parse(text) as Record<string, unknown>;
    sent.push(body);
    const answer = () => response.end(body.param === '?user=me' ? '0' : '{"code":1}');
    if (String(body.param).startsWith('?held=')) held.push(answer);
    else answer();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const { port } = hook.address() as AddressInfo;
  settings = {
    'auth.webhook.url': `http://127.0.0.1:${port}/?token=${HOOK_TOKEN}`,
    'auth.webhook.secret': HOOK_SECRET,
    'auth.webhook.allowNetworks': '127.0.0.0/8',
    'auth.keys': `${KEY.id}=${KEY.secret}`,
    'auth.jwt.secret': TOKEN_SECRET,
    'auth.publish': 'live/*=signed/jwt,open/*=open,hook/*=webhook',
    'auth.play': 'live/*=signed/jwt,open/*=open,hook/*=webhook',
    'play.waitMs': '300',
    'log.level': 'trace',
  };
  node = await runNode(settings, () => settings);
  publisher = await RtmpClient.publishing(node.rtmpPort, `cam?${signed('publish', 'live/cam')}`);
  for (const [at, name] of MEDIA.entries()) {
    publisher.frame({ kind: kindOf(name), timestamp: at * 10, payload: payloadOf(name, at) });
  }
  await until('it is on air', () => node.lines.some(({ event }) => event === 'publish.start'));
});

afterAll(async () => {
  publisher.destroy();
  await node.stop();
  hook.close();
});

/** A signature: it is of no use to who reads a log. */
function use(secret: string): void {
  given.add(secret);
  secretScan.use(secret);
}

function signed(action: Grant['action'], stream: string, forS = 60, by = KEY): string {
  const [app = '', name = ''] = stream.split('/');
  const expiresS = Math.floor(Date.now() / 1000) + forS;
  const query = sign({ action, key: parseStreamKey(app, name), expiresS, address: undefined }, by);
  use(query.get('tw_sig') ?? '');
  return query.toString();
}

async function token(claims: Record<string, unknown>): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 60;
  const text = await new SignJWT({ aud: 'tideway', exp, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(TOKEN_SECRET));
  use(text.slice(-43));
  return text;
}

/** The status of an answer over HTTP, and the code of a refusal. */
async function asked(
  stream: string,
  query: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<string> {
  const left = new AbortController();
  const response = await fetch(`${node.flvUrl(stream)}?${query}`, { method, headers, signal: left.signal });
  answers.push(JSON.stringify([...response.headers]));
  if (response.status === 200) {
    left.abort();
    return '200';
  }
  const text = await response.text();
  answers.push(text);
  const wayIn = response.headers.get('www-authenticate') ?? 'no way in';
  const code = text === '' ? '' : (JSON.parse(text) as { code: string }).code;
  return [response.status, code, response.status === 401 ? wayIn : '']
    .filter((part) => part !== '')
    .join(' ');
}

/** The same by WebSocket. */
async function askedByWebSocket(stream: string, query: string): Promise<number> {
  const webSocket = new WebSocket(`${node.wsUrl(stream)}?${query}`);
  return new Promise((resolve) => {
    webSocket.on('error', () => {});
    webSocket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      webSocket.terminate();
    });
    webSocket.on('open', () => {
      resolve(101);
      webSocket.terminate();
    });
  });
}

/** The status code of NetStream that answers a publish or a play. */
async function askedByRtmp(action: 'publish' | 'play', name: string, app = 'live'): Promise<string> {
  const client = await RtmpClient.connected(node.rtmpPort, app);
  try {
    return await client[action](name);
  } finally {
    answers.push(client.messages.map(({ payload }) => payload.toString('latin1')).join('\n'));
    client.destroy();
  }
}

test('a player without a right is refused at each door, and one with a right is let in', async () => {
  const right = signed('play', 'live/cam');
  const wrong = signed('publish', 'live/cam');
  const old = signed('play', 'live/cam', -60);
  expect(await asked('live/cam', '')).toBe('401 auth.missing Bearer realm="tideway"');
  expect(await asked('live/cam', wrong)).toBe('401 auth.signature Bearer realm="tideway"');
  expect(await asked('live/cam', old)).toBe('401 auth.expired Bearer realm="tideway"');
  expect(await asked('live/cam', right)).toBe('200');
  expect(await asked('live/cam', '', { method: 'HEAD' })).toBe('401 Bearer realm="tideway"');
  expect(await asked('live/cam', right, { method: 'HEAD' })).toBe('200');
  expect(await askedByWebSocket('live/cam', '')).toBe(401);
  expect(await askedByWebSocket('live/cam', wrong)).toBe(401);
  expect(await askedByWebSocket('live/cam', right)).toBe(101);
  expect(await askedByRtmp('play', 'cam')).toBe('NetStream.Play.Failed');
  expect(await askedByRtmp('play', `cam?${wrong}`)).toBe('NetStream.Play.Failed');
  expect(await askedByRtmp('play', `cam?${right}`)).toBe('NetStream.Play.Start');
  expect(await askedByRtmp('play', 'cam', `live?${right}`)).toBe('NetStream.Play.Start');
});

test('a token lets in by the query, or by its header over HTTP', async () => {
  const right = await token({ play: 'live/*' });
  const other = await token({ play: 'live/other' });
  expect(await asked('live/cam', `tw_token=${right}`)).toBe('200');
  expect(await asked('live/cam', '', { headers: { Authorization: `Bearer ${right}` } })).toBe('200');
  expect(await asked('live/cam', '', { headers: { Authorization: `Bearer ${other}` } })).toBe(
    '403 auth.not-granted',
  );
  expect(await asked('live/cam', 'tw_token=a.b.c')).toBe('401 auth.token Bearer realm="tideway"');
  expect(await askedByRtmp('play', `cam?tw_token=${right}`)).toBe('NetStream.Play.Start');
});

test('what the watch page and the dashboard hint at is what the rules want', async () => {
  const base = `http://127.0.0.1:${node.httpPort}`;
  const appended = async (path: string) => {
    const { publishHint } = (await (await fetch(base + path)).json()) as StatusAnswer;
    return `${publishHint.stream}${publishHint.append}`;
  };
  expect(await appended('/watch/streams?publish=live/cam')).toBe('live/cam?OUTPUT-OF-TIDEWAY-SIGN');
  expect(await appended('/watch/streams?publish=open/cam')).toBe('open/cam');
  expect(await appended('/watch/streams?publish=<no%20key>')).toBe('live/demo?OUTPUT-OF-TIDEWAY-SIGN');
  expect(await appended('/api/v1/status')).toBe('live/demo?OUTPUT-OF-TIDEWAY-SIGN');
});

test('who is refused learns nothing of what is live, and is not waited for', async () => {
  const startedMs = performance.now();
  expect(await asked('live/nothing', '')).toBe('401 auth.missing Bearer realm="tideway"');
  expect(await asked('closed/cam', '')).toBe('403 auth.closed');
  expect(await askedByRtmp('play', 'nothing')).toBe('NetStream.Play.Failed');
  expect(performance.now() - startedMs).toBeLessThan(300);
  expect(await asked('open/nothing', '')).toBe('404 play.not-found');
});

test('a publisher without a right is refused, and one with a right takes over from nobody else', async () => {
  const right = signed('publish', 'live/two');
  expect(await askedByRtmp('publish', 'cam')).toBe('NetStream.Publish.Denied');
  expect(await askedByRtmp('publish', `cam?${right}`)).toBe('NetStream.Publish.Denied');
  expect(await askedByRtmp('publish', `cam?${signed('play', 'live/cam')}`)).toBe('NetStream.Publish.Denied');
  expect(await askedByRtmp('publish', `two?${right}`)).toBe('NetStream.Publish.Start');
  const flv = Buffer.from('464c5601050000000900000000', 'hex');
  const post = async (query: string) => {
    const response = await fetch(`${node.flvUrl('live/three')}?${query}`, { method: 'POST', body: flv });
    const text = await response.text();
    answers.push(text);
    return `${response.status} ${/"code":"([^"]+)"/.exec(text)?.[1] ?? ''}`;
  };
  expect(await post('')).toBe('401 auth.missing');
  expect(await post(`tw_token=${await token({ publish: 'live/three' })}`)).toBe('200 ');
  expect(publisher.isClosed).toBe(false);
});

test("the operator's own server says who is let in, and is told when it is over", async () => {
  expect(await askedByRtmp('publish', 'cam?user=other', 'hook')).toBe('NetStream.Publish.Denied');
  expect(await asked('hook/cam', 'key=hush&tw_sig=x')).toBe('403 auth.webhook-denied');
  expect(await askedByRtmp('publish', 'cam?user=me', 'hook')).toBe('NetStream.Publish.Start');
  await until('it was told of the end', () => sent.length === 4);
  const client = sent[2]?.client_id;
  expect(client).toMatch(/^[a-z0-9]{12}$/);
  expect(sent).toMatchObject([
    {
      action: 'on_publish',
      app: 'hook',
      stream: 'cam',
      param: '?user=other',
      ip: '127.0.0.1',
      protocol: 'rtmp',
    },
    { action: 'on_play', app: 'hook', stream: 'cam', param: '', protocol: 'http-flv' },
    { action: 'on_publish', param: '?user=me' },
    { action: 'on_unpublish', client_id: client },
  ]);
  expect(await metric(node, 'tideway_webhook_calls_total')).toEqual(
    new Map([
      ['call="on_publish",result="denied"', 1],
      ['call="on_play",result="denied"', 1],
      ['call="on_publish",result="allowed"', 1],
      ['call="on_unpublish",result="told"', 1],
    ]),
  );
});

test('a flood of players who are not answered keeps no publisher out, and is refused by address', async () => {
  const agent = new Agent({ keepAlive: true });
  const from = (localAddress: string, at: number) =>
    new Promise<string>((resolve, reject) => {
      const request = get(`${node.flvUrl('hook/cam')}?held=${at}`, { localAddress, agent }, (response) => {
        response.resume();
        const { connection, 'retry-after': retryAfter } = response.headers;
        resolve(`${response.statusCode} ${connection} ${retryAfter}`);
      });
      request.on('error', reject);
    });
  const answered: string[] = [];
  const flood = ['127.0.0.31', '127.0.0.32', '127.0.0.33'].flatMap((address) =>
    Array.from({ length: 18 }, async (_, at) => {
      answered.push(await from(address, at));
    }),
  );
  await until('it has all that it gets', () => answered.length === 6 && held.length === 20);
  const startedMs = performance.now();
  const known = sent.length;
  expect(await askedByRtmp('publish', 'calm?user=me', 'hook')).toBe('NetStream.Publish.Start');
  await until('the end is told', () => sent.length === known + 2);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  expect(sent.slice(known).map(({ action }) => action)).toEqual(['on_publish', 'on_unpublish']);
  expect(answered).toEqual(new Array(6).fill('429 close 1'));
  const release = setInterval(() => {
    for (const answer of held.splice(0)) answer();
  }, 10);
  await Promise.all(flood);
  clearInterval(release);
  agent.destroy();
  expect(answered.slice(6)).toEqual(new Array(48).fill('403 close undefined'));
  const refused = await metric(node, 'tideway_auth_refused_total');
  expect(refused.get('action="play",code="auth.too-many-from-address"')).toBe(6);
});

test('a key is changed while everybody plays on: both are good in between, then the new one alone', async () => {
  const old = signed('play', 'live/cam');
  const fresh = signed('play', 'live/cam', 60, NEXT_KEY);
  const player = await RtmpClient.connected(node.rtmpPort, 'live');
  expect(await player.play(`cam?${old}`)).toBe('NetStream.Play.Start');
  const hooked = await RtmpClient.connected(node.rtmpPort, 'hook');
  expect(await hooked.publish('on?user=me')).toBe('NetStream.Publish.Start');
  const asks = async () => [await asked('live/cam', old), await asked('live/cam', fresh)];
  const reload = async (keys: string, more: NodeSettings = {}) => {
    settings = { ...settings, 'auth.keys': keys, ...more };
    return node.node.reload('SIGHUP');
  };
  const unknown = '401 auth.unknown-key Bearer realm="tideway"';
  const [first, next] = [KEY, NEXT_KEY].map(({ id, secret }) => `${id}=${secret}`);

  expect(await asks()).toEqual(['200', unknown]);
  expect(await reload(`${next},${first}`)).toMatchObject({ changed: ['auth.keys'], needsRestart: [] });
  expect(await asks()).toEqual(['200', '200']);
  const before = await metric(node, 'tideway_auth_admitted_total');
  const rules = { 'auth.publish': 'live/*=signed', 'auth.play': 'live/*=signed' };
  expect(await reload(`${next}`, rules)).toMatchObject({
    changed: ['auth.publish', 'auth.play', 'auth.keys'],
  });
  expect(await asks()).toEqual([unknown, '200']);
  expect(await asked('open/nothing', '')).toBe('403 auth.closed');

  // What can't be used changes nothing.
  const broken = { 'auth.jwt.publicKeyFile': '/does/not/exist', 'play.waitMs': '1' };
  const { 'auth.jwt.secret': _, ...withoutSecret } = settings;
  settings = withoutSecret;
  await expect(reload(`${first}`, broken)).rejects.toThrow('/does/not/exist: auth.jwt.publicKeyFile');
  expect([await asks(), node.node.config.play.waitMs]).toEqual([[unknown, '200'], 300]);
  expect(node.lines.filter(({ event }) => event === 'config.reload-failed')).toMatchObject([
    { by: 'SIGHUP', code: 'auth.key' },
  ]);

  const seen = player.messages.length;
  publisher.frame({ kind: kindOf('aac sample'), timestamp: 90, payload: payloadOf('aac sample', 9) });
  await until('who is in gets what comes', () => player.messages.length > seen);
  expect([publisher.isClosed, player.isClosed, hooked.isClosed]).toEqual([false, false, false]);
  const after = await metric(node, 'tideway_auth_admitted_total');
  for (const [labels, count] of before) expect(after.get(labels), labels).toBeGreaterThanOrEqual(count);
  const tellings = sent.length;
  hooked.destroy();
  await until(
    'the end of what a webhook let in is told, though no rule says so now',
    () => sent.length > tellings,
  );
  expect(sent.at(-1)).toMatchObject({ action: 'on_unpublish', app: 'hook', stream: 'on' });
  player.destroy();
});

test('refusals are counted by code, and no secret, signature or token is in an answer or a metric', async () => {
  const refused = await metric(node, 'tideway_auth_refused_total');
  expect(refused.get('action="publish",code="auth.signature"')).toBe(2);
  expect(refused.get('action="play",code="auth.closed"')).toBe(2);
  const admitted = await metric(node, 'tideway_auth_admitted_total');
  expect(admitted.get('action="play",way="jwt"')).toBe(3);
  const metrics = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
  const said = [metrics, ...answers].join('\n');
  expect([...given].filter((secret) => secret.length < 16 || said.includes(secret))).toEqual([]);
});
