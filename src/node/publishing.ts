// How a publish comes about on this node: authorised, within the limits, on air or standing by. What becomes of its claim
// is claims.ts's.
import type { Authorizer } from '../auth/authorizer.ts';
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import {
  type HoldTimes,
  Publication,
  type PublisherInlet,
  type PublishRequest,
} from '../media/publication.ts';
import { type PaceLimits, TOO_FAST } from '../media/publisher-pace.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import type { Claimant, HeldClaim } from '../registry/claimant.ts';
import type { ClaimReason, ClaimRequest, OriginRecord, Registry } from '../registry/registry.ts';
import { Claims, type ClaimsNeeds } from './claims.ts';
import { lostTo, PublisherSeat, TAKEN_OVER } from './publisher-seat.ts';
import { Standbys, type StreamSight } from './standbys.ts';

export interface PublishingOptions {
  /** Backups that may stand by on this node. */
  readonly maxStandbys: number;
  /** What a second publisher of a stream gets: the stream, or a refusal. */
  readonly policy: 'takeover' | 'reject';
  readonly holds: HoldTimes;
  /** What a publisher may send, as it is now; undefined: whatever it likes. */
  readonly pace?: (() => PaceLimits) | undefined;
}

export interface PublishingNeeds extends Pick<ClaimsNeeds, 'claimed' | 'passedOn'> {
  readonly clock: Clock;
  readonly log: Log;
  readonly authorizer: Pick<Authorizer, 'admitPublisher'>;
  readonly budget: MemoryBudget;
  readonly directory: StreamDirectory;
  readonly claimant: Claimant;
  readonly registry: Pick<Registry, 'renew' | 'release' | 'putBackup' | 'deleteBackup' | 'lookup'>;
  /** What this node can tell of streams that are fed from elsewhere. */
  readonly sight: StreamSight;
  /** What publishers send is added to this count; undefined: nobody asks. */
  readonly received?: ((key: StreamKey, protocol: PublishRequest['protocol']) => ByteCount) | undefined;
  /** Told of its publishers; undefined: nobody is. */
  readonly sessions?: PublisherRegister | undefined;
}

/** Who is told which publishers there are, and by which ids. */
export interface PublisherRegister {
  /** The id, for a session that begins now: another one, if it has come into use meanwhile. */
  free(session: string): string;
  /** It asks to publish. */
  opened(seat: PublisherSeat): void;
  /** It was told no. */
  refused(seat: PublisherSeat): void;
  /** It was one, and is over. */
  closed(seat: PublisherSeat, why: Reason): void;
}

const UNLIMITED: PaceLimits = {
  maxMbps: Number.MAX_SAFE_INTEGER,
  maxFramesPerSecond: Number.MAX_SAFE_INTEGER,
};
const LEFT: Reason = { code: 'publish.lost', message: 'the publisher went before it was on air' };

export class Publishing {
  readonly #options: PublishingOptions;
  readonly #needs: PublishingNeeds;
  readonly claims: Claims;
  readonly #standbys: Standbys;
  /** Publications ever opened. */
  opened = 0;
  /** Publishers that were ended for sending too much. */
  tooFast = 0;

