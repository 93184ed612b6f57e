// What the media of a node counts: plain fields that metrics read when somebody asks.
import type { LeftOut } from './shedding.ts';

/** Of all fan-outs of one format, ever. */
export class FanOutCounters {
  /** Batches that were encoded for live players, writes of them, and the bytes of those. */
  flushes = 0;
  writes = 0;
  bytes = 0;
}

/** Reasons of ends that are told apart; more count as `other`. */
const MAX_CODES = 100;

export class MediaCounters {
  /** Bounded by the formats that there are. */
  readonly byFormat = new Map<string, FanOutCounters>();
  /** Players now. */
  players = 0;
  /** Players that are over, by the code of the reason: at most MAX_CODES of them, since peers tell some. */
  readonly ended = new Map<string, number>();
  /** Frames left out for slow players and followers that are over. */
  leftOutDisposable = 0;
  leftOutVideo = 0;
  /** Times that they went on at a newer start. */
  skips = 0;

  /** A player is over, for this reason. */
  countEnd(code: string): void {
    const known = this.ended.has(code) || this.ended.size < MAX_CODES ? code : 'other';
    this.ended.set(known, (this.ended.get(known) ?? 0) + 1);
  }

  /** A reader is over: what it went without is counted from now on here. */
  over({ leftOut, skips }: { readonly leftOut: LeftOut; readonly skips: number }): void {
    this.leftOutDisposable += leftOut.disposable;
    this.leftOutVideo += leftOut.video;
    this.skips += skips;
  }

  of(format: string): FanOutCounters {
    const known = this.byFormat.get(format);
    if (known) return known;
    const counters = new FanOutCounters();
    this.byFormat.set(format, counters);
    return counters;
  }
}
