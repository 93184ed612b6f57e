// The publishers of this node that stand by: it looks whether those who are on air fall silent, or have been given back
// their health, and says when one is to take over (design §6, backup publisher).
import { type Clock, every, type Timer } from '../base/clock.ts';
import { messageOf, type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { idleLimitMs } from '../media/pace.ts';
import type { Stream } from '../media/stream.ts';
import { isAway } from '../registry/guarded.ts';
import { CLAIM_LEASE_MS, type Owner, type Registry } from '../registry/registry.ts';
import type { PublisherSeat } from './publisher-seat.ts';

const LOOK_EVERY_MS = 50;
/** A stream that nobody has is given so long to be found. */
const ABSENT_MS = 1_000;
/** A primary that has sent for so long without a silence takes the stream back. */
const WELL_MS = 10_000;
/** A takeover that failed is tried again after so long. */
const TRY_AGAIN_MS = 1_000;
/** After a takeover without a sight of the primary, the next one within so long needs more proof. */
const QUIET_MS = 60_000;
/** The lease of a backup's record is 10 s. */
const RENEW_MS = 3_000;
/** An origin that lives renews its claim within this long. */
const CLAIM_SHOWS_MS = 4_000;

/**
 * What a node sees of a stream that is fed from elsewhere: `clear` its origin, or that there is none; `relayed` an upstream
 * that is not the origin; `lost` its upstream is gone; `silent` its upstream can't be heard, whether the peer stands still
 * or the way to it, and whether its link is there yet or has ended since.
 */
export type Sight = 'clear' | 'relayed' | 'lost' | 'silent';

/** What a node can tell of streams that are fed from elsewhere. */
export interface StreamSight {
  of(key: StreamKey): Sight;
  /** Has any peer newer frames than this node? Never rejects. */
  peersAreAhead(key: StreamKey): Promise<boolean>;
  /** The stream is wanted on this node, though nobody plays it. */
  seek(key: StreamKey): void;
}

/** Of a node alone: what it has, it has itself. */
export const SIGHT_OF_ONE: StreamSight = {
  of: () => 'clear',
  peersAreAhead: async () => false,
  seek: () => {},
};

export interface StandbysNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: Owner;
  readonly registry: Pick<Registry, 'putBackup' | 'deleteBackup' | 'lookup'>;
  readonly streamOf: (key: StreamKey) => Stream | undefined;
  readonly sight: StreamSight;
  /** Puts a publisher on air; rejects or changes nothing if it can't. */
  readonly takeOver: (seat: PublisherSeat) => Promise<void>;
}

/** What is known of one that stands by. */
interface Watched {
  /** Since when this node has not had the stream; undefined while it has. */
  absentSinceMs: number | undefined;
  /** Not tried before. */
  nextTryMs: number;
  isTrying: boolean;
  nextPutMs: number;
}

const NEWER_BACKUP: Reason = {
  code: 'publish.taken-over',
  message: 'a newer backup of the stream came to this node',
};

export class Standbys {
  readonly #needs: StandbysNeeds;
  /** By stream: primary and backup can both stand by for one. Bounded by the connections of the doors. */
  readonly #seats = new Map<StreamKey, Map<PublisherSeat, Watched>>();
  #timer: Timer | undefined;
  /** Takeovers by one that stood by. */
  takeovers = 0;

  constructor(needs: StandbysNeeds) {
    this.#needs = needs;
  }

