// Networks of addresses in CIDR form, and who is in them. Pure.
import { BlockList, isIP } from 'node:net';

/** Is it an address, or a network like `10.1.0.0/16` or `2001:db8::/32`? Neither zones nor IPv4-mapped ones are taken. */
export function isAddressOrNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return false;
  if (isIP(plainAddress(address)) !== family) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/**
 * The address as its own family writes it: of an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), however it is written, the
 * IPv4 address, and without the zone.
 */
export function plainAddress(address: string): string {
  const plain = address.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  if (isIP(plain) !== 6) return plain;
  // WHATWG URL writes every form of an IPv6 address in one way.
  const { hostname } = new URL(`http://[${plain}]/`);
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname) ?? [];
  if (high === undefined || low === undefined) return hostname.slice(1, -1);
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}

export class Networks {
  readonly #list = new BlockList();

  /** @param networks each an address or a network, as `isAddressOrNetwork` takes them */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const isV6 = isIP(address) === 6;
      this.#list.addSubnet(address, Number(prefix ?? (isV6 ? 128 : 32)), isV6 ? 'ipv6' : 'ipv4');
    }
  }

  /** Is the address in one of them? IPv4-mapped IPv6 addresses count as what they map to; what is no address is in none. */
  has(address: string): boolean {
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }
}
