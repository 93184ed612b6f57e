// How a publish comes about on this node: authorised, within the limits, and claimed from the registry; how long its
// claim is kept: while the stream is live or held; and what becomes of it when a peer knows a higher epoch.
import type { Authorizer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import {
  type HoldTimes,
  Publication,
  type PublisherInlet,
  type PublishRequest,
} from '../media/publication.ts';
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { ClaimKeeper } from '../registry/claim-keeper.ts';
import type { Claimant, HeldClaim } from '../registry/claimant.ts';
import type { ClaimReason, ClaimRequest, OriginRecord, Registry } from '../registry/registry.ts';
import { FAILED_OVER, PublisherSeat, TAKEN_OVER } from './publisher-seat.ts';
import { Standbys } from './standbys.ts';

export interface PublishingOptions {
  /** What a second publisher of a stream gets: the stream, or a refusal. */
  readonly policy: 'takeover' | 'reject';
  readonly holds: HoldTimes;
}

export interface PublishingNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly authorizer: Authorizer;
  readonly budget: MemoryBudget;
  readonly directory: StreamDirectory;
  readonly claimant: Claimant;
  readonly registry: Pick<Registry, 'renew' | 'release' | 'putBackup' | 'deleteBackup'>;
  /** A stream is wanted on this node: a publisher stands by for it. */
  readonly seek: (key: StreamKey) => void;
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

const LEFT: Reason = { code: 'publish.lost', message: 'the publisher went before it was on air' };

export class Publishing {
  readonly #options: PublishingOptions;
  readonly #needs: PublishingNeeds;
  /** Of the streams that are published here, or held; bounded by limits.streams. */
  readonly #kept = new Map<StreamKey, Kept>();
  /** Keys of which a higher epoch is being looked into. */
  readonly #disputed = new Map<StreamKey, Promise<void>>();
  /** Keys that are being claimed. */
  readonly #opening = new Set<StreamKey>();
  readonly #standbys: Standbys;
  /** Publications ever opened. */
  opened = 0;
  /** What the claims that are over did; those that are kept have their own. */
  readonly #ended = { renewals: 0, heals: 0, failures: 0 };

  constructor(options: PublishingOptions, needs: PublishingNeeds) {
    this.#options = options;
    this.#needs = needs;
    const { clock, log, claimant, registry, directory, seek } = needs;
    this.#standbys = new Standbys({
      ...{ clock, log, registry, seek, owner: claimant.owner },
      streamOf: (key) => directory.get(key),
      takeOver: (seat) => this.takeOver(seat),
    });
  }

  /** Takes a publisher in: on air, or to stand by. See OpenPublication for what it throws. */
  async open(request: PublishRequest): Promise<PublisherInlet> {
    const { authorizer, budget, directory, clock } = this.#needs;
    authorizer.checkPublish(request.query);
    if (budget.isOver) {
      throw new TidewayError(
        'publish.no-memory',
        'the streams of this node use all the memory they may: try later',
      );
    }
    const { key } = request;
    const seat = new PublisherSeat(request, {
      now: () => clock.now(),
      standsBy: (standing) => this.#standbys.add(standing),
      stoodBy: (standing) => this.#standbys.remove(standing),
    });
    directory.checkRoom(key);
    if (seat.role === 'backup') {
      await this.#standbys.admit(key);
      seat.standBy();
    } else {
      await this.#openPrimary(seat);
    }
    return seat;
  }

  /** A publisher that stands by goes on air. @throws TidewayError `registry.*`, `publish.*` if it can't */
  async takeOver(seat: PublisherSeat): Promise<void> {
    const reason = seat.role === 'backup' ? 'failover' : 'publish';
    await this.#claim(seat, { mode: 'takeover', reason });
  }

  /** Does a publisher of this node stand by for the stream? */
  standsBy(key: StreamKey): boolean {
    return this.#standbys.has(key);
  }

  get standbys(): { readonly count: number; readonly takeovers: number } {
    return this.#standbys;
  }

  /** Ends the publishers that stand by: the node stops. */
  dismiss(why: Reason): void {
    this.#standbys.stop(why);
  }

  /** What its claims are, and did. */
  get claims(): ClaimCounts {
    const counts = { ...this.#ended, granted: 0, provisional: 0 };
    for (const { keeper } of this.#kept.values()) {
      if (keeper.at === 'keeping') counts[keeper.standing] += 1;
      counts.renewals += keeper.renewals;
      counts.heals += keeper.heals;
      counts.failures += keeper.failures;
    }
    return counts;
  }

  /** The claim of a stream whose origin is this node, live or held. */
  originOf(key: StreamKey): HeldClaim | undefined {
    const keeper = this.#kept.get(key)?.keeper;
    return keeper?.at === 'keeping' ? keeper.claim : undefined;
  }

  /** Renews every claim at a random moment of the next `ms`: the registry was wiped, or is back. */
  renewAllWithin(ms: number): void {
    for (const { keeper } of this.#kept.values()) keeper.renewWithin(ms);
  }

  /** A stream here went live, into hold, or ended: its claim says so, or goes. */
  streamChanged({ key, state }: Stream): void {
    const keeper = this.#kept.get(key)?.keeper;
    if (state.at === 'ended') {
      this.#kept.delete(key);
      if (keeper) this.#end(keeper);
    } else {
      keeper?.setState(state.at === 'held' ? 'held' : 'live');
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

  /** Where a second publisher is refused, a primary whose backup is on air is not: it stands by, and takes back. */
  async #openPrimary(seat: PublisherSeat): Promise<void> {
    const mode = this.#options.policy;
    if (mode === 'reject' && this.originOf(seat.key)?.reason === 'failover') {
      seat.standBy();
      return;
    }
    this.#checkTaken(seat.key);
    const by = await this.#claim(seat, { mode, reason: 'publish' });
    if (by?.reason === 'failover') seat.standBy();
    else if (by) throw taken(seat.key);
  }

  /** Puts a publisher on air; answers who has the stream instead, if the claim was declined. */
  async #claim(
    seat: PublisherSeat,
    how: { readonly mode: ClaimRequest['mode']; readonly reason: ClaimReason },
  ): Promise<OriginRecord | undefined> {
    const { key } = seat;
    this.#opening.add(key);
    try {
      // A claim that goes above another's must not come after ours, and pass it.
      await this.#disputed.get(key);
      const answer = await this.#needs.claimant.claim(key, how);
      if (answer.is === 'taken') return answer.by;
      this.#begin(seat, answer.claim);
      this.opened += 1;
      return undefined;
    } finally {
      this.#opening.delete(key);
    }
  }

  #begin(seat: PublisherSeat, claim: HeldClaim): void {
    const { clock, log, directory } = this.#needs;
    const { key } = seat;
    let publication: Publication | undefined;
    const keeper = this.#keep(claim, () => publication);
    try {
      if (seat.hasLeft) throw new TidewayError(LEFT.code, LEFT.message);
      const stream = directory.feed(key);
      if (stream.epoch > claim.epoch) throw new TidewayError(TAKEN_OVER.code, TAKEN_OVER.message);
      const grant = { epoch: claim.epoch, stream, holds: this.#options.holds };
      publication = new Publication(seat.request, grant, { clock, log });
      const before = this.#kept.get(key);
      if (before) this.#end(before.keeper);
      this.#kept.set(key, { keeper, publication });
      stream.attach(publication, reasonOf(claim.reason));
      seat.goOnAir(publication);
    } catch (error) {
      this.#end(keeper);
      throw error;
    }
    this.#needs.claimed(key, claim.epoch);
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
    const why = reasonOf(by?.reason ?? 'publish');
    stream?.detach(publication, why, this.#options.holds.holdMs);
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

  /** Lets the newest publisher win, within the limit of takeovers. */
  #checkTaken(key: StreamKey): void {
    const stream = this.#needs.directory.get(key);
    const source = stream?.state.at === 'live' ? stream.state.source : undefined;
    if (this.#options.policy === 'reject' && (source || this.#opening.has(key))) throw taken(key);
    if (!stream || !source) return;
    const nowMs = this.#needs.clock.now();
    if (!stream.takeovers.allows(nowMs, source.silentMs(nowMs))) {
      const message = `${key} was taken over 3 times within a minute: stop one of the two publishers, wait a minute`;
      throw new TidewayError('publish.taken', message);
    }
  }
}

/** What the publisher is told that loses to such a claim. */
function reasonOf(claim: ClaimReason): Reason {
  return claim === 'failover' ? FAILED_OVER : TAKEN_OVER;
}

function taken(key: StreamKey): TidewayError {
  return new TidewayError('publish.taken', `${key} is being published: stop the other publisher first`);
}
