// JSON Web Tokens that let somebody in (RFC 7519): who may publish or play which streams, until when. What is pinned is
// never read from the token: its key says the one algorithm. Nothing is logged.
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { TidewayError } from '../base/errors.ts';
import { isLike } from '../base/glob.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Action } from './rules.ts';

/** What tokens are checked with. */
export interface JwtKey {
  readonly key: KeyObject;
  /** The only one that is taken. */
  readonly algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA';
}

export interface JwtOptions extends JwtKey {
  /** What `aud` has to name. */
  readonly audience: string;
  /** A token that is good for longer is refused, s. */
  readonly maxAheadS: number;
}

const MAX_TOKEN_CHARS = 4_096;
const MAX_PATTERNS = 100;
const MAX_PATTERN_CHARS = 129;
const SKEW_S = 5;
const MIN_RSA_BITS = 2_048;
/** Three parts of base64url, none of them empty: unsigned ones are none. */
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The key of a secret that whoever makes tokens shares: HS256. */
export function sharedKey(secret: string): JwtKey {
  return { key: createSecretKey(Buffer.from(secret)), algorithm: 'HS256' };
}

/**
 * The public key of whoever makes tokens; its kind says the algorithm.
 * @param pem SubjectPublicKeyInfo in PEM: "BEGIN PUBLIC KEY"
 * @throws TidewayError `auth.key`; nothing of the text is repeated
 */
export function publicKey(pem: string): JwtKey {
  // Node would take the public part out of a private key, which has no place on this machine.
  if (!/^-----BEGIN PUBLIC KEY-----/m.test(pem) || pem.includes('PRIVATE'))
    throw unfit('it is no PEM public key');
  const key = readKey(pem);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < MIN_RSA_BITS) throw unfit(`RSA keys have at least ${MIN_RSA_BITS} bits`);
      return { key, algorithm: 'RS256' };
    case 'ec':
      if (namedCurve !== 'prime256v1') throw unfit('the curve of EC keys is P-256');
      return { key, algorithm: 'ES256' };
    case 'ed25519':
      return { key, algorithm: 'EdDSA' };
    default:
      throw unfit('it is neither RSA nor EC P-256 nor Ed25519');
  }
}

/**
 * Does the token let its bearer do this?
 * @throws TidewayError `auth.malformed`, `auth.token`, `auth.audience`, `auth.expired`, `auth.early`, `auth.too-far`,
 *   `auth.not-granted`; nothing of the token is repeated
 */
export async function checkToken(
  token: string,
  { action, key }: { readonly action: Action; readonly key: StreamKey },
  options: JwtOptions & { readonly nowWallMs: number },
): Promise<void> {
  if (token.length > MAX_TOKEN_CHARS) throw malformed(`it is over ${MAX_TOKEN_CHARS} characters`);
  if (!FORM.test(token)) throw malformed('it is no signed JWT');
  const payload = await verified(token, options);
  const { exp = 0 } = payload;
  if (exp - options.nowWallMs / 1000 > options.maxAheadS + SKEW_S) {
    const message = `the token is good for longer than this node takes, which is ${options.maxAheadS} s`;
    throw new TidewayError('auth.too-far', message);
  }
  if (!patternsOf(payload[action], action).some((pattern) => isLike(key, pattern))) {
    throw new TidewayError('auth.not-granted', `the token does not let its bearer ${action} ${key}`);
  }
}

async function verified(
  token: string,
  { key, algorithm, audience, nowWallMs }: JwtOptions & { readonly nowWallMs: number },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [algorithm],
      audience,
      requiredClaims: ['exp', 'aud'],
      clockTolerance: SKEW_S,
      currentDate: new Date(nowWallMs),
    });
    return payload;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** What is wrong with a token whose signature is right may be told; of others only that it is wrong. */
function refusalOf(error: unknown): TidewayError {
  if (error instanceof errors.JWTExpired) {
    return new TidewayError('auth.expired', 'the token has expired: get a new one');
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return new TidewayError('auth.early', 'the token is not good yet');
    if (error.claim === 'aud')
      return new TidewayError('auth.audience', 'the token is for somebody else: see its aud');
    return malformed('it has to have exp and aud, as numbers and text');
  }
  return new TidewayError('auth.token', 'the token is not one that this node trusts');
}

/** A claim of stream patterns: one, or a list. */
function patternsOf(claim: unknown, action: Action): readonly string[] {
  const patterns: readonly unknown[] = Array.isArray(claim) ? claim : claim === undefined ? [] : [claim];
  if (patterns.length > MAX_PATTERNS || !patterns.every(isPattern)) {
    throw malformed(`its claim ${action} is to be up to ${MAX_PATTERNS} patterns of stream keys`);
  }
  return patterns;
}

function isPattern(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_PATTERN_CHARS;
}

function readKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw unfit('it can not be read');
  }
}

function malformed(what: string): TidewayError {
  return new TidewayError('auth.malformed', `the token can't be read: ${what}`);
}

function unfit(why: string): TidewayError {
  return new TidewayError('auth.key', `auth.jwt.publicKeyFile can't be used: ${why}`);
}
