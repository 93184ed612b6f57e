import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Action } from '../../../src/auth/rules.ts';
import type { Post, PostAnswer } from '../../../src/auth/webhook-post.ts';
import { type WebhookServer, Webhooks } from '../../../src/auth/webhooks.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

const SECRET = 'hush-webhook-secret-77';
const SUBJECT = {
  key: parseStreamKey('live', 'cam'),
  protocol: 'rtmp',
  remote: '::ffff:198.51.100.7:5555',
  session: 'abcdefghijkl',
};
const NO_QUERY = new URLSearchParams();

interface Sent extends Post {
  readonly answer: (status: number, body: string) => void;
  readonly fail: (error: Error) => void;
}

let clock: FakeClock;
let log: FakeLog;
let posts: Sent[];
let asked: number;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  posts = [];
  asked = 0;
});

function serverOf(options: Partial<WebhookServer> = {}): WebhookServer {
  return {
    ...{ url: 'https://hooks.example/srs', secret: SECRET, playOnFailure: 'deny' },
    ...{ allowCacheMs: 5_000, denyCacheMs: 2_000 },
    post: (post) =>
      new Promise<PostAnswer>((resolve, reject) => {
        const answer = (status: number, body: string) => resolve({ status, body: Buffer.from(body) });
        posts.push({ ...post, answer, fail: reject });
      }),
    ...options,
  };
}

function webhooksOf(options: Partial<WebhookServer> = {}): Webhooks {
  return new Webhooks(serverOf(options), { clock, log, node: 'a' });
}

/** 'let in', or why not. */
async function verdict(asked: Promise<void>): Promise<string> {
  try {
    await asked;
    return 'let in';
  } catch (error) {
    if (error instanceof TidewayError) return error.code;
    throw error;
  }
}

