// The claims of this node's publications: how long each is kept, while its stream is live or held; and what becomes of it
// when another took the stream, or a peer knows a higher epoch. Who may publish is for others to say.
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { HoldTimes, Publication } from '../media/publication.ts';
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { ClaimKeeper } from '../registry/claim-keeper.ts';
import type { Claimant, HeldClaim } from '../registry/claimant.ts';
import type { ClaimReason, ClaimRequest, OriginRecord, Registry } from '../registry/registry.ts';
import { lostTo } from './publisher-seat.ts';

export interface ClaimsNeeds {
  readonly clock: Clock;
  readonly directory: Pick<StreamDirectory, 'get'>;
  readonly claimant: Claimant;
  readonly registry: Pick<Registry, 'renew' | 'release'>;
  /** This node is the origin of a stream, with this epoch: peers are told. */
  readonly claimed: (key: StreamKey, epoch: number) => void;
  /** This node was the origin of a stream and is no more; who is, if that is known. The stream is in hold. */
  readonly passedOn: (stream: Stream, to: string | undefined) => void;
}

export interface ClaimCounts {
  /** Claims that are kept, by how they stand. */
  readonly granted: number;
  readonly provisional: number;
  /** Ever. */
  readonly renewals: number;
  readonly heals: number;
  readonly failures: number;
}

/** A claim, and what was published with it. */
interface Kept {
  readonly keeper: ClaimKeeper;
  readonly publication: Publication;
}

export class Claims {
  readonly #holds: Pick<HoldTimes, 'holdMs'>;
  readonly #needs: ClaimsNeeds;
  /** Of the streams that are published here, or held; bounded by limits.streams. */
  readonly #kept = new Map<StreamKey, Kept>();
  /** Keys of which a higher epoch is being looked into. */
  readonly #disputed = new Map<StreamKey, Promise<void>>();
  /** Keys that are being claimed. */
  readonly #opening = new Map<StreamKey, number>();
  /** What the claims that are over did; those that are kept have their own. */
  readonly #ended = { renewals: 0, heals: 0, failures: 0 };

  /** @param holds of a stream whose claim is lost */
  constructor(holds: Pick<HoldTimes, 'holdMs'>, needs: ClaimsNeeds) {
    this.#holds = holds;
    this.#needs = needs;
  }

  /** What they are, and did. */
  get counts(): ClaimCounts {
    const counts = { ...this.#ended, granted: 0, provisional: 0 };
    for (const { keeper } of this.#kept.values()) {
      if (keeper.at === 'keeping') counts[keeper.standing] += 1;
      counts.renewals += keeper.renewals;
      counts.heals += keeper.heals;
      counts.failures += keeper.failures;
    }
    return counts;
  }

  get tables(): Table[] {
    return [
      { table: 'claims_opening', entries: this.#opening.size, limit: undefined },
      { table: 'claims_disputed', entries: this.#disputed.size, limit: undefined },
    ];
  }

  /** The claim of a stream whose origin is this node, live or held. */
  originOf(key: StreamKey): HeldClaim | undefined {
    const keeper = this.#kept.get(key)?.keeper;
    return keeper?.at === 'keeping' ? keeper.claim : undefined;
  }

  /** Publishers on air. */
  get publisherCount(): number {
    let count = 0;
    for (const { publication } of this.#kept.values()) if (publication.isOpen) count += 1;
    return count;
  }

  /** Ends every publisher that is on air; its stream is held here, until it is back on whatever node. */
  endPublishers(why: Reason): void {
    for (const { publication } of [...this.#kept.values()]) {
      if (!publication.isOpen) continue;
      this.#needs.directory.get(publication.key)?.detach(publication, why, this.#holds.holdMs);
      publication.displace(why);
    }
  }

  /** Is the stream being claimed for a publisher? */
  isOpening(key: StreamKey): boolean {
    return this.#opening.has(key);
  }

  /**
   * Claims a stream; answers who has it instead, if the claim was declined.
   * @param publish puts a publication on air, and says before which one it is: its claim is kept from then on, in place
   *   of the one before. If it throws, the claim is given back.
   * @throws TidewayError `registry.*`, and what `publish` throws
   */
  async claim(
    key: StreamKey,
    how: { readonly mode: ClaimRequest['mode']; readonly reason: ClaimReason },
    publish: (claim: HeldClaim, keep: (publication: Publication) => void) => void,
  ): Promise<OriginRecord | undefined> {
    this.#opening.set(key, (this.#opening.get(key) ?? 0) + 1);
    try {
      // A claim that goes above another's must not come after ours, and pass it.
      await this.#disputed.get(key);
      const answer = await this.#needs.claimant.claim(key, how);
      if (answer.is === 'taken') return answer.by;
      this.#begin(answer.claim, publish);
      return undefined;
    } finally {
      const others = (this.#opening.get(key) ?? 1) - 1;
      if (others > 0) this.#opening.set(key, others);
      else this.#opening.delete(key);
    }
  }

  /** Renews every claim at a random moment of the next `ms`: the registry was wiped, or is back. */
  renewAllWithin(ms: number): void {
    for (const { keeper } of this.#kept.values()) keeper.renewWithin(ms);
  }

  /** A stream here went live, into hold, or ended: its claim says so, or goes. */
  streamChanged({ key, state }: Stream): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    if (state.at === 'ended') {
      this.#kept.delete(key);
      this.#end(kept.keeper);
    } else {
      // What another node feeds is not live by this claim.
      kept.keeper.setState(state.at === 'live' && state.source === kept.publication ? 'live' : 'held');
    }
  }

  /**
   * A peer refused frames of ours, since it knows a higher epoch. What the registry says of our claim decides: it is
   * lost, and we step down; or the registry forgot the other one, and we go on above it; or nobody can say, and the
   * higher epoch is the truth. An implausible epoch is ignored.
   */
  fenced(key: StreamKey, epoch: number): Promise<void> {
    return this.#dispute(key, epoch, async (kept) => {
      switch (await kept.keeper.renewAnew()) {
        case 'lost':
          return;
        case 'away':
          return this.#giveUp(kept);
        case 'ok':
        case 'healed':
          return this.#goAbove(kept);
      }
    });
  }

  /**
   * A peer says that it is the origin, with a higher epoch. If the registry still says that we are, we stay: should any
   * node follow the other one, it will fence us.
   */
  passed(key: StreamKey, epoch: number): Promise<void> {
    return this.#dispute(key, epoch, async (kept) => {
      if ((await kept.keeper.renewAnew()) === 'away') this.#giveUp(kept);
    });
  }

  #begin(
    claim: HeldClaim,
    publish: (claim: HeldClaim, keep: (publication: Publication) => void) => void,
  ): void {
    const { key, epoch } = claim;
    let published: Publication | undefined;
    const keeper = this.#keep(claim, () => published);
    try {
      publish(claim, (publication) => {
        published = publication;
        const before = this.#kept.get(key);
        if (before) this.#end(before.keeper);
        this.#kept.set(key, { keeper, publication });
      });
    } catch (error) {
      this.#end(keeper);
      throw error;
    }
    this.#needs.claimed(key, epoch);
  }

  #keep(claim: HeldClaim, published: () => Publication | undefined): ClaimKeeper {
    const { registry, clock } = this.#needs;
    const lost = (by: OriginRecord | undefined) => this.#stepDown(published(), by);
    return new ClaimKeeper(claim, { registry, clock, random: Math.random, lost });
  }

