import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checkSigned, isSigned, type SigningKey, sign } from '../../../src/auth/signed-url.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';

const OLD: SigningKey = { id: 'k1', secret: 'first-secret-of-sixteen' };
const NEW: SigningKey = { id: 'k2', secret: 'second-secret-of-sixteen' };
const NOW_S = 1_800_000_000;
const CAM = parseStreamKey('live', 'cam');
const GRANT = { action: 'publish', key: CAM, expiresS: NOW_S + 60, address: undefined } as const;

/** Why it is refused; 'let in' where it is not. */
function verdict(
  query: string | URLSearchParams,
  {
    action = 'publish',
    key = CAM,
    address = '203.0.113.7',
    nowS = NOW_S,
    keys = [NEW, OLD],
  }: {
    action?: 'publish' | 'play';
    key?: typeof CAM;
    address?: string;
    nowS?: number;
    keys?: readonly SigningKey[];
  } = {},
): string {
  try {
    const request = { action, key, query: new URLSearchParams(query), address };
    checkSigned(request, keys, { nowWallMs: nowS * 1000, maxAheadS: 3_600 });
    return 'let in';
  } catch (error) {
    if (!(error instanceof TidewayError)) throw error;
    expect(error.message + JSON.stringify(error.fields)).not.toMatch(/secret-of|tw_sig=|[\w-]{43}/);
    return error.code;
  }
}

function query(more: Partial<Parameters<typeof sign>[0]> = {}, key = NEW): URLSearchParams {
  return sign({ ...GRANT, ...more }, key);
}

/** The query with some of it replaced, as text. */
function changed(from: RegExp, to: string): string {
  const text = query().toString();
  const after = text.replace(from, to);
  expect(after).not.toBe(text);
  return after;
}

test('a signature is an HMAC-SHA-256 of documented lines, which anybody can make', () => {
  const lines = ['tideway-url-1', 'publish', 'live/cam', '1800000060', 'k2', '10.1.0.0/16'].join('\n');
  const signature = createHmac('sha256', NEW.secret).update(lines).digest('base64url');
  expect(query({ address: '10.1.0.0/16' }).toString()).toBe(
    `tw_exp=1800000060&tw_kid=k2&tw_ip=10.1.0.0%2F16&tw_sig=${signature}`,
  );
});

test('either of two live keys lets in, and one that is gone does not', () => {
  expect(verdict(query())).toBe('let in');
  expect(verdict(query({}, OLD))).toBe('let in');
  expect(verdict(query({}, OLD), { keys: [NEW] })).toBe('auth.unknown-key');
  expect(verdict(query({}, { id: 'k1', secret: 'another-secret-of-sixteen' }))).toBe('auth.signature');
  expect(verdict(query({}, { id: 'k1', secret: NEW.secret }))).toBe('auth.signature');
});

test('it is good for its action and its stream only', () => {
  expect(verdict(query(), { action: 'play' })).toBe('auth.signature');
  expect(verdict(query(), { key: parseStreamKey('live', 'cam2') })).toBe('auth.signature');
  expect(verdict(query(), { key: parseStreamKey('Live', 'cam') })).toBe('auth.signature');
  expect(verdict(query({ action: 'play' }), { action: 'play' })).toBe('let in');
});

test('it is good until its time, a skew of 5 s allowed, and not for longer than the node takes', () => {
  expect(verdict(query(), { nowS: NOW_S + 64 })).toBe('let in');
  expect(verdict(query(), { nowS: NOW_S + 65 })).toBe('auth.expired');
  expect(verdict(query({ expiresS: NOW_S + 3_600 }))).toBe('let in');
  expect(verdict(query({ expiresS: NOW_S + 3_606 }))).toBe('auth.too-far');
  expect(verdict(query({ expiresS: 999_999_999_999_999 }))).toBe('auth.too-far');
});

test.each([
  ['203.0.113.7', '203.0.113.7', 'let in'],
  ['203.0.113.7', '::ffff:203.0.113.7', 'let in'],
  ['203.0.113.7', '203.0.113.8', 'auth.address'],
  ['203.0.113.0/24', '203.0.113.200', 'let in'],
  ['203.0.113.0/24', '203.0.114.1', 'auth.address'],
  ['2001:db8::/32', '2001:db8:0:0:1::', 'let in'],
  ['2001:DB8::1', '2001:db8:0:0::1', 'let in'],
  ['2001:db8::/32', '203.0.113.7', 'auth.address'],
  ['203.0.113.7', 'unknown', 'auth.address'],
])('one for %s is checked for who comes from %s: %s', (address, from, wanted) => {
  expect(verdict(query({ address }), { address: from })).toBe(wanted);
});

