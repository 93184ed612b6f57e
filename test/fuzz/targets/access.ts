// What lets somebody in: signed URLs, tokens, networks of addresses.
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { checkToken, sharedKey } from '../../../src/auth/jwt.ts';
import { isAddressOrNetwork, Networks, plainAddress } from '../../../src/auth/networks.ts';
import { checkSigned, isSigned, sign } from '../../../src/auth/signed-url.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { rule, type Target, wordsOf } from '../engine/target.ts';
import { outcomeOf } from './outcome.ts';

const KEY = parseStreamKey('live', 'demo');
const NOW_WALL_MS = 1_800_000_000_000;
const EXPIRES_S = NOW_WALL_MS / 1_000 + 60;
const MAX_AHEAD_S = 3_600;
const ADDRESS = '192.0.2.7';
const SIGNING = { id: 'k1', secret: 'the secret that signs in this fuzzer' };
const SECRET = 'the secret of the tokens of this fuzzer';
const AUDIENCE = 'tideway';

/** Signed URLs that are good, with an address and without. */
const good = [undefined, ADDRESS, '192.0.2.0/24'].map((address) =>
  sign({ action: 'play', key: KEY, expiresS: EXPIRES_S, address }, SIGNING),
);
const goodSigned = good.map(partsOf);

/** Queries for the corpus. */
export const signedQueries: readonly string[] = [...good.map(String), `${good[0]}&a=1&b=%26`];

export const signedUrls: Target = {
  name: 'signed-urls',
  covers: ['src/auth/signed-url.ts', 'src/auth/networks.ts'],
  maxBytes: 600,
  words: wordsOf(
    ...[
      '&',
      '=',
      '%00',
      '%0a',
      '+',
      '.',
      '-',
      '0',
      '9'.repeat(15),
      '1e9',
      'tw_exp=',
      'tw_kid=k1',
      'tw_ip=',
      'tw_sig=',
    ],
    ...['TW_SIG=', 'tw_kid=k2', '192.0.2.7', '0.0.0.0/0', '::/0', '/32', '::ffff:192.0.2.7', '&a=1', '%3D'],
  ),
  run(input) {
    const query = new URLSearchParams(input.toString('latin1'));
    const request = { action: 'play', key: KEY, query, address: ADDRESS } as const;
    const times = { nowWallMs: NOW_WALL_MS, maxAheadS: MAX_AHEAD_S };
    const checked = outcomeOf(() => checkSigned(request, [SIGNING], times));
    const isGood = goodSigned.includes(partsOf(query));
    rule(
      (checked.code === undefined) === isGood,
      `a query is let in: ${checked.code ?? 'yes'}, ours: ${isGood}`,
    );
    rule(!isGood || isSigned(query), 'a signed query passes for one that is not');
    for (const other of [{ action: 'publish' }, { key: parseStreamKey('live', 'other') }] as const) {
      const asked = outcomeOf(() => checkSigned({ ...request, ...other }, [SIGNING], times));
      rule(asked.code !== undefined, 'a signature lets in for something else');
    }
  },
};

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
const CLAIMS = Buffer.from(JSON.stringify({ aud: AUDIENCE, exp: EXPIRES_S, play: 'live/*' })).toString(
  'base64url',
);

/** A token that is good, for the corpus. */
export const goodToken: string = `${HEADER}.${CLAIMS}.${macOf(`${HEADER}.${CLAIMS}`)}`;

/** The input is a token, or claims that are signed for it. */
export const tokens: Target = {
  name: 'tokens',
  covers: ['src/auth/jwt.ts', 'src/base/glob.ts'],
  maxBytes: 1_024,
  words: wordsOf(
    ...[
      '.',
      '=',
      'eyJhbGciOiJub25lIn0',
      'eyJhbGciOiJIUzUxMiJ9',
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '"aud":',
      '"exp":',
    ],
    ...[
      '"nbf":',
      '"play":',
      '"publish":',
      '"*"',
      '"live/*"',
      '["live/*"]',
      '1e400',
      '-1',
      'null',
      '"tideway"',
      '9'.repeat(16),
    ],
  ),
  async run(input) {
    const text = input.toString('utf8');
    const isTaken = await takes(text);
    if (isTaken) rule(text.startsWith(`${HEADER}.${CLAIMS}.`), 'a token was taken that nobody signed');
    const claims = input.toString('base64url');
    await takes(`${HEADER}.${claims}.${macOf(`${HEADER}.${claims}`)}`);
  },
};

/** The input is a network, a line break, an address. */
export const networks: Target = {
  name: 'networks',
  covers: ['src/auth/networks.ts', 'src/base/address.ts'],
  maxBytes: 200,
  words: wordsOf(
    ...[
      '\n',
      '/',
      '/0',
      '/32',
      '/128',
      '/129',
      '/08',
      '::',
      '::1',
      '::ffff:',
      '1.2.3.4',
      '127.0.0.1',
      '169.254.169.254',
    ],
    ...['%eth0', '[', ']', '0x7f.1', '127.1', '017700000001', '64:ff9b::', 'fe80::', ':', '.', 'ffff', '0'],
  ),
  run(input) {
    const [network = '', address = ''] = input.toString('latin1').split('\n');
    const plain = plainAddress(address);
    rule(
      isIP(address) === 0 || isIP(plain) !== 0,
      `the address ${JSON.stringify(address)} is none when plain`,
    );
    rule(isIP(plain) === 0 || plainAddress(plain) === plain, 'a plain address can be made plainer');
    if (isAddressOrNetwork(network)) {
      const isIn = new Networks([network]).has(address);
      rule(!isIn || isIP(plain) !== 0, `${JSON.stringify(address)} is no address, and in a network`);
    }
    if (isAddressOrNetwork(address) && isIP(address) !== 0) {
      rule(new Networks([address]).has(address), `${address} is not in the network of itself`);
    }
  },
};

async function takes(token: string): Promise<boolean> {
  const options = {
    ...sharedKey(SECRET),
    audience: AUDIENCE,
    maxAheadS: MAX_AHEAD_S,
    nowWallMs: NOW_WALL_MS,
  };
  try {
    await checkToken(token, { action: 'play', key: KEY }, options);
    return true;
  } catch (error) {
    if (error instanceof TidewayError) return false;
    throw error;
  }
}

function macOf(text: string): string {
  return createHmac('sha256', SECRET).update(text).digest('base64url');
}

/** What a query says of a signature, in one order. */
function partsOf(query: URLSearchParams): string {
  const parts = [...query].filter(([name]) => /^tw_(exp|kid|ip|sig)$/i.test(name));
  return JSON.stringify(parts.sort(([a], [b]) => (a < b ? -1 : 1)));
}
