// Lines about peers that anybody on the network can cause: one per address and while, with the number left out.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';

const EVERY_MS = 10_000;
const MAX_ADDRESSES = 1_024;

interface Said {
  atMs: number;
  suppressed: number;
}

export class QuietLog {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Those that were said last are at the end. Bounded by MAX_ADDRESSES: then the oldest is forgotten. */
  readonly #said = new Map<string, Said>();
  /** Lines left out, ever. */
  leftOut = 0;

  constructor(needs: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = needs.clock;
    this.#log = needs.log;
  }

  get table(): Table {
    return { table: 'quiet_log', entries: this.#said.size, limit: MAX_ADDRESSES };
  }

  /** A peer was told no: by this node, or this node by it. */
  refused(address: string, fields: object): void {
    const suppressed = this.#suppressed(`refused ${address}`);
    if (suppressed !== undefined) this.#log.warn({ ...fields, suppressed }, 'mesh.refused');
  }

  /** A peer broke the protocol. */
  wireError(address: string, fields: object): void {
    const suppressed = this.#suppressed(`wire-error ${address}`);
    if (suppressed !== undefined) this.#log.warn({ ...fields, suppressed }, 'mesh.wire-error');
  }

  /** A node that is to be linked can't be reached. */
  dialFailed(node: string, fields: object): void {
    const suppressed = this.#suppressed(`dial-failed ${node}`);
    if (suppressed !== undefined) this.#log.warn({ ...fields, suppressed }, 'mesh.dial-failed');
  }

  /** A node asks for what this one does not do for it. */
  wantRefused(node: string, fields: object): void {
    const suppressed = this.#suppressed(`want-refused ${node}`);
    if (suppressed !== undefined) this.#log.warn({ ...fields, suppressed }, 'preload.refused');
  }

  /** Lines left out since the last one; undefined if this one is to be left out, too. */
  #suppressed(key: string): number | undefined {
    const nowMs = this.#clock.now();
    const said = this.#said.get(key);
    if (said && nowMs - said.atMs < EVERY_MS) {
      said.suppressed += 1;
      this.leftOut += 1;
      return undefined;
    }
    this.#said.delete(key);
    this.#said.set(key, { atMs: nowMs, suppressed: 0 });
    const oldest = this.#said.keys().next().value;
    if (this.#said.size > MAX_ADDRESSES && oldest !== undefined) this.#said.delete(oldest);
    return said?.suppressed ?? 0;
  }
}
