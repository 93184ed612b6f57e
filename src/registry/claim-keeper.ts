// Keeps one claim: renews it until it is lost or given back. Whatever the registry does, what is published goes on; only
// the word "lost" ends it.
import { type Clock, jittered, type Timer } from '../base/clock.ts';
import type { HeldClaim } from './claimant.ts';
import type { OriginRecord, OriginState, Registry, RenewAnswer } from './registry.ts';

export const RENEW_MS = 3_000;
/** After a renewal that failed: a call while the registry is known to be down costs nothing (guarded.ts). */
export const RETRY_MS = 1_000;

export interface ClaimKeeperNeeds {
  readonly registry: Pick<Registry, 'renew' | 'release'>;
  readonly clock: Clock;
  /** 0 to 1: spreads the renewals of many claims. */
  readonly random: () => number;
  /** The claim is another's: step down. Called once, and never after `release`. */
  readonly lost: (by: OriginRecord | undefined) => void;
}

export class ClaimKeeper {
  readonly claim: HeldClaim;
  readonly #needs: ClaimKeeperNeeds;
  #at: 'keeping' | 'lost' | 'released' = 'keeping';
  #standing: HeldClaim['standing'];
  #state: OriginState = 'live';
  #timer: Timer | undefined;
  #renewing: Promise<RenewAnswer['is'] | 'away'> | undefined;
  /** Counters that lists and metrics read. */
  renewals = 0;
  heals = 0;
  failures = 0;

  /** Starts to renew. */
  constructor(claim: HeldClaim, needs: ClaimKeeperNeeds) {
    this.claim = claim;
    this.#needs = needs;
    this.#standing = claim.standing;
    this.#schedule(claim.standing === 'granted' ? RENEW_MS : RETRY_MS);
  }

  get at(): 'keeping' | 'lost' | 'released' {
    return this.#at;
  }

  /** `provisional` until the registry has taken the claim in. */
  get standing(): HeldClaim['standing'] {
    return this.#standing;
  }

  /** Says whether the publisher is there. */
  setState(state: OriginState): void {
    if (state === this.#state || this.#at !== 'keeping') return;
    this.#state = state;
    void this.renewNow();
  }

  /** Renews at a random moment of the next `ms`: the registry was wiped, or is back. */
  renewWithin(ms: number): void {
    if (this.#at !== 'keeping') return;
    this.#timer?.cancel();
    this.#timer = this.#needs.clock.after(ms * this.#needs.random(), () => void this.renewNow());
  }

  /** Renews; what the registry said, or `away`. One renewal at a time: those who ask meanwhile get its answer. */
  renewNow(): Promise<RenewAnswer['is'] | 'away'> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Renews with a call that begins now: what one on its way answers may be news of yesterday. */
  async renewAnew(): Promise<RenewAnswer['is'] | 'away'> {
    await this.#renewing;
    return this.renewNow();
  }

  /** Gives the claim back. Calm when repeated, and when the registry is away: then the lease runs out. */
  async release(): Promise<void> {
    if (this.#at !== 'keeping') return;
    this.#at = 'released';
    this.#timer?.cancel();
    const { key, owner, epoch } = this.claim;
    try {
      await this.#needs.registry.release({ key, owner, epoch });
    } catch {
      this.failures += 1;
    }
  }

  async #renew(): Promise<RenewAnswer['is'] | 'away'> {
    if (this.#at !== 'keeping') return 'lost';
    this.#timer?.cancel();
    const told = this.#state;
    let answer: RenewAnswer;
    try {
      answer = await this.#needs.registry.renew({ ...this.claim, state: told, standing: this.#standing });
    } catch {
      this.failures += 1;
      this.#schedule(RETRY_MS);
      return 'away';
    }
    // It was given back meanwhile: the registry knows, or will.
    if (this.#at !== 'keeping') return answer.is;
    if (answer.is === 'lost') {
      this.#at = 'lost';
      this.#needs.lost(answer.by);
      return 'lost';
    }
    this.renewals += 1;
    if (answer.is === 'healed') this.heals += 1;
    this.#standing = 'granted';
    this.#schedule(told === this.#state ? RENEW_MS : 0);
    return answer.is;
  }

  /** Sets the next renewal, a tenth early or late. */
  #schedule(ms: number): void {
    if (this.#at !== 'keeping') return;
    this.#timer?.cancel();
    const { clock, random } = this.#needs;
    this.#timer = clock.after(jittered(ms, random), () => void this.renewNow());
  }
}
