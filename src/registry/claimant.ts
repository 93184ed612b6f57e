// This process as one that claims streams: who it is, the highest epoch that it knows, and what it does while the
// registry is away. What becomes of a claim is claim-keeper.ts's.
import type { StreamKey } from '../base/stream-key.ts';
import { isPlausibleEpoch, nextEpoch } from './epoch.ts';
import { isAway } from './guarded.ts';
import type { Claim, ClaimReason, ClaimRequest, OriginRecord, Owner, Registry } from './registry.ts';

/** A claim that this process holds. */
export interface HeldClaim extends Claim {
  readonly epoch: number;
  /** `provisional`: the registry was away, and has yet to say whether it stands. */
  readonly standing: 'granted' | 'provisional';
}

export type Claimed =
  | { readonly is: 'claimed'; readonly claim: HeldClaim }
  | { readonly is: 'taken'; readonly by: OriginRecord };

export interface ClaimantOptions {
  readonly owner: Owner;
  /** 12 random bits (epoch.ts). */
  readonly tag: number;
  /** What a publisher gets while the registry is away: a provisional epoch, or the error. */
  readonly whileAway: 'accept' | 'reject';
}

export interface ClaimantNeeds {
  readonly registry: Pick<Registry, 'claim'>;
  /** Registry time, or the best guess at it: of the registry, of the peers, of the own wall clock. */
  readonly registryWallMs: () => number;
}

export class Claimant {
  readonly #options: ClaimantOptions;
  readonly #needs: ClaimantNeeds;
  #publishers = 0;
  /** The highest plausible epoch that this process has seen, of any stream. */
  highestEpoch = 0;
  /** Claims that were made while the registry was away. */
  provisionals = 0;

  constructor(options: ClaimantOptions, needs: ClaimantNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  get owner(): Owner {
    return this.#options.owner;
  }

  /** Can this epoch have been granted by now, as far as this node knows the time? */
  isPlausible(epoch: number): boolean {
    return isPlausibleEpoch(epoch, this.#needs.registryWallMs());
  }

  /** Takes note of an epoch from anywhere: the next claim is above it. An implausible one is ignored. */
  see(epoch: number): void {
    if (epoch > this.highestEpoch && this.isPlausible(epoch)) this.highestEpoch = epoch;
  }

  /**
   * Claims a stream for a publisher that is new.
   * @throws TidewayError `registry.*` if the registry is away and that is not accepted, or if it refuses
   */
  async claim(key: StreamKey, how: { mode: ClaimRequest['mode']; reason: ClaimReason }): Promise<Claimed> {
    const { owner, tag } = this.#options;
    this.#publishers += 1;
    const claim: Claim = { key, owner, publisher: `${owner.node}-${this.#publishers}`, reason: how.reason };
    try {
      const request = { ...claim, mode: how.mode, minEpoch: this.highestEpoch, tag };
      const answer = await this.#needs.registry.claim(request);
      if (answer.is === 'taken') return answer;
      this.see(answer.epoch);
      return { is: 'claimed', claim: { ...claim, epoch: answer.epoch, standing: 'granted' } };
    } catch (error) {
      if (this.#options.whileAway === 'reject' || !isAway(error)) throw error;
      return { is: 'claimed', claim: this.#goAlone(claim) };
    }
  }

  #goAlone(claim: Claim): HeldClaim {
    const epoch = nextEpoch(this.highestEpoch, this.#needs.registryWallMs(), this.#options.tag);
    this.highestEpoch = epoch;
    this.provisionals += 1;
    return { ...claim, epoch, standing: 'provisional' };
  }
}
