import { createHmac, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { checkToken, type JwtKey, publicKey, sharedKey } from '../../../src/auth/jwt.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';

const NOW_S = 1_800_000_000;
const SECRET = 'shared-secret-of-tokens';
const CAM = parseStreamKey('live', 'cam');
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');
const RSA_PEM = String(RSA.publicKey.export({ type: 'spki', format: 'pem' }));
const HS: JwtKey = sharedKey(SECRET);

const CLAIMS = { aud: 'tideway', exp: NOW_S + 60, publish: 'live/*' };

async function verdict(
  token: string,
  { key = HS, action = 'publish' }: { key?: JwtKey; action?: 'publish' | 'play' } = {},
): Promise<string> {
  const options = { ...key, audience: 'tideway', maxAheadS: 3_600, nowWallMs: NOW_S * 1000 };
  try {
    await checkToken(token, { action, key: CAM }, options);
    return 'let in';
  } catch (error) {
    if (!(error instanceof TidewayError)) throw error;
    if (token !== '') expect(error.message).not.toContain(token.slice(-20));
    return error.code;
  }
}

function signed(
  claims: Record<string, unknown>,
  { alg = 'HS256', key = Buffer.from(SECRET) as Parameters<SignJWT['sign']>[0] } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token with any header, signed by HMAC with any bytes. */
function forged(header: object, claims: object, secret: string | Buffer = SECRET): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

test('a token lets its bearer do what its claims say, with streams that are like their patterns', async () => {
  expect(await verdict(await signed(CLAIMS))).toBe('let in');
  expect(await verdict(await signed(CLAIMS), { action: 'play' })).toBe('auth.not-granted');
  expect(await verdict(await signed({ ...CLAIMS, publish: ['x/y', 'live/cam'] }))).toBe('let in');
  expect(await verdict(await signed({ ...CLAIMS, publish: ['live/ca', 'other/*'] }))).toBe(
    'auth.not-granted',
  );
  expect(await verdict(await signed({ ...CLAIMS, publish: [] }))).toBe('auth.not-granted');
  expect(await verdict(await signed({ ...CLAIMS, aud: ['other', 'tideway'] }))).toBe('let in');
});

test.each([
  ['expired', { exp: NOW_S - 5 }, 'auth.expired'],
  ['expired within the skew', { exp: NOW_S - 4 }, 'let in'],
  ['without an expiry', { exp: undefined }, 'auth.malformed'],
  ['with an expiry that is text', { exp: String(NOW_S + 60) }, 'auth.malformed'],
  ['good for too long', { exp: NOW_S + 3_606 }, 'auth.too-far'],
  ['not good yet', { nbf: NOW_S + 6 }, 'auth.early'],
  ['for somebody else', { aud: 'other' }, 'auth.audience'],
  ['for nobody', { aud: undefined }, 'auth.audience'],
  ['with a claim that is no pattern', { publish: [1] }, 'auth.malformed'],
  ['with a claim that is an object', { publish: { match: '*' } }, 'auth.malformed'],
  ['with a pattern that is too long', { publish: '*'.repeat(130) }, 'auth.malformed'],
  ['with too many patterns', { publish: new Array(101).fill('*') }, 'auth.malformed'],
])('one %s', async (_what, claims, wanted) => {
  expect(await verdict(forged({ alg: 'HS256' }, { ...CLAIMS, ...claims }))).toBe(wanted);
});

describe('the key says the algorithm', () => {
  const RS = publicKey(RSA_PEM);

  test.each([
    ['RS256', RSA],
    ['ES256', EC],
    ['EdDSA', ED],
  ])('%s by the kind of the public key', async (alg, pair) => {
    const key = publicKey(String(pair.publicKey.export({ type: 'spki', format: 'pem' })));
    expect(key.algorithm).toBe(alg);
    expect(await verdict(await signed(CLAIMS, { alg, key: pair.privateKey }), { key })).toBe('let in');
  });

  test.each([
    ['an HMAC with the text of the public key', forged({ alg: 'HS256' }, CLAIMS, RSA_PEM)],
    [
      'an HMAC with the bytes of the public key',
      forged({ alg: 'HS256' }, CLAIMS, RSA.publicKey.export({ type: 'spki', format: 'der' })),
    ],
    ['an HMAC that calls itself RS256', forged({ alg: 'RS256' }, CLAIMS, RSA_PEM)],
    ['none, with a signature', forged({ alg: 'none' }, CLAIMS)],
    ['None, with a signature', forged({ alg: 'None' }, CLAIMS)],
    ['no algorithm', forged({}, CLAIMS)],
    ['a list of algorithms', forged({ alg: ['RS256'] }, CLAIMS)],
    [
      'a key that it brings along',
      forged({ alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }, CLAIMS, Buffer.alloc(3)),
    ],
    ['a critical extension', forged({ alg: 'RS256', crit: ['x'], x: 1 }, CLAIMS)],
  ])('%s is not trusted', async (_what, token) => {
    expect(await verdict(token, { key: RS })).toBe('auth.token');
  });

  test('another algorithm of the same key, and another key, are not trusted', async () => {
    expect(await verdict(await signed(CLAIMS, { alg: 'PS256', key: RSA.privateKey }), { key: RS })).toBe(
      'auth.token',
    );
    const long = Buffer.from(SECRET.repeat(3));
    expect(
      await verdict(await signed(CLAIMS, { alg: 'HS512', key: long }), { key: sharedKey(SECRET.repeat(3)) }),
    ).toBe('auth.token');
    expect(await verdict(forged({ alg: 'HS256' }, CLAIMS, 'another-secret-of-tokens'))).toBe('auth.token');
  });

  test.each([
    ['without a signature', `${base64url({ alg: 'none' })}.${base64url(CLAIMS)}.`],
    ['encrypted', 'a.b.c.d.e'],
    ['empty', ''],
    ['huge', `${'a'.repeat(4_096)}.b.c`],
    ['with padding', `${forged({ alg: 'HS256' }, CLAIMS)}=`],
  ])('one that is %s is not looked at', async (_what, token) => {
    expect(await verdict(token)).toBe('auth.malformed');
  });

  test('a payload that is no object of claims is not trusted', async () => {
    for (const claims of [[], 'text', null])
      expect(await verdict(forged({ alg: 'HS256' }, claims as object))).toBe('auth.token');
  });
});

test.each([
  ['a private key', String(RSA.privateKey.export({ type: 'pkcs8', format: 'pem' }))],
  ['nothing', ''],
  [
    'a short RSA key',
    String(
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }),
    ),
  ],
  [
    'another curve',
    String(
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' }),
    ),
  ],
  ['another kind', String(generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }))],
  ['a broken one', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'],
])('%s is no key to check tokens with', (_what, pem) => {
  expect(() => publicKey(pem)).toThrow(expect.objectContaining({ code: 'auth.key' }));
});
