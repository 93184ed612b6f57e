// Round trip, its deviation and the offset of the peer's clock, from beats. Pure: time comes in by hand.
import type { Control } from '../format/mesh/control.ts';
import type { LinkQuality } from './peer.ts';

/** The part of a link's quality that echoes tell. */
export type RoundTrip = Pick<LinkQuality, 'rttMs' | 'rttDevMs' | 'offsetMs'>;

/** As RFC 6298 §2 smooths them. */
const RTT_SHARE = 1 / 8;
const DEVIATION_SHARE = 1 / 4;
/** A round trip above it is no measurement. */
const MAX_RTT_MS = 10_000;
/** Peers beat every 200 ms: one that comes so long after the one before tells that the way, or the peer, stood still. */
const STOOD_STILL_MS = 500;
/**
 * The offset is taken from the quickest of so many samples: what made a beat late on one way only is an error of the
 * offset (RFC 5905 §10 does likewise).
 */
const OFFSET_SAMPLES = 8;

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number;
}

type Beat = Pick<Control<'beat'>, 'at' | 'echo'>;

/** One link's. */
export class QualityMeter {
  readonly #samples: Sample[] = [];
  #rttMs = 0;
  #rttDevMs = 0;
  #heard: { readonly at: number; readonly atMs: number } | undefined;
  /** When beats came again after the way had stood still. */
  #resumedMs = Number.NEGATIVE_INFINITY;

  /** Undefined before the first sample. */
  get quality(): RoundTrip | undefined {
    const [first, ...others] = this.#samples;
    if (first === undefined) return undefined;
    let quickest = first;
    for (const sample of others) if (sample.rttMs < quickest.rttMs) quickest = sample;
    return { rttMs: this.#rttMs, rttDevMs: this.#rttDevMs, offsetMs: quickest.offsetMs };
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
    if (beat.echo.at < this.#resumedMs && this.#samples.length > 0) return;
    this.#smooth(rttMs);
    this.#samples.push({ rttMs, offsetMs: beat.at + rttMs / 2 - nowMs });
    if (this.#samples.length > OFFSET_SAMPLES) this.#samples.shift();
  }

  #smooth(rttMs: number): void {
    if (this.#samples.length === 0) {
      this.#rttMs = rttMs;
      this.#rttDevMs = rttMs / 2;
      return;
    }
    this.#rttDevMs += (Math.abs(rttMs - this.#rttMs) - this.#rttDevMs) * DEVIATION_SHARE;
    this.#rttMs += (rttMs - this.#rttMs) * RTT_SHARE;
  }
}
