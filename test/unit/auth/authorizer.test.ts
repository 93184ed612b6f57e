import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { type Asker, type AuthOptions, Authorizer } from '../../../src/auth/authorizer.ts';
import { sharedKey } from '../../../src/auth/jwt.ts';
import type { AuthRule, Way } from '../../../src/auth/rules.ts';
import { sign } from '../../../src/auth/signed-url.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';

const NOW_S = 1_800_000_000;
const KEY = { id: 'k1', secret: 'signing-secret-of-sixteen' };
const TOKEN_SECRET = 'token-secret-of-sixteen';

function authorizerOf(options: Partial<AuthOptions>): Authorizer {
  return new Authorizer(
    {
      ...{ publishSecret: undefined, maxAheadS: 3_600, keys: [KEY] },
      jwt: { ...sharedKey(TOKEN_SECRET), audience: 'tideway' },
      ...options,
    },
    { wallMs: () => NOW_S * 1000 },
  );
}

function asker(
  query: string,
  { stream = 'live/cam', ...more }: Partial<Asker> & { stream?: string } = {},
): Asker {
  const [app = '', name = ''] = stream.split('/');
  return {
    ...{ key: parseStreamKey(app, name), query: new URLSearchParams(query) },
    ...{ protocol: 'http-flv', remote: '203.0.113.7:5555', session: 'abcdefghijkl' },
    ...more,
  };
}

async function refusal(asked: Promise<unknown>): Promise<TidewayError | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (error instanceof TidewayError) return error;
    throw error;
  }
}

function rule(match: string, ...allow: Way[]): AuthRule {
  return { match, allow };
}

function signedQuery(action: 'publish' | 'play', more: { expiresS?: number } = {}, by = KEY): string {
  const key = parseStreamKey('live', 'cam');
  return sign({ action, key, expiresS: NOW_S + 60, address: undefined, ...more }, by).toString();
}

