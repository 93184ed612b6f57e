// The recent past of one stream, as numbers: looks at its counters give rates over the last seconds, points for a curve, and
// what its bitrate usually is. Pure: who looks, and when, is somebody else's.

/** How often a stream is looked at, ms. */
export const LOOK_EVERY_MS = 500;
/** Rates are those of so many looks: 5 s. */
const LOOKS = 10;
/** A curve has so many points, each of so long: two minutes. */
export const HISTORY_POINTS = 60;
export const HISTORY_STEP_MS = 2_000;
/** What is usual is told by the points of a minute, the last of which are not the present. */
const USUAL_POINTS = 30;
const PRESENT_POINTS = 3;
const MIN_USUAL_POINTS = 10;
/** More stream time than this for real time is a burst: it is of the time that it was made in. */
const BURST = 1.25;

/** What a stream has counted so far, and the longest gap since the last look. */
export interface Tally {
  readonly nowMs: number;
  /** Stream time of all that came. */
  readonly streamMs: number;
  readonly bytes: number;
  readonly videoBytes: number;
  readonly audioBytes: number;
  readonly videoFrames: number;
  readonly longestGapMs: number;
  readonly players: number;
}

export interface Rates {
  readonly bitsPerS: number;
  readonly videoBitsPerS: number;
  readonly audioBitsPerS: number;
  /** Of video. */
  readonly frameRate: number;
  readonly longestGapMs: number;
}

const NO_RATES: Rates = {
  bitsPerS: 0,
  videoBitsPerS: 0,
  audioBitsPerS: 0,
  frameRate: 0,
  longestGapMs: 0,
};

/** One point each `stepMs`, oldest first. */
export interface Curves {
  readonly stepMs: number;
  readonly bitsPerS: number[];
  readonly frameRate: number[];
  readonly players: number[];
}

/** Places in the row of one look, and of one point. */
const Look = { nowMs: 0, streamMs: 1, bytes: 2, video: 3, audio: 4, frames: 5, gapMs: 6, size: 7 } as const;
const Point = { bits: 0, frames: 1, players: 2, size: 3 } as const;

export class QualityWindow {
  /** Rings: 616 and 720 bytes a stream. */
  readonly #looks = new Float64Array((LOOKS + 1) * Look.size);
  readonly #points = new Float32Array(HISTORY_POINTS * Point.size);
  #lookCount = 0;
  #pointCount = 0;
  /** Points since the stream began anew: only those tell what is usual. */
  #samePoints = 0;
  /** Where the point that is not whole yet begins. */
  #pointMs = 0;
  #pointStreamMs = 0;
  #pointBytes = 0;
  #pointFrames = 0;
  #usual = { points: -1, bitsPerS: Number.NaN };

