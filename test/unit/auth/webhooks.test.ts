import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
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

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  posts = [];
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

test('it calls 32 times at once, lets 1,000 wait up to 2 s, and refuses more at once', async () => {
  const webhooks = webhooksOf();
  const ask = (at: number) =>
    verdict(
      webhooks.check(
        'publish',
        { ...SUBJECT, remote: `198.51.100.7:1` },
        new URLSearchParams({ at: `${at}` }),
      ),
    );
  const asked = Array.from({ length: 1_032 }, (_, at) => ask(at));
  expect(posts).toHaveLength(32);
  expect(await ask(2_000)).toBe('auth.webhook-failed');
  const entries = () => webhooks.tables.map(({ table, entries: count }) => [table, count]);
  expect(entries()).toEqual([
    ['webhook_calls', 32],
    ['webhook_waiting', 1_000],
    ['webhook_answers', 0],
  ]);
  clock.advance(500);
  posts[0]?.answer(200, '0');
  expect(await asked[0]).toBe('let in');
  await settled();
  expect(posts).toHaveLength(33);
  expect(posts[32]?.timeoutMs).toBe(1_500);
  clock.advance(1_500);
  expect(await asked[33]).toBe('auth.webhook-failed');
  expect(await asked[1_031]).toBe('auth.webhook-failed');
  for (const post of posts.slice(1)) post.answer(200, '0');
  expect(await Promise.all(asked.slice(0, 33))).toEqual(new Array(33).fill('let in'));
  await settled();
  expect(entries()[0]).toEqual(['webhook_calls', 0]);
  expect(clock.timerCount).toBe(0);
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
  expect(webhooks.counts.map(({ call, result, count }) => `${call} ${result} ${count}`)).toEqual([
    ...['on_play allowed 1', 'on_play webhook.timeout 1', 'on_play denied 1'],
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
