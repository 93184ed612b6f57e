// Who has a stream, for decisions that must not wait: what the registry's guard remembers, looked up again behind the
// decision when it is old. Only who asks for a stream that was never looked up waits for one lookup, shared by all.
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Lookup } from '../registry/registry.ts';
import type { Holders } from '../routing/ways.ts';

export interface StreamHoldersNeeds {
  /** This node. */
  readonly self: string;
  /** Undefined: never looked up, or long ago. Asks nobody. */
  readonly remembered: (key: StreamKey) => Lookup | undefined;
  /** @throws TidewayError if the registry is away and nothing is remembered */
  readonly lookup: (key: StreamKey) => Promise<Lookup>;
  /** Is the stream on this node? */
  readonly isHere: (key: StreamKey) => boolean;
}

/** What is older is looked up again, while the decision goes on with it. */
const OLD_MS = 2_000;
/** Lookups under way; beyond it nothing is looked up again. */
const MAX_LOOKUPS = 64;

export class StreamHolders {
  readonly #needs: StreamHoldersNeeds;
  readonly #underWay = new Set<StreamKey>();
  /** Lookups that were not made, since too many were under way. */
  spared = 0;

  constructor(needs: StreamHoldersNeeds) {
    this.#needs = needs;
  }

  get table(): Table {
    return { table: 'routing_lookups', entries: this.#underWay.size, limit: MAX_LOOKUPS };
  }

  /** As far as it is known now. */
  now(key: StreamKey): Holders | undefined {
    const found = this.#needs.remembered(key);
    if (!found || found.ageMs > OLD_MS) void this.#lookUp(key);
    return this.#holdersOf(key, found);
  }

  /** The same; a stream that was never looked up is looked up first. Never rejects. */
  async of(key: StreamKey): Promise<Holders | undefined> {
    if (this.#needs.remembered(key)) return this.now(key);
    return this.#holdersOf(key, await this.#lookUp(key));
  }

  #holdersOf(key: StreamKey, found: Lookup | undefined): Holders | undefined {
    const isHere = this.#needs.isHere(key);
    if (!found && !isHere) return undefined;
    const nodes = new Set(found?.replicas.map(({ node }) => node));
    if (found?.origin) nodes.add(found.origin.node);
    if (isHere) nodes.add(this.#needs.self);
    return { origin: found?.origin?.node, nodes };
  }

  async #lookUp(key: StreamKey): Promise<Lookup | undefined> {
    if (this.#underWay.size >= MAX_LOOKUPS) {
      this.spared += 1;
      return undefined;
    }
    this.#underWay.add(key);
    try {
      return await this.#needs.lookup(key);
    } catch {
      return undefined; // The registry is away: the guard counts it, and what is remembered has to do.
    } finally {
      this.#underWay.delete(key);
    }
  }
}
