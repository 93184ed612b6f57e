// Where somebody who asks is: by its own word, by that of a trusted proxy, or by its address. Pure; built once of the
// configuration.
import { isIPv4, isIPv6 } from 'node:net';
import { isLabel } from '../base/label.ts';
import type { Place } from './node-view.ts';

/** Who comes from a network is in a region; of `routing.networks`. */
export interface NetworkRule {
  /** CIDR; what is set behind the prefix is of no meaning. */
  readonly network: string;
  readonly region: string;
}

/** What tells where somebody is. */
export interface PlaceClues {
  /** Of the URL: `region=` and, within it, `zone=`. */
  readonly query: URLSearchParams;
  /** Of the request, names in lower case; none without HTTP. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** IP address of the other end of the connection; undefined: it is gone. */
  readonly address: string | undefined;
}

export interface FoundPlace extends Place {
  /** Who said so; `node`: nobody, but it came to a node there by itself. */
  readonly from: 'query' | 'header' | 'network' | 'node' | 'unknown';
}

const UNKNOWN: FoundPlace = { region: '', zone: '', from: 'unknown' };

export class PlaceFinder {
  /** Lower case. */
  readonly #header: string | undefined;
  readonly #networks: NetworkTable;
  readonly #ofNode: FoundPlace;

  /** @param options of `routing`, and the place of this node */
  constructor(options: {
    readonly networks?: readonly NetworkRule[] | undefined;
    readonly regionHeader?: string | undefined;
    readonly node: Place;
  }) {
    const { region, zone } = options.node;
    this.#ofNode = region === '' ? UNKNOWN : { region, zone, from: 'node' };
    this.#header = options.regionHeader?.toLowerCase();
    this.#networks = new NetworkTable(options.networks ?? []);
  }

  /** What is no label counts as not said. */
  find({ query, headers, address }: PlaceClues): FoundPlace {
    const asked = query.get('region') ?? '';
    if (isLabel(asked)) {
      const zone = query.get('zone') ?? '';
      return { region: asked, zone: isLabel(zone) ? zone : '', from: 'query' };
    }
    const told = this.#header === undefined ? undefined : headers[this.#header];
    if (typeof told === 'string' && isLabel(told)) return { region: told, zone: '', from: 'header' };
    const region = address === undefined ? undefined : this.#networks.regionOf(address);
    return region === undefined ? UNKNOWN : { region, zone: '', from: 'network' };
  }

  /** The same for a player that came by itself: if nothing else is known, what led it to this node led it to a near one. */
  ofPlayer(clues: PlaceClues): FoundPlace {
    const found = this.find(clues);
    return found.from === 'unknown' ? this.#ofNode : found;
  }
}

/** Networks with prefixes of one length. */
interface Level {
  /** Of IPv6; one of IPv4 counts as 96 longer (RFC 4291 §2.5.5.2). */
  readonly prefix: number;
  /** By the bits of the prefix. */
  readonly regions: ReadonlyMap<bigint, string>;
}

const ADDRESS_BITS = 128;
/** `::ffff:0:0/96`, where IPv4 is in IPv6. */
const MAPPED_BITS = 96;
const MAPPED = 0xffffn;

/** The smallest network that holds an address: one look for each length of prefix that there is, longest first. */
class NetworkTable {
  readonly #levels: readonly Level[];

  constructor(rules: readonly NetworkRule[]) {
    const byPrefix = new Map<number, Map<bigint, string>>();
    for (const { network, region } of rules) {
      const [address = '', length = ''] = network.split('/');
      const bits = bitsOf(address);
      if (bits === undefined) continue;
      const prefix = Number(length) + (isIPv4(address) ? MAPPED_BITS : 0);
      const regions = byPrefix.get(prefix) ?? new Map<bigint, string>();
      byPrefix.set(prefix, regions.set(headOf(bits, prefix), region));
    }
    this.#levels = [...byPrefix]
      .map(([prefix, regions]) => ({ prefix, regions }))
      .sort((a, b) => b.prefix - a.prefix);
  }

  regionOf(address: string): string | undefined {
    if (this.#levels.length === 0) return undefined;
    const bits = bitsOf(address);
    if (bits === undefined) return undefined;
    const isMapped = headOf(bits, MAPPED_BITS) === MAPPED;
    for (const { prefix, regions } of this.#levels) {
      // A network of IPv6 is not meant for those who come by IPv4, however wide it is.
      if (isMapped && prefix < MAPPED_BITS) return undefined;
      const region = regions.get(headOf(bits, prefix));
      if (region !== undefined) return region;
    }
    return undefined;
  }
}

function headOf(bits: bigint, prefix: number): bigint {
  return bits >> BigInt(ADDRESS_BITS - prefix);
}

/** The 128 bits of an address, IPv4 as IPv4-mapped IPv6; undefined if it is none. */
function bitsOf(address: string): bigint | undefined {
  if (isIPv4(address)) return (MAPPED << 32n) | BigInt(ipv4Of(address));
  const plain = address.replace(/%.*$/, '');
  if (!isIPv6(plain)) return undefined;
  const [head = '', tail] = plain.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of a part of an IPv6 address; IPv4 at its end makes two (RFC 4291 §2.2). */
function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const bits = ipv4Of(group);
    return [Math.floor(bits / 0x10000), bits % 0x10000];
  });
}

function ipv4Of(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}