/** What is to be done before promises settle. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

function bodyOf(at: number): Record<string, unknown> {
  return JSON.parse(String(posts[at]?.body)) as Record<string, unknown>;
}

test('asks in the words of SRS, signed, without what is for the node', async () => {
  const query = new URLSearchParams('user=me&tw_sig=x&key=hush&TW_Token=y&role=backup');
  const asked = verdict(webhooksOf().check('publish', SUBJECT, query));
  expect(bodyOf(0)).toEqual({
    action: 'on_publish',
    server_id: 'a',
    client_id: 'abcdefghijkl',
    ip: '198.51.100.7',
    vhost: '__defaultVhost__',
    app: 'live',
    stream: 'cam',
    stream_url: '/live/cam',
    param: '?user=me&role=backup',
    protocol: 'rtmp',
  });
  const [sent] = posts;
  const atS = Math.floor(clock.wallMs() / 1000);
  const signature = createHmac('sha256', SECRET).update(`${atS}.${sent?.body}`).digest('hex');
  expect(sent?.headers['X-Tideway-Signature']).toBe(`t=${atS},v1=${signature}`);
  expect(sent?.timeoutMs).toBe(2_000);
  sent?.answer(200, '0');
  expect(await asked).toBe('let in');
});

describe('an answer', () => {
  test.each([
    [200, '0', 'let in'],
    [200, '0\n', 'let in'],
    [200, '{"code":0}', 'let in'],
    [200, '{"code":0,"msg":"ok","ttl":10}', 'let in'],
    [200, '1', 'auth.webhook-denied'],
    [200, '{"code":403}', 'auth.webhook-denied'],
    [401, '', 'auth.webhook-denied'],
    [403, '0', 'auth.webhook-denied'],
    [200, '', 'auth.webhook-failed'],
    [200, 'ok', 'auth.webhook-failed'],
    [200, '{}', 'auth.webhook-failed'],
    [200, '"0"', 'auth.webhook-failed'],
    [200, 'null', 'auth.webhook-failed'],
    [200, '[0]', 'auth.webhook-failed'],
    [200, '{"code":"0"}', 'auth.webhook-failed'],
    [200, '{"code":0,"ttl":1e9}', 'auth.webhook-failed'],
    [200, '{"code":0,"ttl":-1}', 'auth.webhook-failed'],
    [201, '0', 'auth.webhook-failed'],
    [204, '', 'auth.webhook-failed'],
    [302, '0', 'auth.webhook-failed'],
    [404, '0', 'auth.webhook-failed'],
    [500, '0', 'auth.webhook-failed'],
    [503, '', 'auth.webhook-failed'],
  ])('%i with %j: %s', async (status, body, wanted) => {
    const asked = verdict(webhooksOf().check('publish', SUBJECT, NO_QUERY));
    posts[0]?.answer(status, body);
    expect(await asked).toBe(wanted);
  });
});

test('while the server fails, publishers are refused, and players by policy', async () => {
  for (const [action, playOnFailure, wanted] of [
    ['publish', 'allow', 'auth.webhook-failed'],
    ['publish', 'deny', 'auth.webhook-failed'],
    ['play', 'allow', 'let in'],
    ['play', 'deny', 'auth.webhook-failed'],
  ] as const) {
    const asked = verdict(webhooksOf({ playOnFailure }).check(action, SUBJECT, NO_QUERY));
    posts.pop()?.fail(new TidewayError('webhook.timeout', 'late'));
    expect(await asked, `${action} ${playOnFailure}`).toBe(wanted);
  }
});

test('a no is a no, whatever the policy on failures', async () => {
  const asked = verdict(webhooksOf({ playOnFailure: 'allow' }).check('play', SUBJECT, NO_QUERY));
  posts[0]?.answer(403, '');
  expect(await asked).toBe('auth.webhook-denied');
});

test('the same question is asked once at a time, and another one by itself', async () => {
  const webhooks = webhooksOf();
  const same = [1, 2, 3].map((at) =>
    verdict(webhooks.check('play', { ...SUBJECT, session: `s${at}` }, NO_QUERY)),
  );
  const others = [
    verdict(webhooks.check('publish', SUBJECT, NO_QUERY)),
    verdict(webhooks.check('play', { ...SUBJECT, remote: '198.51.100.8:1' }, NO_QUERY)),
    verdict(webhooks.check('play', { ...SUBJECT, key: parseStreamKey('live', 'cam2') }, NO_QUERY)),
    verdict(webhooks.check('play', SUBJECT, new URLSearchParams('user=me'))),
    verdict(webhooks.check('play', { ...SUBJECT, protocol: 'http-flv' }, NO_QUERY)),
  ];
  expect(posts).toHaveLength(6);
  posts[0]?.answer(200, '0');
  for (const post of posts.slice(1)) post.answer(200, '1');
  expect(await Promise.all(same)).toEqual(['let in', 'let in', 'let in']);
  expect(new Set(await Promise.all(others))).toEqual(new Set(['auth.webhook-denied']));
});

test.each([
  ['a yes', '0', 5_000],
  ['a no', '1', 2_000],
  ['a yes that says how long', '{"code":0,"ttl":60}', 60_000],
  ['a no that says not at all', '{"code":1,"ttl":0}', 0],
])('%s is remembered for its time', async (_what, body, ttlMs) => {
  const webhooks = webhooksOf();
  const ask = () => verdict(webhooks.check('play', SUBJECT, NO_QUERY));
  const first = ask();
  posts[0]?.answer(200, body);
  const wanted = await first;
  clock.advance(Math.max(0, ttlMs - 1));
  if (ttlMs > 0) expect(await ask()).toBe(wanted);
  expect(posts).toHaveLength(1);
  clock.advance(1);
  void ask();
  expect(posts).toHaveLength(2);
});

test('a failure is not remembered', async () => {
  const webhooks = webhooksOf();
  const first = verdict(webhooks.check('play', SUBJECT, NO_QUERY));
  posts[0]?.answer(500, '');
  await first;
  void verdict(webhooks.check('play', SUBJECT, NO_QUERY));
  expect(posts).toHaveLength(2);
});

/** Asks something that nobody has asked. */
function askNew(webhooks: Webhooks, action: Action, remote: string): Promise<string> {
  asked += 1;
  return verdict(webhooks.check(action, { ...SUBJECT, remote }, new URLSearchParams({ asked: `${asked}` })));
}

