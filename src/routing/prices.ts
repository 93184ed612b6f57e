// What traffic costs from one region to another, by the operator's rules (`routing.prices`). Pure.
import type { Table } from '../base/table.ts';

/** What a gigabyte costs from one region to another. */
export interface PriceRule {
  /** A region, or `*` for any. */
  readonly from: string;
  readonly to: string;
  readonly price: number;
}

/** Pairs that are remembered; regions come from records of other nodes. */
const MAX_PAIRS = 10_000;

export class Prices {
  #rules: readonly PriceRule[] = [];
  readonly #pairs = new Map<string, Map<string, number>>();
  #pairCount = 0;
  /** The highest of all, 0 without one: by it, prices are compared with other things that count. */
  highest = 0;

  constructor(rules: readonly PriceRule[] = []) {
    this.replace(rules);
  }

  /** From now on these rules count. */
  replace(rules: readonly PriceRule[] = []): void {
    this.#rules = rules;
    this.highest = rules.reduce((highest, { price }) => Math.max(highest, price), 0);
    this.#pairs.clear();
    this.#pairCount = 0;
  }

  get table(): Table {
    return { table: 'price_pairs', entries: this.#pairCount, limit: MAX_PAIRS };
  }

  /** Per gigabyte; the first rule that matches counts. Within a region, and without a rule, it is 0. */
  of(from: string, to: string): number {
    if (from === to || this.#rules.length === 0) return 0;
    const known = this.#pairs.get(from)?.get(to);
    if (known !== undefined) return known;
    const price = this.#look(from, to);
    this.#remember(from, to, price);
    return price;
  }

  /** The same as a part of the highest price, 0 to 1. */
  share(from: string, to: string): number {
    return this.highest === 0 ? 0 : this.of(from, to) / this.highest;
  }

  #look(from: string, to: string): number {
    const rule = this.#rules.find((one) => isFor(one.from, from) && isFor(one.to, to));
    return rule?.price ?? 0;
  }

  #remember(from: string, to: string, price: number): void {
    if (this.#pairCount >= MAX_PAIRS) {
      this.#pairs.clear();
      this.#pairCount = 0;
    }
    const row = this.#pairs.get(from) ?? new Map<string, number>();
    this.#pairs.set(from, row.set(to, price));
    this.#pairCount += 1;
  }
}

function isFor(side: string, region: string): boolean {
  return side === '*' || side === region;
}
