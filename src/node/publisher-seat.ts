// One publisher of this node, as long as its connection lasts: on air, or standing by for the one who is. The door knows
// no difference; when the two change, standbys.ts and publishing.ts decide.
import type { ByteCount } from '../base/byte-count.ts';
import type { Reason } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { FrameKind } from '../format/frame.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import type { Publication, PublisherInlet, PublishRequest } from '../media/publication.ts';
import { type PaceLimits, PublisherPace } from '../media/publisher-pace.ts';
import { Standby } from '../media/standby.ts';
import type { ClaimReason } from '../registry/registry.ts';

/** `?role=backup` asks to stand by; every other publisher is a primary. */
export type PublisherRole = 'primary' | 'backup';

/** A backup took over from a publisher that was silent; it stands by from then on. */
const FAILED_OVER: Reason = {
  code: 'publish.failed-over',
  message: 'this publisher was silent, and its backup took the stream over: it stands by',
};
/** A newer publisher, or the primary, took over. */
export const TAKEN_OVER: Reason = {
  code: 'publish.taken-over',
  message: 'a newer publisher took the stream over',
};

/** What the publisher is told that loses to such a claim. */
export function lostTo(claim: ClaimReason): Reason {
  return claim === 'failover' ? FAILED_OVER : TAKEN_OVER;
}

export interface SeatNeeds {
  readonly now: () => number;
  readonly budget: MemoryBudget;
  /** What a publisher may send, as it is now. */
  readonly pace: () => PaceLimits;
  /** Of what its publisher sends; asked once it is let in. */
  readonly received: () => ByteCount;
  /** It stands by from now on. */
  readonly standsBy: (seat: PublisherSeat) => void;
  /** It stands by no more: it is on air, or its publisher went. */
  readonly stoodBy: (seat: PublisherSeat) => void;
  /** It is over; told once. */
  readonly left: (seat: PublisherSeat, why: Reason) => void;
}

type SeatState =
  | { readonly at: 'new' }
  | { readonly at: 'on air'; readonly publication: Publication }
  | { readonly at: 'standing by'; readonly standby: Standby }
  | { readonly at: 'left' };

export class PublisherSeat implements PublisherInlet {
  readonly role: PublisherRole;
  /** What its publications are opened with. */
  readonly request: PublishRequest;
  /** When it last took over without a sight of who was on air, by monotonic time. */
  tookBlindlyMs = Number.NEGATIVE_INFINITY;
  readonly startedMs: number;
  /** Media taken from its publisher, bytes. */
  bytes = 0;
  readonly #asked: PublishRequest;
  readonly #needs: SeatNeeds;
  readonly #pace: PublisherPace;
  #state: SeatState = { at: 'new' };
  #received: ByteCount = { bytes: 0 };
  /** What its publications that are over dropped. */
  #droppedBefore = 0;

  constructor(request: PublishRequest, needs: SeatNeeds) {
    this.role = request.query.get('role') === 'backup' ? 'backup' : 'primary';
    this.#asked = request;
    this.request = { ...request, ended: (why) => this.#displaced(why) };
    this.#needs = needs;
    this.startedMs = needs.now();
    this.#pace = new PublisherPace(needs.pace, this.startedMs);
  }

  get key(): StreamKey {
    return this.#asked.key;
  }

  get at(): SeatState['at'] {
    return this.#state.at;
  }

  /** Frames that no decoder could use, of all that it had on air. */
  get dropped(): number {
    return this.#droppedBefore + (this.#state.at === 'on air' ? this.#state.publication.dropped : 0);
  }

  /** What it keeps while it stands by; undefined otherwise. */
  get standby(): Standby | undefined {
    return this.#state.at === 'standing by' ? this.#state.standby : undefined;
  }

  /** Its publisher is gone. */
  get hasLeft(): boolean {
    return this.#state.at === 'left';
  }

  /** From now on what it sends is the stream, what it has kept first. */
  goOnAir(publication: Publication): void {
    const before = this.#become({ at: 'on air', publication });
    if (before.at !== 'standing by') return;
    before.standby.handOver(publication);
    this.#needs.stoodBy(this);
  }

  standBy(): void {
    this.#become({ at: 'standing by', standby: new Standby(this.#needs.now(), this.#needs.budget) });
    this.#needs.standsBy(this);
  }

  append(kind: FrameKind, timestamp: number, payload: Buffer): void {
    const state = this.#state;
    if (state.at === 'left') return;
    const nowMs = this.#needs.now();
    const tooFast = this.#pace.take(payload.length, nowMs);
    if (tooFast) {
      this.kick(tooFast);
      return;
    }
    this.bytes += payload.length;
    this.#received.bytes += payload.length;
    if (state.at === 'on air') state.publication.append(kind, timestamp, payload);
    else if (state.at === 'standing by') state.standby.append(kind, timestamp, payload, nowMs);
  }

  end(why: Reason): void {
    if (this.#state.at === 'left') return;
    const before = this.#become({ at: 'left' });
    if (before.at === 'on air') before.publication.end(why);
    if (before.at === 'standing by') {
      before.standby.clear();
      this.#needs.stoodBy(this);
    }
    this.#needs.left(this, why);
  }

  /** The node ends it while it stands by. */
  dismiss(why: Reason): void {
    if (this.#state.at === 'standing by') this.kick(why);
  }

  /** The node ends it; what it had on air is held. Calm when repeated. */
  kick(why: Reason): void {
    if (this.#state.at === 'left') return;
    this.end(why);
    this.#asked.ended(why);
  }

  /** Its publication is over: who lost to a backup, or is one, stays. */
  #displaced(why: Reason): void {
    const isPassedOver = why.code === FAILED_OVER.code;
    const isBackup = this.role === 'backup' && why.code === TAKEN_OVER.code;
    if (isPassedOver || isBackup) {
      this.standBy();
      return;
    }
    this.#become({ at: 'left' });
    this.#needs.left(this, why);
    this.#asked.ended(why);
  }

  /** Answers what it was before. */
  #become(state: SeatState): SeatState {
    const before = this.#state;
    if (before.at === 'new' && state.at !== 'left') this.#received = this.#needs.received();
    if (before.at === 'on air') this.#droppedBefore += before.publication.dropped;
    this.#state = state;
    return before;
  }
}
