// Times of a stream: pure. unwrapTime makes dts of a publisher's 32-bit times; Timeline makes of the dts of one epoch
// after the other the one time that this node's players see.
import { FrameKind } from '../format/frame.ts';

/** Time towards players never leaps by more, ms. */
export const MAX_LEAP_MS = 3000;
/** A track that steps back by up to this much is clamped; by more, its timeline is broken and is spliced. */
const BACKSTEP_MS = 200;
/** Players read FLV time as signed 31 bits, so times are served relative to a base that moves by this much. */
export const ERA_MS = 2 ** 30;
/** A player of an era ends before its time reaches this. */
export const ERA_LIMIT_MS = 2 ** 31 - 10_000;

/** The dts nearest to `reference` that a wire time modulo 2^32 can mean. */
export function unwrapTime(timestamp: number, reference: number | undefined): number {
  return reference === undefined ? timestamp : reference + ((timestamp - reference) | 0);
}

/**
 * What a publisher's dts is shown as. One offset for all tracks; a new one for each epoch, and where the publisher's
 * own clock leaps. Times are at least 0, never fall within a track, never leap by more than MAX_LEAP_MS.
 */
export class Timeline {
  #offset = 0;
  #floor = 0;
  /** The newest time of any track, and when it was placed; undefined before the first epoch. */
  #newest: { time: number; atMs: number } | undefined;
  #lastAudio = 0;
  #lastVideo = 0;
  #lastData = 0;

  /**
   * Begins an epoch. Real time since the last frame is kept, up to MAX_LEAP_MS: what the epoch has by now ends there.
   * @param firstDts the lowest dts of the epoch's first frames
   * @param newestDts the highest
   */
  splice(firstDts: number, nowMs: number, newestDts = firstDts): void {
    // The first epoch keeps the publisher's own times, but for whole eras.
    const start = this.#newest
      ? this.#newest.time + Math.max(1, this.#elapsed(nowMs) - (newestDts - firstDts))
      : ((firstDts % ERA_MS) + ERA_MS) % ERA_MS;
    this.#offset = start - firstDts;
    this.#floor = start;
    this.#lastAudio = start;
    this.#lastVideo = start;
    this.#lastData = start;
  }

  /** The time of what follows the tracks and never moves them: decoder set-up, data. */
  follow(kind: FrameKind, dts: number): number {
    const newest = this.#newest?.time ?? this.#floor;
    const time = Math.max(this.#lastOf(kind), Math.min(dts + this.#offset, newest));
    if (kind === FrameKind.data) this.#lastData = time;
    return time;
  }

  /** The time at which players show a frame of audio or video. */
  place(kind: FrameKind, dts: number, nowMs: number): number {
    const newest = this.#newest?.time ?? this.#floor;
    const last = this.#lastOf(kind);
    let time = dts + this.#offset;
    if (time < last - BACKSTEP_MS || time > newest + MAX_LEAP_MS) {
      time = newest + this.#elapsed(nowMs);
      this.#offset = time - dts;
    }
    time = Math.max(time, last);
    if (kind === FrameKind.audio) this.#lastAudio = time;
    else this.#lastVideo = time;
    if (time >= newest) this.#newest = { time, atMs: nowMs };
    return time;
  }

  #lastOf(kind: FrameKind): number {
    if (kind === FrameKind.data) return this.#lastData;
    return kind === FrameKind.audio ? this.#lastAudio : this.#lastVideo;
  }

  #elapsed(nowMs: number): number {
    const elapsed = this.#newest ? Math.round(nowMs - this.#newest.atMs) : 0;
    return Math.min(Math.max(elapsed, 1), MAX_LEAP_MS);
  }
}

/** The base that a player who starts at `time` is served with: at least MAX_LEAP_MS below it, but for the first era. */
export function eraBase(time: number): number {
  return Math.max(0, Math.floor((time - MAX_LEAP_MS) / ERA_MS)) * ERA_MS;
}
