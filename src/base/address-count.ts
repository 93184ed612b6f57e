// How many connections each address has at a door; IPv6 by networks of 64 bits, since a host has so many for itself.
import { addressGroup } from './address.ts';

export class AddressCount {
  /** Bounded by the connections of the door. */
  readonly #counts = new Map<string, number>();

  /** Addresses that have any. */
  get size(): number {
    return this.#counts.size;
  }

  of(address: string): number {
    return this.#counts.get(addressGroup(address)) ?? 0;
  }

  add(address: string): void {
    this.#counts.set(addressGroup(address), this.of(address) + 1);
  }

  remove(address: string): void {
    const left = this.of(address) - 1;
    if (left > 0) this.#counts.set(addressGroup(address), left);
    else this.#counts.delete(addressGroup(address));
  }
}