describe('what could be read in two ways', () => {
  const SIG = query().get('tw_sig') ?? '';
  test.each([
    ['an expiry twice', `tw_exp=1800000060&${query()}`],
    ['a signature twice', `${query()}&tw_sig=${SIG}`],
    ['an address twice', `${query({ address: '203.0.113.7' })}&tw_ip=0.0.0.0%2F0`],
    ['a name in capitals beside it', `${query()}&TW_EXP=1900000000`],
    ['a name in capitals', changed(/tw_exp/, 'tw_EXP')],
    ['a name in percent twice, and a second one', `${query()}&tw%5Fexp=1900000000`],
    ['an expiry with a sign', changed(/tw_exp=/, 'tw_exp=%2B')],
    ['an expiry with a space', changed(/tw_exp=/, 'tw_exp=+')],
    ['an expiry with a zero in front', changed(/tw_exp=/, 'tw_exp=0')],
    ['an expiry with a fraction', changed(/tw_exp=1800000060/, 'tw_exp=1800000060.0')],
    ['an expiry in another base', changed(/tw_exp=1800000060/, 'tw_exp=0x6b49d23c')],
    ['an expiry with an exponent', changed(/tw_exp=1800000060/, 'tw_exp=18e8')],
    ['no expiry', changed(/tw_exp=\d+&/, '')],
    ['an empty expiry', changed(/tw_exp=\d+/, 'tw_exp=')],
    ['other digits', changed(/tw_exp=\d+/, `tw_exp=${encodeURIComponent('١٨٠٠٠٠٠٠٦٠')}`)],
    ['a line break in the key id', changed(/tw_kid=k2/, 'tw_kid=k2%0A')],
    ['no key id', changed(/tw_kid=k2&/, '')],
    ['an empty address', `tw_ip=&${query()}`],
    ['an address that is none', `tw_ip=everywhere&${query()}`],
    ['an address with a line break', `tw_ip=203.0.113.7%0A&${query()}`],
    ['an IPv4-mapped address', `tw_ip=${encodeURIComponent('::ffff:203.0.113.7')}&${query()}`],
    ['a network with a zero in front', `tw_ip=10.0.0.0%2F08&${query()}`],
    ['no signature', changed(/&tw_sig=.*/, '')],
    ['an empty signature', changed(/tw_sig=.*/, 'tw_sig=')],
    ['padding', changed(/$/, '=')],
    ['a signature in percent twice', changed(/tw_sig=(.)/, 'tw_sig=%25$1')],
    ['a short signature', changed(/.$/, '')],
    ['a long signature', changed(/$/, 'A')],
  ])('%s is refused', (_what, text) => {
    expect(verdict(text)).toBe('auth.malformed');
  });

  test('another text of the same bytes is another signature', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = SIG.slice(-1);
    const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
    expect(Buffer.from(SIG.slice(0, -1) + twin, 'base64url')).toEqual(Buffer.from(SIG, 'base64url'));
    expect(verdict(changed(/.$/, twin))).toBe('auth.signature');
    expect(verdict(`tw_exp=1800000060&tw_kid=k2&tw_sig=${SIG.toLowerCase()}`)).toBe('auth.signature');
  });

  test('what is signed can not be moved between parameters, and an address can be neither added nor left out', () => {
    const bound = query({ address: '203.0.113.7' });
    expect(verdict(bound)).toBe('let in');
    bound.delete('tw_ip');
    expect(verdict(bound)).toBe('auth.signature');
    expect(verdict(`${query()}&tw_ip=203.0.113.7`)).toBe('auth.signature');
    expect(verdict(changed(/1800000060/, '1800000061'))).toBe('auth.signature');
  });
});

test('a query counts as signed with any of the parameters, of whatever case', () => {
  expect(isSigned(query())).toBe(true);
  expect(isSigned(new URLSearchParams('TW_SIG=x'))).toBe(true);
  expect(isSigned(new URLSearchParams('tw_hop=1&tw_session=abc&tw_token=x'))).toBe(false);
});
