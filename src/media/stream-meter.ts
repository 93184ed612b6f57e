// What comes of one stream, counted frame by frame in plain fields that others read when they want. Nothing is made per
// frame. It judges nothing: rates and alarms are observe's.
import { type Frame, FrameKind, type Run } from '../format/frame.ts';

/** RFC 3550 §6.4.1: the weight of the newest deviation. */
const JITTER_GAIN = 1 / 16;
/** A frame that is further than this from where the one before lets it be expected is of another time. */
const MAX_DEVIATION_MS = 10_000;
/** Stream time that one frame may add: more is a leap, and no media. */
const MAX_STEP_MS = 5_000;

/** One track. */
export class TrackMeter {
  /** Payloads ever, decoder set-up among them. */
  bytes = 0;
  /** Media frames ever. */
  frames = 0;
  /** Of the newest media frame of the epoch, ms; NaN before it. */
  newestDts = Number.NaN;
  /** Mean deviation of the pauses between frames from what their dts say, ms. */
  jitterMs = 0;
  #transitMs = Number.NaN;
  /** What comes is older than now, and comes as fast as it can: its pauses say nothing. */
  #catchesUp = true;

  arrived(dts: number, nowMs: number): void {
    this.frames += 1;
    this.newestDts = dts;
    const transitMs = nowMs - dts;
    const deviationMs = transitMs - this.#transitMs;
    this.#transitMs = transitMs;
    if (!(Math.abs(deviationMs) <= MAX_DEVIATION_MS)) return;
    if (this.#catchesUp && deviationMs < 0) return;
    this.#catchesUp = false;
    this.jitterMs += (Math.abs(deviationMs) - this.jitterMs) * JITTER_GAIN;
  }

  /** The next frame follows on none: what lies between is no jitter. */
  breakOff(): void {
    this.#transitMs = Number.NaN;
    this.#catchesUp = true;
  }

  /** Another epoch: another encoder, perhaps without this track. */
  restart(): void {
    this.breakOff();
    this.newestDts = Number.NaN;
    this.jitterMs = 0;
  }
}

export class StreamMeter {
  readonly video = new TrackMeter();
  readonly audio = new TrackMeter();
  /** Payloads of neither track, ever. */
  dataBytes = 0;
  /** Key frames ever. */
  keyFrames = 0;
  /** Stream time between the last two key frames of a run, ms; NaN before there were two. */
  keyIntervalMs = Number.NaN;
  /** When the epoch's last key frame came; NaN before the first. */
  lastKeyMs = Number.NaN;
  /** Stream time that the frames span which ever came, ms: in a burst, more than real time. */
  streamMs = 0;
  /** Frames that never came, whether lost or left out on the way: gaps in their seq. */
  missing = 0;
  /** Frames of publishers that no decoder could use. The publication counts them. */
  unusable = 0;
  #lastMs = Number.NaN;
  #longestGapMs = 0;
  #lastSeq = Number.NaN;
  #newestDts = Number.NaN;
  #lastKeyDts = Number.NaN;

  /** All payloads ever. */
  get bytes(): number {
    return this.video.bytes + this.audio.bytes + this.dataBytes;
  }

  /** dts of the newest audio less that of the newest video, ms; NaN without one of them. */
  get skewMs(): number {
    return this.audio.newestDts - this.video.newestDts;
  }

  /** Of the track with more of it, ms. */
  get jitterMs(): number {
    return Math.max(this.video.jitterMs, this.audio.jitterMs);
  }

  /** A frame of the run, in the order of their seq. */
  appended({ kind, role, seq, dts, payload }: Frame, nowMs: number): void {
    if (seq > this.#lastSeq + 1) this.missing += seq - this.#lastSeq - 1;
    this.#lastSeq = seq;
    if (kind === FrameKind.data) {
      this.dataBytes += payload.length;
      return;
    }
    const track = kind === FrameKind.video ? this.video : this.audio;
    track.bytes += payload.length;
    if (role === 'header') return;
    track.arrived(dts, nowMs);
    if (nowMs - this.#lastMs > this.#longestGapMs) this.#longestGapMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (dts > this.#newestDts) {
      this.streamMs += Math.min(dts - this.#newestDts, MAX_STEP_MS);
      this.#newestDts = dts;
    } else if (!(dts >= this.#newestDts - MAX_STEP_MS)) this.#newestDts = dts;
    if (role === 'key') this.#keyArrived(dts, nowMs);
  }

  /** Another source, or the same again: the time until its first frame is no gap and no jitter. */
  attached(): void {
    this.#lastMs = Number.NaN;
    this.#breakOff();
  }

  /** What is appended from now on is a run of its own. @param isEpoch of another epoch than what was */
  begin(run: Run, isEpoch: boolean): void {
    if (isEpoch) {
      this.video.restart();
      this.audio.restart();
      this.keyIntervalMs = Number.NaN;
      this.lastKeyMs = Number.NaN;
    } else {
      this.#breakOff();
      if (run.from > this.#lastSeq + 1) this.missing += run.from - this.#lastSeq - 1;
    }
    this.#lastSeq = run.from - 1;
    this.#newestDts = Number.NaN;
    this.#lastKeyDts = Number.NaN;
  }

  /** The longest pause between two frames since it was taken last, ms. */
  takeLongestGapMs(): number {
    const gapMs = this.#longestGapMs;
    this.#longestGapMs = 0;
    return gapMs;
  }

  #keyArrived(dts: number, nowMs: number): void {
    this.keyFrames += 1;
    if (dts > this.#lastKeyDts) this.keyIntervalMs = dts - this.#lastKeyDts;
    this.#lastKeyDts = dts;
    this.lastKeyMs = nowMs;
  }

  #breakOff(): void {
    this.video.breakOff();
    this.audio.breakOff();
  }
}
