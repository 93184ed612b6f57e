// Which addresses webhooks may go to: public ones, and those of networks that the operator lists. Pure.
import { isIP } from 'node:net';
import { isAddressOrNetwork, Networks, plainAddress } from './networks.ts';

/**
 * What no public server has, of the IANA registry of special-purpose IPv4 addresses (RFC 6890), and multicast; and the address,
 * public by its looks, at which Azure serves its own machines (168.63.129.16).
 */
const SPECIAL_V4: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
/** All global unicast addresses (RFC 4291 §2.4). */
const GLOBAL_V6 = '2000::/3';
/** What of them is no server's, or leads to an IPv4 address that is not looked at: IETF protocols, Teredo, examples, 6to4. */
const SPECIAL_V6: readonly string[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

export class WebhookTargets {
  readonly #special = new Networks([...SPECIAL_V4, ...SPECIAL_V6]);
  readonly #global = new Networks([GLOBAL_V6]);
  readonly #listed: Networks;

  /** @param listed networks that are allowed besides, in CIDR form */
  constructor(listed: readonly string[]) {
    this.#listed = new Networks(listed.filter(isAddressOrNetwork));
  }

  /** May a webhook be sent there? An IPv4-mapped IPv6 address is what it maps to; what is no address is refused. */
  allows(address: string): boolean {
    const plain = plainAddress(address);
    if (this.#listed.has(plain)) return true;
    const family = isIP(plain);
    if (family === 4) return !this.#special.has(plain);
    return family === 6 && this.#global.has(plain) && !this.#special.has(plain);
  }
}