  /** The stream goes into hold, with its players; the publisher is told. */
  #stepDown(publication: Publication | undefined, by?: OriginRecord): void {
    if (!publication) return;
    const stream = this.#needs.directory.get(publication.key);
    const why = lostTo(by?.reason ?? 'publish');
    stream?.detach(publication, why, this.#holds.holdMs);
    publication.displace(why);
    if (stream?.state.at === 'held') this.#needs.passedOn(stream, by?.node);
  }

  #giveUp(kept: Kept): void {
    const { keeper, publication } = kept;
    if (this.#kept.get(publication.key) === kept) this.#kept.delete(publication.key);
    this.#end(keeper);
    this.#stepDown(publication);
  }

  /** The publication goes on with a new claim, above every epoch that this process has seen. */
  async #goAbove(kept: Kept): Promise<void> {
    const { key } = kept.publication;
    // Without a publisher there is nothing to go on: players wait for whoever has it.
    if (!kept.publication.isOpen) return this.#giveUp(kept);
    const { reason } = kept.keeper.claim;
    const answer = await this.#needs.claimant.claim(key, { mode: 'takeover', reason }).catch(() => undefined);
    const isOurs = this.#kept.get(key) === kept && kept.keeper.at === 'keeping';
    const claim = answer?.is === 'claimed' ? answer.claim : undefined;
    if (!claim) return isOurs ? this.#giveUp(kept) : undefined;
    const { publication } = kept;
    const keeper = this.#keep(claim, () => publication);
    if (!isOurs || !publication.isOpen || claim.standing === 'provisional') {
      this.#end(keeper);
      return isOurs ? this.#giveUp(kept) : undefined;
    }
    this.#end(kept.keeper);
    this.#kept.set(key, { keeper, publication });
    publication.goOnAs(claim.epoch);
    this.#needs.claimed(key, claim.epoch);
  }

  /** One question at a time for each stream: who asks meanwhile asks no more than that. */
  #dispute(key: StreamKey, epoch: number, settle: (kept: Kept) => Promise<void>): Promise<void> {
    const { claimant } = this.#needs;
    const kept = this.#kept.get(key);
    if (kept?.keeper.at !== 'keeping' || epoch <= kept.keeper.claim.epoch) return Promise.resolve();
    claimant.see(epoch);
    if (claimant.highestEpoch < epoch) return Promise.resolve();
    const pending = this.#disputed.get(key);
    if (pending) return pending;
    // A newer publisher is about to take over: its epoch is the next to be judged.
    if (this.#opening.has(key)) return Promise.resolve();
    const settled = settle(kept).finally(() => this.#disputed.delete(key));
    this.#disputed.set(key, settled);
    return settled;
  }

  #end(keeper: ClaimKeeper): void {
    this.#ended.renewals += keeper.renewals;
    this.#ended.heals += keeper.heals;
    this.#ended.failures += keeper.failures;
    void keeper.release();
  }
}
