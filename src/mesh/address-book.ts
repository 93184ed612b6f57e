// Where other nodes are reached: from the registry's node records, and remembered beyond them, so that an outage of the
// registry cuts nobody off. Pure: time comes in by hand.
import { hostOf, isLoopback } from '../base/address.ts';
import type { Table } from '../base/table.ts';
import type { NodeRecord } from '../registry/registry.ts';

/** How long an address is good after its node was last in the registry's list. */
export const REMEMBER_MS = 10 * 60_000;
export const MAX_NODES = 4_096;

interface Entry {
  readonly addresses: readonly string[];
  /** The one that reached the node last. */
  worked: string | undefined;
  /** When it was in the list last. */
  seenMs: number;
  isListed: boolean;
}

/** Who keeps the book: its own records and what only its own host can reach. */
export interface BookOwner {
  readonly node: string;
  /** Host id, as in node records. */
  readonly host: string;
}

export class AddressBook {
  readonly #owner: BookOwner;
  /** Those seen last are at the end. Bounded by MAX_NODES. */
  readonly #entries = new Map<string, Entry>();

  constructor(owner: BookOwner) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#entries.size;
  }

  get table(): Table {
    return { table: 'mesh_addresses', entries: this.#entries.size, limit: MAX_NODES };
  }

  /** Takes the registry's list as it is now; nodes that are not in it any more are remembered for a while. */
  setNodes(records: readonly NodeRecord[], nowMs: number): void {
    for (const entry of this.#entries.values()) entry.isListed = false;
    for (const record of records.slice(0, MAX_NODES)) {
      if (record.node === this.#owner.node) continue;
      const known = this.#entries.get(record.node);
      const addresses = record.mesh.filter((address) => this.#canReach(address, record.host));
      this.#entries.delete(record.node);
      this.#entries.set(record.node, { addresses, worked: known?.worked, seenMs: nowMs, isListed: true });
    }
    for (const [node, { isListed, seenMs }] of this.#entries) {
      const isOver = !isListed && nowMs - seenMs > REMEMBER_MS;
      if (isOver || this.#entries.size > MAX_NODES) this.#entries.delete(node);
    }
  }

  /** "host:port", the one that worked last first; empty if none is known. */
  addressesOf(node: string, nowMs: number): readonly string[] {
    const entry = this.#entries.get(node);
    if (!entry || (!entry.isListed && nowMs - entry.seenMs > REMEMBER_MS)) return [];
    return preferring(entry.worked, entry.addresses);
  }

  /** The address reached the node: it is tried first from now on. */
  worked(node: string, address: string): void {
    const entry = this.#entries.get(node);
    if (entry) entry.worked = address;
  }

  /** All nodes in the book, those in the registry's list first. */
  nodes(): string[] {
    const listed: string[] = [];
    const remembered: string[] = [];
    for (const [node, { isListed }] of this.#entries) (isListed ? listed : remembered).push(node);
    return [...listed, ...remembered];
  }

  #canReach(address: string, host: string): boolean {
    return host === this.#owner.host || !isLoopback(hostOf(address));
  }
}

function preferring(first: string | undefined, addresses: readonly string[]): readonly string[] {
  if (first === undefined || !addresses.includes(first)) return addresses;
  return [first, ...addresses.filter((address) => address !== first)];
}
