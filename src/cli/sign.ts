// `tideway sign`: a signed URL for somebody who is to publish or play. It asks no node, and never shows a secret.
import { type Grant, type SigningKey, sign } from '../auth/signed-url.ts';
import { TidewayError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Invocation } from './invocation.ts';

type SignOrder = Extract<Invocation, { readonly run: 'sign' }>;

/**
 * The URL, or the query alone.
 * @throws TidewayError `cli.usage` if there is no such key, or nodes would refuse it for being good for too long
 */
export function signed(order: SignOrder, { auth }: Pick<Config, 'auth'>, nowWallMs: number): string {
  const { action, key, forSeconds, address, keyId, url } = order;
  if (forSeconds > auth.maxSeconds) {
    throw usage(`--expires: nodes take at most auth.maxSeconds, which is ${auth.maxSeconds} s`);
  }
  const expiresS = Math.floor(nowWallMs / 1000) + forSeconds;
  const grant: Grant = { action, key, expiresS, address };
  const query = sign(grant, keyOf(auth.keys ?? [], keyId));
  return url === undefined ? query.toString() : `${urlOf(url, key)}?${query}`;
}

function keyOf(keys: readonly SigningKey[], id: string | undefined): SigningKey {
  const key = id === undefined ? keys[0] : keys.find((known) => known.id === id);
  if (key) return key;
  if (keys.length === 0)
    throw usage('there is no key to sign with: give auth.keys, in TIDEWAY_AUTH_KEYS or --config');
  throw usage(`--key-id: auth.keys has ${keys.map((known) => known.id).join(', ')}`);
}

function urlOf(base: string, key: string): string {
  const at = `${base.replace(/\/$/, '')}/${key}`;
  return /^rtmps?:/i.test(base) ? at : `${at}.flv`;
}

function usage(message: string): TidewayError {
  return new TidewayError('cli.usage', message);
}
