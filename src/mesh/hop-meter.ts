// How late frames come from the node that feeds a replica: pure. Each beat of that node tells the newest frame that it has,
// and when it came there; the delay is how much later the same frame came here. A link keeps the order of what is written,
// so a frame that was told is the last one that came, or is yet to come: what has come needs no list.
import type { Place } from './gate.ts';

/** Of what the delay was so long ago, a third counts. */
const SMOOTHED_OVER_MS = 1_000;
/** Frames that were told and have not come: for more, those told last count for nothing. */
const MAX_AWAITED = 64;

/** A frame that the peer has. */
interface Awaited extends Place {
  /** When it came there, by the clock of this node. */
  readonly cameMs: number;
}

/** One upstream's. */
export class HopMeter {
  readonly #sinceMs: number;
  #epoch = 0;
  #seq = -1;
  #arrivedMs = 0;
  /** Oldest first. Bounded by MAX_AWAITED. */
  #awaited: Awaited[] = [];
  #delayMs: number | undefined;
  #jitterMs = 0;
  #sampledMs = 0;

  /** @param nowMs the stream was granted: what the peer had before came late for another reason, and says nothing */
  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** A frame came, whatever becomes of it. */
  arrived(epoch: number, seq: number, nowMs: number): void {
    this.#epoch = epoch;
    this.#seq = seq;
    this.#arrivedMs = nowMs;
    if (this.#awaited.length > 0) this.#settle();
  }

  /** The peer says what its newest frame is, and when that came there, by the clock of this node. */
  told({ epoch, seq }: Place, cameMs: number): void {
    if (cameMs < this.#sinceMs || this.#awaited.length === MAX_AWAITED) return;
    this.#awaited.push({ epoch, seq, cameMs });
    this.#settle();
  }

  /** Since when the peer has had a frame that has not come, by the clock of this node; undefined: it has none. */
  get awaitedMs(): number | undefined {
    return this.#awaited[0]?.cameMs;
  }

  /** The delay of the frames that came, ms; undefined before the first sample. */
  get smoothedMs(): number | undefined {
    return this.#delayMs;
  }

  /** From a frame's arrival at the peer to its arrival here, smoothed, ms; while a frame is awaited it grows with time. */
  delayMs(nowMs: number): number | undefined {
    const { awaitedMs } = this;
    if (awaitedMs === undefined) return this.#delayMs;
    return Math.max(this.#delayMs ?? 0, nowMs - awaitedMs);
  }

  /** Its mean deviation, ms; undefined before the first sample. */
  get jitterMs(): number | undefined {
    return this.#delayMs === undefined ? undefined : this.#jitterMs;
  }

  /** Who was awaited and has come is a sample; one that was passed over, since the peer left it out, is none. */
  #settle(): void {
    let [first] = this.#awaited;
    while (first && !this.#isYetToCome(first)) {
      this.#awaited.shift();
      if (first.epoch === this.#epoch && first.seq === this.#seq) this.#sample(first.cameMs);
      [first] = this.#awaited;
    }
  }

  #isYetToCome({ epoch, seq }: Place): boolean {
    return epoch > this.#epoch || (epoch === this.#epoch && seq > this.#seq);
  }

  #sample(cameMs: number): void {
    // Clocks are known to within some error: a frame does not come before it was sent.
    const delayMs = Math.max(0, this.#arrivedMs - cameMs);
    // By when frames came there: those that come here all at once had their delays one after the other.
    const share = 1 - Math.exp(-Math.max(0, cameMs - this.#sampledMs) / SMOOTHED_OVER_MS);
    this.#sampledMs = cameMs;
    if (this.#delayMs === undefined) {
      this.#delayMs = delayMs;
      return;
    }
    this.#jitterMs += (Math.abs(delayMs - this.#delayMs) - this.#jitterMs) * share;
    this.#delayMs += (delayMs - this.#delayMs) * share;
  }
}