function entriesOf(webhooks: Webhooks): Record<string, number> {
  return Object.fromEntries(webhooks.tables.map(({ table, entries }) => [table, entries]));
}

test('while players of many addresses flood, a publisher is let in, and the ends are told, at once', async () => {
  const webhooks = webhooksOf();
  for (let host = 0; host < 100; host += 1) {
    for (let at = 0; at < 10; at += 1) void askNew(webhooks, 'play', `198.51.100.${host}:1`);
  }
  const flood = posts.length;
  const publisher = askNew(webhooks, 'publish', '198.51.100.7:1');
  webhooks.ended('publish', SUBJECT);
  webhooks.ended('play', SUBJECT);
  const actions = posts.slice(flood).map((_, at) => bodyOf(flood + at).action);
  expect(actions).toEqual(['on_publish', 'on_unpublish', 'on_stop']);
  posts[flood]?.answer(200, '0');
  expect(await publisher).toBe('let in');
});

test('the wait for its turn is of its 2 s, and who gets none in them is not let in', async () => {
  const webhooks = webhooksOf();
  const players = Array.from({ length: 22 }, (_, at) => askNew(webhooks, 'play', `198.51.100.${at}:1`));
  expect(posts).toHaveLength(20);
  clock.advance(500);
  posts[0]?.answer(200, '0');
  expect(await players[0]).toBe('let in');
  await settled();
  expect(posts).toHaveLength(21);
  expect(posts[20]?.timeoutMs).toBe(1_500);
  clock.advance(1_500);
  expect(await players[21]).toBe('auth.webhook-failed');
  for (const post of posts) post.answer(200, '0');
  expect(await Promise.all(players.slice(0, 21))).toEqual(new Array(21).fill('let in'));
  expect(new Set(Object.values({ ...entriesOf(webhooks), webhook_answers: 0 }))).toEqual(new Set([0]));
  expect(clock.timerCount).toBe(0);
});

test.each([
  ['an address', '198.51.100.7:1', '[::ffff:198.51.100.7]:2', '198.51.100.8:1'],
  ['a /64 of IPv6', '[2001:db8::1]:1', '[2001:db8::2]:1', '[2001:db8:0:1::1]:1'],
])('%s has 16 questions at once of players, and 16 of publishers', async (_what, one, same, other) => {
  const webhooks = webhooksOf({ playOnFailure: 'allow' });
  const players = Array.from({ length: 16 }, (_, at) => askNew(webhooks, 'play', at % 2 ? one : same));
  expect(await askNew(webhooks, 'play', one)).toBe('auth.too-many-from-address');
  expect(await askNew(webhooks, 'play', same)).toBe('auth.too-many-from-address');
  const others = [askNew(webhooks, 'play', other), askNew(webhooks, 'publish', one)];
  expect(posts).toHaveLength(18);
  expect(entriesOf(webhooks)).toMatchObject({ webhook_play_addresses: 2, webhook_publish_addresses: 1 });
  // The same question is no further one.
  const { param } = bodyOf(1) as { param: string };
  const again = verdict(webhooks.check('play', { ...SUBJECT, remote: one }, new URLSearchParams(param)));
  for (const post of posts) post.answer(200, '0');
  expect(new Set(await Promise.all([...players, ...others, again]))).toEqual(new Set(['let in']));
  // Whatever the server says, and if it fails: what is over counts no more.
  const next = askNew(webhooks, 'play', one);
  posts.at(-1)?.answer(500, '');
  expect(await next).toBe('let in');
  expect(entriesOf(webhooks)).toMatchObject({ webhook_play_addresses: 0, webhook_publish_addresses: 0 });
});