  get count(): number {
    let count = 0;
    for (const seats of this.#seats.values()) count += seats.size;
    return count;
  }

  /** Does a publisher of this node stand by for the stream? */
  has(key: StreamKey): boolean {
    return this.#seats.has(key);
  }

  /**
   * May a backup of the stream stand by here? One that did before on this node makes room.
   * @throws TidewayError `publish.backup-taken`, `registry.*`
   */
  async admit(key: StreamKey): Promise<void> {
    if ((await this.#put(key)) === 'taken') {
      throw new TidewayError('publish.backup-taken', `a backup of ${key} stands by on another node already`);
    }
    for (const seat of [...(this.#seats.get(key)?.keys() ?? [])]) {
      if (seat.role === 'backup') seat.dismiss(NEWER_BACKUP);
    }
    // Who made room took the record along.
    await this.#put(key);
  }

  add(seat: PublisherSeat): void {
    const seats = this.#seats.get(seat.key) ?? new Map<PublisherSeat, Watched>();
    seats.set(seat, { absentSinceMs: undefined, nextTryMs: 0, isTrying: false, nextPutMs: 0 });
    this.#seats.set(seat.key, seats);
    this.#timer ??= every(this.#needs.clock, LOOK_EVERY_MS, () => this.#look());
    this.#needs.log.info(
      { stream: seat.key, session: seat.request.session, role: seat.role, remote: seat.request.remote },
      'publish.stands-by',
    );
  }

  remove(seat: PublisherSeat): void {
    const seats = this.#seats.get(seat.key);
    if (!seats?.delete(seat)) return;
    if (seats.size === 0) this.#seats.delete(seat.key);
    if (this.#seats.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (seat.role === 'backup') {
      this.#needs.registry.deleteBackup(seat.key, this.#needs.owner).catch(() => {}); // The lease runs out.
    }
  }

  /** Ends all that stand by. */
  stop(why: Reason): void {
    for (const [seat] of this.#all()) seat.dismiss(why);
  }

  #look(): void {
    const nowMs = this.#needs.clock.now();
    for (const [seat, watched] of this.#all()) {
      if (seat.role === 'backup' && nowMs >= watched.nextPutMs) {
        watched.nextPutMs = nowMs + RENEW_MS;
        void this.#put(seat.key).catch(() => {}); // It stands by all the same.
      }
      if (!watched.isTrying && nowMs >= watched.nextTryMs && this.#isDue(seat, watched, nowMs)) {
        void this.#takeOver(seat, watched);
      }
    }
  }

  /** A row of its own: who stands by changes while it is walked. */
  #all(): [PublisherSeat, Watched][] {
    return [...this.#seats.values()].flatMap((seats) => [...seats]);
  }

  #isDue(seat: PublisherSeat, watched: Watched, nowMs: number): boolean {
    const { standby } = seat;
    const stream = this.#needs.streamOf(seat.key);
    if (stream) watched.absentSinceMs = undefined;
    else if (watched.absentSinceMs === undefined) {
      watched.absentSinceMs = nowMs;
      this.#needs.sight.seek(seat.key);
    }
    if (!standby?.isReady(nowMs)) return false;
    if (seat.role === 'primary' && standby.wellMs(nowMs) >= WELL_MS) return true;
    if (stream) return isSilent(stream, nowMs);
    return nowMs - (watched.absentSinceMs ?? nowMs) >= ABSENT_MS;
  }

  async #takeOver(seat: PublisherSeat, watched: Watched): Promise<void> {
    watched.isTrying = true;
    try {
      if (await this.#isCalledFor(seat)) {
        const isBlind = this.#needs.sight.of(seat.key) !== 'clear';
        await this.#needs.takeOver(seat);
        if (!seat.standby && !seat.hasLeft) this.takeovers += 1;
        if (!seat.standby && isBlind) seat.tookBlindlyMs = this.#needs.clock.now();
      }
    } catch (error) {
      const { session } = seat.request;
      const fields = { stream: seat.key, session, role: seat.role, detail: messageOf(error) };
      this.#needs.log.warn(fields, 'publish.takeover-failed');
    }
    watched.isTrying = false;
    watched.nextTryMs = this.#needs.clock.now() + TRY_AGAIN_MS;
  }

  /**
   * What looks like the silence of a publisher may be this node's own loss of its upstream. Peers that have newer frames
   * prove the publisher alive; so does a claim that was renewed since the silence began, where the upstream can't be heard.
   */
  async #isCalledFor(seat: PublisherSeat): Promise<boolean> {
    const { standby, role } = seat;
    const isWell = role === 'primary' && (standby?.wellMs(this.#needs.clock.now()) ?? 0) >= WELL_MS;
    return isWell || this.#isSilenceOfPublisher(seat);
  }

  async #isSilenceOfPublisher({ key, role, tookBlindlyMs }: PublisherSeat): Promise<boolean> {
    const { clock, sight, streamOf, registry, owner } = this.#needs;
    const stream = streamOf(key);
    if (stream && sight.of(key) === 'clear') return true;
    if (await sight.peersAreAhead(key)) return false;
    // What was under way came meanwhile.
    if (stream && !isSilent(stream, clock.now())) return false;
    if (stream && sight.of(key) === 'relayed') return true;
    // A backup is there for this: its primary's node closed, and nobody has heard of it since. Two that can't reach each
    // other would do so in turn for ever: the second time within a minute, the claim has to show it.
    const isFirst = clock.now() - tookBlindlyMs >= QUIET_MS;
    if (stream && role === 'backup' && sight.of(key) === 'lost' && isFirst) return true;
    const found = await registry.lookup(key).catch(() => undefined);
    const origin = found?.origin;
    if (origin?.state !== 'live' || origin.node === owner.node) return true;
    const silentMs = stream?.silentMs(clock.now()) ?? CLAIM_SHOWS_MS;
    const renewedMs = CLAIM_LEASE_MS - origin.leaseMs + (found?.ageMs ?? 0);
    return renewedMs >= silentMs && silentMs >= CLAIM_SHOWS_MS;
  }

  /** While the registry is away nobody can say, and the backup stands by. */
  async #put(key: StreamKey): Promise<'put' | 'taken'> {
    const { owner, registry } = this.#needs;
    try {
      return await registry.putBackup(key, { ...owner, publisher: `${owner.node}-backup` });
    } catch (error) {
      if (isAway(error)) return 'put';
      throw error;
    }
  }
}

function isSilent(stream: Stream, nowMs: number): boolean {
  return stream.silentMs(nowMs) > idleLimitMs(stream.usualIntervalMs);
}
