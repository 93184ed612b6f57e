// When a replica may say that its upstream failed: pure. Three detectors: the link is silent, the stream is stuck, the
// stream is idle (design §6).
import { idleLimitMs } from '../media/pace.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';

/** How often links and streams are looked at. */
export const WATCH_EVERY_MS = 40;
/** Peers beat every 200 ms. */
const BEAT_MS = 200;
const MIN_SILENT_MS = 300;
const STUCK_MS = 300;
/** A look that comes later than this says more about us than about others. */
const LATE_MS = 100;
/** Who dies falls silent and is gone at once: the kernel closes its connections. */
const SILENT_END_MS = 1_000;
/** Of two beats one has come, or nothing is known of the peer, however much the link is used to wait. */
const UNHEARD_MS = 2 * BEAT_MS;

/** How long a link may be without a byte, ms. */
export function silenceLimitMs(rttDevMs: number): number {
  return Math.max(MIN_SILENT_MS, BEAT_MS + 4 * rttDevMs);
}

/** Has a peer been without a word for longer than it may? */
export function isLinkSilent(peer: Pick<Peer, 'silentMs' | 'quality'>, nowMs: number): boolean {
  return peer.silentMs(nowMs) > silenceLimitMs(peer.quality?.rttDevMs ?? 0);
}

/** Is nothing known of what the peer has just now? Sooner so than a link is silent whose beats come late and early. */
export function isUnheard(peer: Pick<Peer, 'silentMs' | 'quality'>, nowMs: number): boolean {
  return peer.silentMs(nowMs) > UNHEARD_MS || isLinkSilent(peer, nowMs);
}

/**
 * Does the end of a link, now, say nothing of the peer? Both sides close a link on which they hear nothing for 2 s: where
 * the way between them was cut, one is the first, and the other may learn of that as the way is back.
 */
export function endsInSilence(peer: Pick<Peer, 'silentMs'>, nowMs: number): boolean {
  return peer.silentMs(nowMs) >= SILENT_END_MS;
}

/** `stuck`: the upstream has frames that it does not send. `idle`: it has none either. */
export type StreamHealth = 'fine' | 'stuck' | 'idle';

/** One subscription, as far as its frames tell. */
export class StreamWatch {
  #arrivedMs: number;
  /** The head that the peer told with its beats. */
  #head: Place | undefined;
  /** Since when that has been ahead of what came. */
  #aheadMs: number | undefined;

  constructor(nowMs: number) {
    this.#arrivedMs = nowMs;
  }

  /** A frame came, whatever became of it. */
  arrived(nowMs: number): void {
    this.#arrivedMs = nowMs;
    this.#aheadMs = undefined;
  }

  /** The peer says how far it has got. */
  peerAt(head: Place): void {
    this.#head = head;
  }

  /** Has the peer told of more than this? */
  isPast(place: Place | undefined): boolean {
    return this.#head !== undefined && isAhead(this.#head, place);
  }

  /**
   * @param place what this node has
   * @param lateMs by how much this look is late: time in which we ourselves stood still counts for nobody
   */
  look(nowMs: number, place: Place | undefined, usualIntervalMs: number, lateMs: number): StreamHealth {
    if (lateMs > LATE_MS) {
      this.#arrivedMs += lateMs;
      if (this.#aheadMs !== undefined) this.#aheadMs += lateMs;
    }
    if (this.isPast(place)) {
      this.#aheadMs ??= nowMs;
      const sinceMs = Math.max(this.#aheadMs, this.#arrivedMs);
      return nowMs - sinceMs >= STUCK_MS ? 'stuck' : 'fine';
    }
    this.#aheadMs = undefined;
    return nowMs - this.#arrivedMs > idleLimitMs(usualIntervalMs) ? 'idle' : 'fine';
  }
}

/** Is `a` further than `b`? */
export function isAhead(a: Place, b: Place | undefined): boolean {
  if (!b) return a.epoch > 0;
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}

/** One switch blocks the next for a while, unless what was switched to is gone (design §6). */
export class SwitchBrake {
  readonly #forMs: number;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(forMs = 2_000) {
    this.#forMs = forMs;
  }

  /** A switch was made, for something that was only suspected. */
  pull(nowMs: number): void {
    this.#untilMs = nowMs + this.#forMs;
  }

  isOn(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }
}