  constructor(options: PublishingOptions, needs: PublishingNeeds) {
    this.#options = options;
    this.#needs = needs;
    const { clock, log, claimant, registry, directory, sight, claimed, passedOn } = needs;
    this.claims = new Claims(options.holds, {
      ...{ clock, directory, claimant, registry, claimed, passedOn },
    });
    this.#standbys = new Standbys({
      ...{ clock, log, registry, sight, owner: claimant.owner },
      streamOf: (key) => directory.get(key),
      takeOver: (seat) => this.takeOver(seat),
    });
  }

  /** Takes a publisher in: on air, or to stand by. See OpenPublication for what it throws. */
  async open(request: PublishRequest): Promise<PublisherInlet> {
    const { authorizer, budget, clock, sessions, received } = this.#needs;
    await authorizer.admitPublisher(request);
    const session = sessions?.free(request.session) ?? request.session;
    const seat = new PublisherSeat(
      { ...request, session },
      {
        ...{ budget, now: () => clock.now(), pace: this.#options.pace ?? (() => UNLIMITED) },
        received: () => received?.(request.key, request.protocol) ?? { bytes: 0 },
        standsBy: (standing) => this.#standbys.add(standing),
        stoodBy: (standing) => this.#standbys.remove(standing),
        left: (gone, why) => {
          if (why.code === TOO_FAST) this.tooFast += 1;
          sessions?.closed(gone, why);
        },
      },
    );
    sessions?.opened(seat);
    try {
      await this.#take(seat);
    } catch (error) {
      sessions?.refused(seat);
      throw error;
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

  get tables(): Table[] {
    const { maxStandbys: limit } = this.#options;
    return [{ table: 'standbys', entries: this.#standbys.count, limit }, ...this.claims.tables];
  }

  /** Publishers of this node, on air or standing by. */
  get publisherCount(): number {
    return this.claims.publisherCount + this.#standbys.count;
  }

  /** Ends the publishers that stand by: the node stops, or is emptied. */
  dismiss(why: Reason): void {
    this.#standbys.stop(why);
  }

  /** Ends all publishers; what they had on air is held. */
  endPublishers(why: Reason): void {
    this.dismiss(why);
    this.claims.endPublishers(why);
  }

  async #take(seat: PublisherSeat): Promise<void> {
    this.#checkMemory(seat);
    this.#needs.directory.checkRoom(seat.key);
    if (seat.role === 'backup') {
      this.#checkRoomToStandBy(seat.key);
      await this.#standbys.admit(seat.key);
      seat.standBy();
    } else {
      await this.#openPrimary(seat);
    }
  }

  /** Where a second publisher is refused, a primary whose backup is on air is not: it stands by, and takes back. */
  async #openPrimary(seat: PublisherSeat): Promise<void> {
    const mode = this.#options.policy;
    if (mode === 'reject' && this.claims.originOf(seat.key)?.reason === 'failover') {
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
    const by = await this.claims.claim(seat.key, how, (claim, keep) => this.#begin(seat, claim, keep));
    if (!by) this.opened += 1;
    return by;
  }

  #begin(seat: PublisherSeat, claim: HeldClaim, keep: (publication: Publication) => void): void {
    const { clock, log, budget, directory } = this.#needs;
    if (seat.hasLeft) throw new TidewayError(LEFT.code, LEFT.message);
    const stream = directory.feed(seat.key);
    if (stream.epoch > claim.epoch) throw new TidewayError(TAKEN_OVER.code, TAKEN_OVER.message);
    const grant = { epoch: claim.epoch, stream, holds: this.#options.holds };
    const publication = new Publication(seat.request, grant, { clock, log, budget });
    keep(publication);
    stream.attach(publication, lostTo(claim.reason));
    seat.goOnAir(publication);
  }

  /** The memory of a stream that is here is counted already: who comes back to it is no new publisher. */
  #checkMemory({ role, key }: PublisherSeat): void {
    const { budget, directory } = this.#needs;
    if (!budget.refusesJoins || (role === 'primary' && directory.has(key))) return;
    const message = 'the media of this node use nearly all the memory they may: try later, or another node';
    throw new TidewayError('publish.no-memory', message);
  }

  #checkRoomToStandBy(key: StreamKey): void {
    const { maxStandbys } = this.#options;
    if (this.#standbys.has(key) || this.#standbys.count < maxStandbys) return;
    const message = `${maxStandbys} publishers stand by on this node already: raise limits.streams`;
    throw new TidewayError('publish.too-many-streams', message, { standbys: maxStandbys });
  }

  /** Lets the newest publisher win, within the limit of takeovers. */
  #checkTaken(key: StreamKey): void {
    const stream = this.#needs.directory.get(key);
    const source = stream?.state.at === 'live' ? stream.state.source : undefined;
    if (this.#options.policy === 'reject' && (source || this.claims.isOpening(key))) throw taken(key);
    if (!stream || !source) return;
    const nowMs = this.#needs.clock.now();
    if (!stream.takeovers.allows(nowMs, source.silentMs(nowMs))) {
      const message = `${key} was taken over 3 times within a minute: stop one of the two publishers, wait a minute`;
      throw new TidewayError('publish.taken', message);
    }
  }
}

function taken(key: StreamKey): TidewayError {
  return new TidewayError('publish.taken', `${key} is being published: stop the other publisher first`);
}
