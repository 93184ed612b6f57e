// Proxies in front of the node: whose word about others is taken, and what they say. Pure; built once of the configuration.
import { BlockList, isIP } from 'node:net';

export interface ProxyOptions {
  /** CIDR. */
  readonly networks: readonly string[];
  /** The PROXY protocol, on connections from these. */
  readonly protocol: 'off' | 'allow' | 'require';
  /** The one header that is believed of these. */
  readonly header: 'x-forwarded-for' | 'forwarded' | 'none';
}

/** Addresses that a header may name. */
const MAX_HOPS = 100;

export class Proxies {
  readonly protocol: ProxyOptions['protocol'];
  readonly #header: ProxyOptions['header'];
  readonly #networks = new BlockList();

  constructor({ networks, protocol, header }: ProxyOptions) {
    this.protocol = protocol;
    this.#header = header;
    for (const network of networks) {
      const [address = '', prefix = ''] = network.split('/');
      this.#networks.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    }
  }

  /** Is it the address of a proxy? IPv4 in IPv6 counts as IPv4. */
  has(address: string | undefined): boolean {
    const family = isIP(address ?? '');
    return (
      address !== undefined && family !== 0 && this.#networks.check(address, family === 6 ? 'ipv6' : 'ipv4')
    );
  }

  /**
   * Who asks, where a proxy passes a request on: of all addresses that the header names, the last that is no proxy's. What
   * stands before it, anybody may have written.
   * @param headers names in lower case
   * @param peer address of who sent the request
   */
  askerOf(headers: Readonly<Record<string, string | readonly string[] | undefined>>, peer: string): string {
    if (this.#header === 'none' || !this.has(peer)) return peer;
    const told = headers[this.#header];
    const parts = (typeof told === 'string' ? told : '').split(',').slice(-MAX_HOPS);
    let asker = peer;
    for (const part of parts.reverse()) {
      if (!this.has(asker)) break;
      const hop = addressIn(this.#header === 'forwarded' ? forIn(part) : part);
      if (hop === undefined) break;
      asker = hop;
    }
    return asker;
  }
}

/** Of one element of `Forwarded` (RFC 7239 §4). */
function forIn(element: string): string {
  const [, quoted, token] = /(?:^|;)\s*for=(?:"([^"]*)"|([^;,\s"]*))/i.exec(element) ?? [];
  return quoted ?? token ?? '';
}

/** An address, with a port or without, IPv6 in brackets or without; undefined for anything else, as `unknown`. */
function addressIn(text: string): string | undefined {
  const [, bracketed, plain] = /^\s*(?:\[([^\]]*)\](?::\d{1,5})?|(\S+?))\s*$/.exec(text) ?? [];
  const candidates = [bracketed, plain, plain?.replace(/:\d{1,5}$/, '')];
  const found = candidates.find((candidate) => candidate !== undefined && isIP(candidate) !== 0);
  return found?.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