test('tells of ends, and nobody waits', async () => {
  const webhooks = webhooksOf();
  webhooks.ended('publish', SUBJECT);
  webhooks.ended('play', SUBJECT);
  expect([bodyOf(0), bodyOf(1)]).toMatchObject([
    { action: 'on_unpublish', client_id: 'abcdefghijkl', app: 'live', stream: 'cam', param: '' },
    { action: 'on_stop' },
  ]);
  posts[0]?.answer(200, '0');
  posts[1]?.fail(new Error('gone'));
  await settled();
  expect(webhooks.counts).toEqual([
    { call: 'on_unpublish', result: 'told', count: 1 },
    { call: 'on_stop', result: 'webhook.failed', count: 1 },
  ]);
});

test('another server is asked anew, what the one before says is for who asked it, and ends go to the new one', async () => {
  const webhooks = webhooksOf();
  const ask = () => verdict(webhooks.check('play', SUBJECT, NO_QUERY));
  const remembered = ask();
  posts[0]?.answer(200, '0');
  expect([await remembered, await ask(), posts.length]).toEqual(['let in', 'let in', 1]);
  webhooks.use(serverOf({ url: 'https://other.example/', secret: `${SECRET}-2`, playOnFailure: 'allow' }));
  const late = ask();
  webhooks.use(serverOf({ url: 'https://third.example/' }));
  const last = ask();
  expect(posts.map(({ url }) => url.host)).toEqual(['hooks.example', 'other.example', 'third.example']);
  // A failure of it counts by its own policy.
  posts[1]?.fail(new TidewayError('webhook.timeout', 'late'));
  posts[2]?.answer(200, '1');
  expect([await late, await last, await ask()]).toEqual([
    ...['let in', 'auth.webhook-denied', 'auth.webhook-denied'],
  ]);
  expect(posts).toHaveLength(3);
  webhooks.ended('play', SUBJECT);
  expect([posts[3]?.url.host, bodyOf(3).action]).toEqual(['third.example', 'on_stop']);
  const signedBy = (at: number, secret: string) => {
    const [, atS, given] = /^t=(\d+),v1=(.+)$/.exec(posts[at]?.headers['X-Tideway-Signature'] ?? '') ?? [];
    return createHmac('sha256', secret).update(`${atS}.${posts[at]?.body}`).digest('hex') === given;
  };
  expect([signedBy(1, `${SECRET}-2`), signedBy(1, SECRET), signedBy(3, SECRET)]).toEqual([true, false, true]);
  expect(webhooks.counts.map(({ call, result, count }) => `${call} ${result} ${count}`).sort()).toEqual([
    ...['on_play allowed 1', 'on_play denied 1', 'on_play webhook.timeout 1'],
  ]);
});

test('an answer that comes when its server is no longer asked is not remembered', async () => {
  const webhooks = webhooksOf();
  const ask = () => verdict(webhooks.check('publish', SUBJECT, NO_QUERY));
  const first = ask();
  webhooks.use(serverOf());
  posts[0]?.answer(200, '0');
  expect(await first).toBe('let in');
  const second = ask();
  expect(posts).toHaveLength(2);
  posts[1]?.answer(200, '1');
  expect(await second).toBe('auth.webhook-denied');
});

test('where there never was a server, nobody is let in, and nobody is told', async () => {
  const webhooks = new Webhooks(undefined, { clock, log, node: 'a' });
  expect(await verdict(webhooks.check('play', SUBJECT, NO_QUERY))).toBe('auth.webhook-failed');
  webhooks.ended('play', SUBJECT);
  expect([posts, webhooks.counts]).toEqual([[], []]);
});

test('tells of failures once in 10 s, without the URL and the secret', async () => {
  const webhooks = webhooksOf({ url: 'https://hooks.example/?token=hush' });
  for (let at = 0; at < 3; at += 1) {
    const asked = verdict(webhooks.check('publish', SUBJECT, NO_QUERY));
    posts[at]?.answer(500, 'hush');
    await asked;
    if (at === 1) clock.advance(10_000);
  }
  const detail = 'the webhook answers with the status 500';
  expect(log.of('webhook.failed')).toEqual([
    { call: 'on_publish', code: 'webhook.status', detail, suppressed: 0 },
    { call: 'on_publish', code: 'webhook.status', detail, suppressed: 1 },
  ]);
  expect(JSON.stringify(log.lines)).not.toContain('hush');
});
