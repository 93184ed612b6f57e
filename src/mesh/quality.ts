// Round trip, its deviation and the offset of the peer's clock, from beats (decision 11). Pure: time comes in by hand.
import type { Control } from '../format/mesh/control.ts';
import type { LinkQuality } from './peer.ts';

/** The part of a link's quality that echoes tell. */
export type RoundTrip = Pick<LinkQuality, 'rttMs' | 'rttDevMs' | 'offsetMs' | 'errorMs'>;

/** As RFC 6298 §2 smooths them. */
const RTT_SHARE = 1 / 8;
const DEVIATION_SHARE = 1 / 4;
/** A round trip above it is no measurement. */
const MAX_RTT_MS = 10_000;
/** Peers beat every 200 ms: one that comes so long after the one before tells that the way, or the peer, stood still. */
const STOOD_STILL_MS = 500;
/** Two hosts' clocks are apart by so much more for each ms that goes by: those of usual hosts are well below. */
const DRIFT = 50e-6;

/** What one echo says of the offset: it is wrong by half its round trip at most, when all of that was on one way. */
interface Sample {
  readonly atMs: number;
  readonly rttMs: number;
  readonly offsetMs: number;
}

type Beat = Pick<Control<'beat'>, 'at' | 'echo'>;

/** One link's. */
export class QualityMeter {
  /**
   * Of all samples, the one with the least bound on its error now. So the offset is that of a quick moment, and does not
   * move when one way becomes slower, until drift may have made up for the difference (RFC 5905 §10 is like it).
   */
  #best: Sample | undefined;
  #rttMs = 0;
  #rttDevMs = 0;
  #heard: { readonly at: number; readonly atMs: number } | undefined;
  /** When beats came again after the way had stood still. */
  #resumedMs = Number.NEGATIVE_INFINITY;

  /** Undefined before the first sample. */
  quality(nowMs: number): RoundTrip | undefined {
    if (this.#best === undefined) return undefined;
    const { offsetMs } = this.#best;
    return { rttMs: this.#rttMs, rttDevMs: this.#rttDevMs, offsetMs, errorMs: errorMs(this.#best, nowMs) };
  }

  /** What the next beat says of the peer's last one. */
  echo(nowMs: number): Control<'beat'>['echo'] {
    if (this.#heard === undefined) return undefined;
    return { at: this.#heard.at, heldMs: Math.max(0, nowMs - this.#heard.atMs) };
  }

  /**
   * Takes a beat of the peer.
   * @param nowMs when it was read
   * @param isTimely false if this process stood still meanwhile: when the beat came, nobody knows
   */
  take(beat: Beat, nowMs: number, isTimely: boolean): void {
    if (this.#heard && nowMs - this.#heard.atMs > STOOD_STILL_MS) this.#resumedMs = nowMs;
    this.#heard = { at: beat.at, atMs: nowMs };
    if (beat.echo === undefined || !isTimely) return;
    const rttMs = nowMs - beat.echo.at - beat.echo.heldMs;
    // An echo of a beat that was never sent, or that is too old to say anything.
    if (!(rttMs >= 0 && rttMs <= MAX_RTT_MS)) return;
    // How long a beat stood is no jitter: were it taken for that, the next silence would be found late.
    if (beat.echo.at < this.#resumedMs && this.#best) return;
    this.#smooth(rttMs);
    const sample = { atMs: nowMs, rttMs, offsetMs: beat.at + rttMs / 2 - nowMs };
    if (!this.#best || errorMs(sample, nowMs) <= errorMs(this.#best, nowMs)) this.#best = sample;
  }

  #smooth(rttMs: number): void {
    if (this.#best === undefined) {
      this.#rttMs = rttMs;
      this.#rttDevMs = rttMs / 2;
      return;
    }
    this.#rttDevMs += (Math.abs(rttMs - this.#rttMs) - this.#rttDevMs) * DEVIATION_SHARE;
    this.#rttMs += (rttMs - this.#rttMs) * RTT_SHARE;
  }
}

function errorMs({ atMs, rttMs }: Sample, nowMs: number): number {
  return rttMs / 2 + Math.max(0, nowMs - atMs) * DRIFT;
}