  /** A look at the stream; the first is where rates begin. */
  push(tally: Tally): void {
    const at = (this.#lookCount % (LOOKS + 1)) * Look.size;
    this.#looks[at + Look.nowMs] = tally.nowMs;
    this.#looks[at + Look.streamMs] = tally.streamMs;
    this.#looks[at + Look.bytes] = tally.bytes;
    this.#looks[at + Look.video] = tally.videoBytes;
    this.#looks[at + Look.audio] = tally.audioBytes;
    this.#looks[at + Look.frames] = tally.videoFrames;
    this.#looks[at + Look.gapMs] = tally.longestGapMs;
    if (this.#lookCount === 0) this.#beginPoint(tally);
    this.#lookCount += 1;
    // Looks don't come to the millisecond: one that is nearly due ends the point.
    const steps = Math.floor((tally.nowMs - this.#pointMs + LOOK_EVERY_MS / 2) / HISTORY_STEP_MS);
    if (steps > 0) this.#endPoint(tally, steps);
  }

  /** Another encoder, or the same after a hold: what was usual is so no more. */
  restart(): void {
    this.#samePoints = 0;
    this.#usual = { points: -1, bitsPerS: Number.NaN };
  }

  /** Of all tracks, as `rates` has it. */
  get bitsPerS(): number {
    if (this.#lookCount < 2) return 0;
    const newest = this.#lookCount - 1;
    const oldest = Math.max(0, newest - LOOKS);
    const realMs = this.#at(newest, Look.nowMs) - this.#at(oldest, Look.nowMs);
    const streamMs = this.#at(newest, Look.streamMs) - this.#at(oldest, Look.streamMs);
    const ms = spanMs(realMs, streamMs);
    return ms > 0 ? ((this.#at(newest, Look.bytes) - this.#at(oldest, Look.bytes)) * 8000) / ms : 0;
  }

  /** The longest pause between two frames, of the time of `rates`. */
  get longestGapMs(): number {
    const newest = this.#lookCount - 1;
    let longestMs = 0;
    for (let look = Math.max(0, newest - LOOKS) + 1; look <= newest; look += 1) {
      longestMs = Math.max(longestMs, this.#at(look, Look.gapMs));
    }
    return longestMs;
  }

  /** Over the last 5 s, or since the first look. */
  get rates(): Rates {
    if (this.#lookCount < 2) return NO_RATES;
    const newest = this.#lookCount - 1;
    const oldest = Math.max(0, newest - LOOKS);
    const since = (field: number) => this.#at(newest, field) - this.#at(oldest, field);
    const seconds = spanMs(since(Look.nowMs), since(Look.streamMs)) / 1000;
    if (!(seconds > 0)) return NO_RATES;
    return {
      bitsPerS: (since(Look.bytes) * 8) / seconds,
      videoBitsPerS: (since(Look.video) * 8) / seconds,
      audioBitsPerS: (since(Look.audio) * 8) / seconds,
      frameRate: since(Look.frames) / seconds,
      longestGapMs: this.longestGapMs,
    };
  }

  /** The median bitrate of the minute before the last seconds; NaN while there is too little of it. */
  get usualBitsPerS(): number {
    if (this.#usual.points === this.#pointCount) return this.#usual.bitsPerS;
    const end = this.#pointCount - PRESENT_POINTS;
    const known = Math.min(this.#samePoints - PRESENT_POINTS, USUAL_POINTS);
    const bits: number[] = [];
    for (let point = end - known; point < end; point += 1) {
      const value = this.#points[(point % HISTORY_POINTS) * Point.size + Point.bits] ?? 0;
      if (value > 0) bits.push(value);
    }
    bits.sort((a, b) => a - b);
    const median = bits.length >= MIN_USUAL_POINTS ? bits[bits.length >> 1] : undefined;
    this.#usual = { points: this.#pointCount, bitsPerS: median ?? Number.NaN };
    return this.#usual.bitsPerS;
  }

  /** The points that there are, at most HISTORY_POINTS. */
  get curves(): Curves {
    const kept = Math.min(this.#pointCount, HISTORY_POINTS);
    const row = (field: number, perUnit: number) =>
      Array.from({ length: kept }, (_, at) => {
        const point = (this.#pointCount - kept + at) % HISTORY_POINTS;
        return Math.round((this.#points[point * Point.size + field] ?? 0) * perUnit) / perUnit;
      });
    return {
      stepMs: HISTORY_STEP_MS,
      bitsPerS: row(Point.bits, 1),
      frameRate: row(Point.frames, 100),
      players: row(Point.players, 1),
    };
  }

  /** @param steps points that it was long, if nobody looked for a while: they are alike */
  #endPoint(tally: Tally, steps: number): void {
    const seconds = spanMs(tally.nowMs - this.#pointMs, tally.streamMs - this.#pointStreamMs) / 1000;
    const bitsPerS = ((tally.bytes - this.#pointBytes) * 8) / seconds;
    const frameRate = (tally.videoFrames - this.#pointFrames) / seconds;
    for (let step = 0; step < Math.min(steps, HISTORY_POINTS); step += 1) {
      const at = (this.#pointCount % HISTORY_POINTS) * Point.size;
      this.#points[at + Point.bits] = bitsPerS;
      this.#points[at + Point.frames] = frameRate;
      this.#points[at + Point.players] = tally.players;
      this.#pointCount += 1;
      this.#samePoints += 1;
    }
    this.#beginPoint(tally);
  }

  #beginPoint(tally: Tally): void {
    this.#pointMs = tally.nowMs;
    this.#pointStreamMs = tally.streamMs;
    this.#pointBytes = tally.bytes;
    this.#pointFrames = tally.videoFrames;
  }

  #at(look: number, field: number): number {
    return this.#looks[(look % (LOOKS + 1)) * Look.size + field] ?? 0;
  }
}

/** The time that media took, ms: a burst took as long as it plays. */
function spanMs(realMs: number, streamMs: number): number {
  return streamMs > realMs * BURST ? streamMs : realMs;
}
