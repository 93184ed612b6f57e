// Who may come in at the doors, before a byte is read: so many new connections a second, of all and of one address, and none
// where the last files would go that health, the API and links need.
import { addressGroup } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import { RateLimiter } from '../base/rate-limiter.ts';
import type { Table } from '../base/table.ts';

export interface ArrivalLimits {
  readonly connectionsPerSecond: number;
  readonly connectionsPerSecondPerAddress: number;
  /** Files that media may not use. */
  readonly reservedFiles: number;
}

export interface ArrivalNeeds {
  readonly clock: Clock;
  /** As they are now. */
  readonly limits: () => ArrivalLimits;
  readonly files: { readonly limit: number | undefined; readonly left: number };
}

/** What may come at once, in seconds of the rate. */
const BURST_S = 5;
const MAX_ADDRESSES = 16_384;
const ALL = 'all';
/** Of few files that the process may open, so many are kept at most. */
const MAX_RESERVED_SHARE = 0.25;
/** HTTP connections may use this part of what is kept from media: they may be asked for health and the API. */
const HTTP_SHARE = 0.5;

export class Arrivals {
  readonly #needs: ArrivalNeeds;
  readonly #all: RateLimiter;
  readonly #byAddress: RateLimiter;

  constructor(needs: ArrivalNeeds) {
    this.#needs = needs;
    const { limits } = needs;
    this.#all = new RateLimiter({
      ...{ table: 'arrivals', maxKeys: 1 },
      rate: () => burst(limits().connectionsPerSecond),
    });
    this.#byAddress = new RateLimiter({
      ...{ table: 'arrival_addresses', maxKeys: MAX_ADDRESSES },
      rate: () => burst(limits().connectionsPerSecondPerAddress),
    });
  }

  get tables(): Table[] {
    return [this.#all.table, this.#byAddress.table];
  }

  /** Why a new connection is not taken; undefined: it is. One that an address has too many of costs the others nothing. */
  refusal(door: 'rtmp' | 'http', address: string): Reason | undefined {
    const nowMs = this.#needs.clock.now();
    const { connectionsPerSecond, connectionsPerSecondPerAddress } = this.#needs.limits();
    if (this.lacksFiles(door)) return NO_FILES;
    if (!this.#byAddress.take(addressGroup(address), nowMs)) {
      return {
        code: 'limits.connection-rate-of-address',
        message: `more than ${connectionsPerSecondPerAddress} new connections a second come from this address`,
      };
    }
    if (this.#all.take(ALL, nowMs)) return undefined;
    return {
      code: 'limits.connection-rate',
      message: `more than ${connectionsPerSecond} new connections a second come to this node`,
    };
  }

  /** Would one more at this door take a file that is kept? */
  lacksFiles(door: 'rtmp' | 'http'): boolean {
    const { limit, left } = this.#needs.files;
    if (limit === undefined) return false;
    const kept = Math.min(this.#needs.limits().reservedFiles, limit * MAX_RESERVED_SHARE);
    return left <= (door === 'http' ? kept * HTTP_SHARE : kept);
  }

  /** @throws TidewayError `limits.files`: what is left of files is not for publishers and players */
  checkMedia(): void {
    if (this.lacksFiles('rtmp')) throw new TidewayError(NO_FILES.code, NO_FILES.message);
  }
}

const NO_FILES: Reason = {
  code: 'limits.files',
  message: 'this node has nearly all the files open that it may: try later, or another node',
};

function burst(perSecond: number) {
  return { perSecond, burst: perSecond * BURST_S };
}