function token(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT({ aud: 'tideway', exp: NOW_S + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(TOKEN_SECRET));
}

describe('without rules', () => {
  test('everyone may publish and play, and it says that it guards nothing', async () => {
    const authorizer = authorizerOf({});
    expect(authorizer.guardsPublish).toBe(false);
    expect(await authorizer.admitPublisher(asker(''))).toEqual({ way: 'open', isByHeader: false });
    expect(await authorizer.admitPlayer(asker('key=whatever&tw_sig=broken'))).toMatchObject({ way: 'open' });
  });

  test('with a secret those publish who give exactly it, and everyone plays', async () => {
    const authorizer = authorizerOf({ publishSecret: 'Grüße & mehr' });
    expect(authorizer.guardsPublish).toBe(true);
    const right = asker(`vhost=x&key=${encodeURIComponent('Grüße & mehr')}`);
    expect(await authorizer.admitPublisher(right)).toMatchObject({ way: 'secret' });
    expect(await authorizer.admitPlayer(asker(''))).toMatchObject({ way: 'open' });
    for (const query of [
      ...['', 'key=', 'key=Gr', 'key=grüße+%26+mehr', 'secret=Grüße', `key=${'x'.repeat(10_000)}`],
      signedQuery('publish'),
    ]) {
      expect((await refusal(authorizer.admitPublisher(asker(query))))?.code, query).toBe('publish.denied');
    }
  });

  test('who gave none is told what to append, and no secret is repeated, given or wanted', async () => {
    const authorizer = authorizerOf({ publishSecret: 'wanted-secret' });
    const missing = await refusal(authorizer.admitPublisher(asker('')));
    expect(missing?.message).toContain('?key=');
    const wrong = await refusal(authorizer.admitPublisher(asker('key=given-secret')));
    expect(wrong?.message).not.toBe(missing?.message);
    expect(JSON.stringify([wrong?.message, wrong?.fields])).not.toMatch(/given|wanted/);
    expect(JSON.stringify(authorizer)).not.toContain('wanted');
  });
});

describe('with rules', () => {
  test('the first that matches counts, and what none matches is closed', async () => {
    const play = [rule('live/vip*', 'none'), rule('live/*', 'open')];
    const authorizer = authorizerOf({ play });
    const code = async (stream: string) =>
      (await refusal(authorizer.admitPlayer(asker('', { stream }))))?.code;
    expect(await code('live/cam')).toBe(undefined);
    expect(await code('live/vip1')).toBe('auth.closed');
    expect(await code('other/cam')).toBe('auth.closed');
  });

  test('it guards publishing unless a rule lets anybody publish something', () => {
    expect(authorizerOf({ publish: [rule('*', 'signed')] }).guardsPublish).toBe(true);
    expect(authorizerOf({ publish: [rule('a/*', 'signed'), rule('t/*', 'open')] }).guardsPublish).toBe(false);
  });

  test('a signed URL is for its action, and for players at any door', async () => {
    const rules = [rule('*', 'signed')];
    const authorizer = authorizerOf({ publish: rules, play: rules });
    expect(await authorizer.admitPlayer(asker(signedQuery('play')))).toMatchObject({ way: 'signed' });
    expect((await refusal(authorizer.admitPublisher(asker(signedQuery('play')))))?.code).toBe(
      'auth.signature',
    );
    expect((await refusal(authorizer.admitPlayer(asker(signedQuery('publish')))))?.code).toBe(
      'auth.signature',
    );
    const other = asker(signedQuery('play'), { stream: 'live/cam2' });
    expect((await refusal(authorizer.admitPlayer(other)))?.code).toBe('auth.signature');
  });

  test('a token comes in the query, once, or as a bearer token', async () => {
    const authorizer = authorizerOf({ play: [rule('*', 'jwt')] });
    const given = await token({ play: '*' });
    expect(await authorizer.admitPlayer(asker(`tw_token=${given}`))).toEqual({
      way: 'jwt',
      isByHeader: false,
    });
    const byHeader = asker('', { authorization: `Bearer ${given}` });
    expect(await authorizer.admitPlayer(byHeader)).toEqual({ way: 'jwt', isByHeader: true });
    const twice = asker(`tw_token=${given}&tw_token=${given}`);
    expect((await refusal(authorizer.admitPlayer(twice)))?.code).toBe('auth.malformed');
    const basic = asker('', { authorization: `Basic ${given}` });
    expect((await refusal(authorizer.admitPlayer(basic)))?.code).toBe('auth.missing');
    const wrong = asker('tw_token=a.b.c', { authorization: `Bearer ${given}` });
    expect((await refusal(authorizer.admitPlayer(wrong)))?.code).toBe('auth.token');
  });

  test('any of several ways will do, the first refusal is told, and who gives nothing is told what is wanted', async () => {
    const authorizer = authorizerOf({ play: [rule('*', 'signed', 'jwt')] });
    const expired = signedQuery('play', { expiresS: NOW_S - 60 });
    const both = asker(`${expired}&tw_token=${await token({ play: '*' })}`);
    expect(await authorizer.admitPlayer(both)).toMatchObject({ way: 'jwt' });
    const neither = asker(`${expired}&tw_token=a.b.c`);
    expect((await refusal(authorizer.admitPlayer(neither)))?.code).toBe('auth.expired');
    const missing = await refusal(authorizer.admitPlayer(asker('')));
    expect(missing?.code).toBe('auth.missing');
    expect(missing?.message).toBe(
      'to play live/cam, this node wants a signed URL (tw_sig) or a token (tw_token, or a bearer token by HTTP)',
    );
  });

  test('from one moment on others are let in, who asked before is judged by what counted then, and counts go on', async () => {
    const later = { id: 'k2', secret: 'signing-secret-of-twenty-two' };
    const play = [rule('*', 'signed', 'jwt')];
    const jwt = { ...sharedKey(TOKEN_SECRET), audience: 'tideway' };
    const authorizer = authorizerOf({ publishSecret: 'old-secret', play });
    const old = asker(signedQuery('play'));
    const fresh = asker(signedQuery('play', {}, later));
    const code = async (asked: Promise<unknown>) => (await refusal(asked))?.code ?? 'let in';
    const codes = async () => [
      ...[await code(authorizer.admitPlayer(old)), await code(authorizer.admitPlayer(fresh))],
      ...[await code(authorizer.admitPublisher(asker('key=old-secret')))],
    ];
    expect(await codes()).toEqual(['let in', 'auth.unknown-key', 'let in']);
    const both = { publishSecret: 'new-secret', play, jwt, maxAheadS: 3_600, keys: [later, KEY] };
    authorizer.use(both);
    expect(await codes()).toEqual(['let in', 'let in', 'publish.denied']);
    const underWay = authorizer.admitPlayer(asker(`tw_token=${await token({ play: '*' })}`));
    authorizer.use({ ...both, keys: [later], play: [rule('*', 'signed')] });
    expect(await codes()).toEqual(['auth.unknown-key', 'let in', 'publish.denied']);
    expect(await underWay).toMatchObject({ way: 'jwt' });
    expect(authorizer.counts).toEqual({
      admitted: [
        { action: 'play', way: 'signed', count: 4 },
        { action: 'publish', way: 'secret', count: 1 },
        { action: 'play', way: 'jwt', count: 1 },
      ],
      refused: [
        { action: 'play', code: 'auth.unknown-key', count: 2 },
        { action: 'publish', code: 'publish.denied', count: 2 },
      ],
    });
  });

  test('the end of what begins is told where a rule for its stream says webhook', () => {
    const authorizer = authorizerOf({
      publish: [rule('live/*', 'signed', 'webhook')],
      play: [rule('*', 'open')],
    });
    const told = () => [
      ...[authorizer.tellsEnd('publish', parseStreamKey('live', 'cam'))],
      ...[authorizer.tellsEnd('publish', parseStreamKey('vod', 'cam'))],
      ...[authorizer.tellsEnd('play', parseStreamKey('live', 'cam'))],
    ];
    expect(told()).toEqual([true, false, false]);
    authorizer.use({ publishSecret: undefined, maxAheadS: 3_600, play: [rule('*', 'webhook')] });
    expect(told()).toEqual([false, false, true]);
  });

  test('who is let in and refused is counted, by action and reason', async () => {
    const authorizer = authorizerOf({ publish: [rule('*', 'signed')], play: [rule('*', 'open')] });
    await authorizer.admitPlayer(asker(''));
    await authorizer.admitPlayer(asker(''));
    await refusal(authorizer.admitPublisher(asker('')));
    expect(authorizer.counts).toEqual({
      admitted: [{ action: 'play', way: 'open', count: 2 }],
      refused: [{ action: 'publish', code: 'auth.missing', count: 1 }],
    });
  });
});
