// What proxies say of those whom they speak for: the header of the PROXY protocol, and headers of requests.
import { isIP } from 'node:net';
import { Proxies } from '../../../src/base/proxies.ts';
import { ProxyHeaderReader } from '../../../src/format/proxy-header.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { alike, readPieces } from './outcome.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const IPV4 = '21 11 000c c0000207 0a000001 d431 078f';
const PROXY = '10.0.0.1';
const PEER = '198.51.100.1';

/** Headers for the corpus: of IPv4, of IPv6 with more behind it, of a health check. */
export const proxyHeaders: readonly Buffer[] = hexWords(
  `${SIGNATURE} ${IPV4} 03 0000`,
  `${SIGNATURE} 21 21 0028 20010db8000000000000000000000001 20010db8000000000000000000000002 d431 078f 04000101 47`,
  `${SIGNATURE} 20 00 0000 03`,
);

export const proxyHeader: Target = {
  name: 'proxy-header',
  covers: ['src/format/proxy-header.ts'],
  maxBytes: 5 * 1024,
  words: hexWords(
    SIGNATURE,
    IPV4,
    '2111',
    '2121',
    '2000',
    '1000',
    'ffff',
    '00000000000000000000ffff c0000207',
  ),
  run(input, chance) {
    const whole = read([input]);
    const cut = read(chance.pieces(input));
    alike(whole.found, cut.found);
    if (whole.found.code !== undefined) return;
    rule(whole.kind === cut.kind, `in one piece it is ${whole.kind}, in several ${cut.kind}`);
    rule(whole.after.equals(cut.after), 'what comes behind it is not the same in several pieces');
    const { address } = whole;
    rule(address === undefined || isIP(address) !== 0, `a proxy speaks for ${address}`);
  },
};

/** The input is what `X-Forwarded-For`, or `Forwarded`, says. */
export const forwarded: Target = {
  name: 'forwarded',
  covers: ['src/base/proxies.ts'],
  maxBytes: 2 * 1024,
  words: wordsOf(
    ...[
      ',',
      ', ',
      ';',
      '"',
      '[',
      ']',
      ':',
      '%',
      'for=',
      'For="[2001:db8::1]:80"',
      'by=',
      'proto=https',
      'unknown',
      '_x',
    ],
    ...['10.0.0.1', '198.51.100.9', '::ffff:10.0.0.1', '2001:db8::1', ':1935', ' '.repeat(200), '\t', '\\"'],
  ),
  run(input) {
    const told = input.toString('latin1');
    for (const header of ['x-forwarded-for', 'forwarded'] as const) {
      const proxies = new Proxies({ networks: ['10.0.0.0/8', 'fd00::/8'], protocol: 'off', header });
      const asker = proxies.askerOf({ [header]: told }, PROXY);
      rule(isIP(asker) !== 0, `a request is said to come from ${JSON.stringify(asker)}`);
      rule(proxies.askerOf({ [header]: told }, PEER) === PEER, 'one who is no proxy is believed');
      const behind = proxies.askerOf({ [header]: `${told}, ${elementOf(header)}` }, PROXY);
      rule(behind === PEER, `what stands before the last address counts: ${behind}`);
    }
  },
};

function elementOf(header: 'x-forwarded-for' | 'forwarded'): string {
  return header === 'forwarded' ? `for=${PEER}` : PEER;
}

function read(pieces: readonly Buffer[]) {
  const reader = new ProxyHeaderReader();
  const after: Buffer[] = [];
  let kind = 'more';
  let address: string | undefined;
  const found = readPieces(pieces, (bytes) => {
    if (kind !== 'more') {
      after.push(Buffer.from(bytes));
      return [];
    }
    const header = reader.push(Buffer.from(bytes));
    kind = header.is;
    if (header.is === 'none') after.push(header.bytes);
    if (header.is !== 'header') return [];
    address = header.peer?.address;
    after.push(header.rest);
    return [`${header.peer?.address} ${header.peer?.port}`];
  });
  return { found, kind, address, after: Buffer.concat(after) };
}
