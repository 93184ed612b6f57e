// How much each address has of something: connections at a door, questions without an answer. IPv6 by networks of 64 bits,
// since a host has so many addresses for itself.
import { addressGroup } from './address.ts';

export class AddressCount {
  /** Bounded by what is counted. */
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
