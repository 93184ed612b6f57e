// Signed URLs: an HMAC-SHA-256 over what somebody may do, with which stream, until when and from where. Made and checked
// here. Pure: the time and the keys come in by hand; nothing is logged.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { isAddressOrNetwork, Networks } from './networks.ts';
import type { Action } from './rules.ts';

/** A key that signs. Several are live at once, so that one can be put out of use without refusing anybody. */
export interface SigningKey {
  readonly id: string;
  readonly secret: string;
}

/** What a signature is for. */
export interface Grant {
  readonly action: Action;
  readonly key: StreamKey;
  /** Unix time, s. */
  readonly expiresS: number;
  /** Address, or network in CIDR form, that it may be used from; undefined: any. */
  readonly address: string | undefined;
}

/** What is to be checked against the signature that comes with it. */
export interface SignedRequest {
  readonly action: Action;
  readonly key: StreamKey;
  readonly query: URLSearchParams;
  /** Of who asks. */
  readonly address: string;
}

const EXPIRES = 'tw_exp';
const KEY_ID = 'tw_kid';
const ADDRESS = 'tw_ip';
const SIGNATURE = 'tw_sig';
const PARAMETERS: readonly string[] = [EXPIRES, KEY_ID, ADDRESS, SIGNATURE];

/** In front of what is signed: another form has another one, and no signature of the one is one of the other. */
const FORM = 'tideway-url-1';
const DIGITS = /^[1-9]\d{0,14}$/;
const KEY_ID_FORM = /^[A-Za-z0-9_.-]{1,64}$/;
/** The 32 bytes of an HMAC-SHA-256 as base64url. */
const SIGNATURE_FORM = /^[A-Za-z0-9_-]{43}$/;
/** Clocks of nodes, and of who signs, may be apart by so much. */
const SKEW_S = 5;

/** The parameters that let somebody in. */
export function sign(grant: Grant, { id, secret }: SigningKey): URLSearchParams {
  const { expiresS, address = '' } = grant;
  const query = new URLSearchParams({ [EXPIRES]: String(expiresS), [KEY_ID]: id });
  if (address !== '') query.set(ADDRESS, address);
  query.set(SIGNATURE, signatureOf({ ...grant, id, address }, secret));
  return query;
}

/** Does the query have anything of a signed URL? */
export function isSigned(query: URLSearchParams): boolean {
  for (const name of query.keys()) if (PARAMETERS.includes(name.toLowerCase())) return true;
  return false;
}

/**
 * Checks the signature first of all that depends on a secret, so that who has none learns nothing from the other answers.
 * @param options.maxAheadS a signature that is good for longer is refused, s
 * @throws TidewayError `auth.malformed`, `auth.unknown-key`, `auth.signature`, `auth.expired`, `auth.too-far`, `auth.address`
 */
export function checkSigned(
  request: SignedRequest,
  keys: readonly SigningKey[],
  { nowWallMs, maxAheadS }: { readonly nowWallMs: number; readonly maxAheadS: number },
): void {
  const { id, expires, address, signature } = partsOf(request.query);
  const key = keys.find((known) => known.id === id);
  if (!key) throw new TidewayError('auth.unknown-key', `this node has no key of the id that ${KEY_ID} names`);
  const expiresS = Number(expires);
  const wanted = signatureOf({ ...request, id, expiresS, address }, key.secret);
  if (!timingSafeEqual(Buffer.from(signature, 'latin1'), Buffer.from(wanted, 'latin1'))) {
    const message = `the signature is not one for this: to ${request.action} ${request.key}`;
    throw new TidewayError('auth.signature', message);
  }
  const leftS = expiresS - nowWallMs / 1000;
  if (leftS <= -SKEW_S) throw new TidewayError('auth.expired', 'the signed URL has expired: get a new one');
  if (leftS > maxAheadS + SKEW_S) {
    const message = `the signed URL is good for longer than this node takes, which is ${maxAheadS} s`;
    throw new TidewayError('auth.too-far', message);
  }
  if (address !== '' && !new Networks([address]).has(request.address)) {
    throw new TidewayError('auth.address', 'the signed URL is for another address than the one it came from');
  }
}

interface Parts {
  readonly id: string;
  readonly expires: string;
  /** '': any. */
  readonly address: string;
  readonly signature: string;
}

/** Each parameter once at most, by its exact name, in the one form that it has: nothing can be read in two ways. */
function partsOf(query: URLSearchParams): Parts {
  const found = new Map<string, string>();
  for (const [name, value] of query) {
    if (!PARAMETERS.includes(name.toLowerCase())) continue;
    if (!PARAMETERS.includes(name)) throw malformed('the names of its parameters are in lower case');
    if (found.has(name)) throw malformed(`${name} is given more than once`);
    found.set(name, value);
  }
  const id = found.get(KEY_ID) ?? '';
  const expires = found.get(EXPIRES) ?? '';
  const address = found.get(ADDRESS) ?? '';
  const signature = found.get(SIGNATURE) ?? '';
  if (!DIGITS.test(expires)) throw malformed(`${EXPIRES} is to be a Unix time in seconds`);
  if (!KEY_ID_FORM.test(id)) throw malformed(`${KEY_ID} is to be the id of a key`);
  if (found.has(ADDRESS) && !isAddressOrNetwork(address)) {
    throw malformed(`${ADDRESS} is to be an address or a network`);
  }
  if (!SIGNATURE_FORM.test(signature)) throw malformed(`${SIGNATURE} is to be 43 characters of base64url`);
  return { id, expires, address, signature };
}

function malformed(what: string): TidewayError {
  return new TidewayError('auth.malformed', `the signed URL can't be read: ${what}`);
}

/** One line for each part, in fixed order: none of them can hold a line break, so no two grants have the same lines. */
function signatureOf(
  {
    action,
    key,
    expiresS,
    id,
    address,
  }: Omit<Grant, 'address'> & { readonly id: string; readonly address: string },
  secret: string,
): string {
  const lines = [FORM, action, key, String(expiresS), id, address];
  return createHmac('sha256', secret).update(lines.join('\n')).digest('base64url');
}
