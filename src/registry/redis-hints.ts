// Hints over Redis pub/sub, on a connection of their own that opens when somebody listens. They may come late, twice,
// or not at all: nothing relies on them.
import { readHint } from './records.ts';
import type { RedisClient } from './redis-client.ts';
import type { Hint } from './registry.ts';

export interface RedisHintsNeeds {
  readonly connect: () => RedisClient;
  readonly registryWallMs: () => number;
}

export class RedisHints {
  readonly #channel: string;
  readonly #needs: RedisHintsNeeds;
  /** Bounded by the parts of the node that listen. */
  readonly #listeners = new Set<(hint: Hint) => void>();
  #client: RedisClient | undefined;

  constructor(channel: string, needs: RedisHintsNeeds) {
    this.#channel = channel;
    this.#needs = needs;
  }

  /** @returns ends it; calm when repeated */
  subscribe(hear: (hint: Hint) => void): () => void {
    const listener = (hint: Hint) => hear(hint);
    this.#listeners.add(listener);
    this.#client ??= this.#open();
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#client?.disconnect();
  }

  #open(): RedisClient {
    const client = this.#needs.connect();
    // Each new connection starts without subscriptions.
    client.on('ready', () => client.subscribe(this.#channel).catch(() => {}));
    client.on('message', (_channel: string, text: string) => {
      const hint = readHint(text, this.#needs.registryWallMs());
      if (!hint) return;
      for (const hear of [...this.#listeners]) hear(hint);
    });
    return client;
  }
}
