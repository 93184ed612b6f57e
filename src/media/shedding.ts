// What a reader that is too slow goes without: first disposable frames, then video up to a key frame. One rule for all
// readers, one instance for each. Pure: positions in a log in, a verdict out; it moves nobody.
import { type Frame, FrameKind } from '../format/frame.ts';
import type { FrameLog, LogEntry, Position } from './frame-log.ts';

/** How far behind a reader may be by its own slowness. */
export interface BacklogLimits {
  /** Bytes of media. */
  readonly maxBacklogBytes: number;
  /** Stream time, ms. */
  readonly maxBacklogMs: number;
}

/** What a reader goes without: no frame, those that nobody needs, or all video up to a key frame. */
export type GoesWithout = 'nothing' | 'disposable' | 'video';

/** Frames that were left out for one reader. */
export interface LeftOut {
  /** Those that nobody needs. */
  readonly disposable: number;
  /** Key frames, and those that need others. */
  readonly video: number;
}

/** Below this slowness any key frame is good enough to go on with video; above it, the newest one alone. */
const ANY_KEY_SLOWNESS = 0.5;

/**
 * A reader's *slowness* is how far it is behind, less the least that it was behind since it started: what it had to
 * catch up with is not its own doing. Nor is what came here in less time than it lasts, all at once after a source was
 * away for a while: a reader falls behind no faster than time passes for the frames that it has yet to take. It is a share
 * of the reader's limits, in bytes or in time, whichever is more:
 *
 *     0 ........ share / 2 ........ share ........ 1 ........>
 *     everything │ (as it was)      │ no disposable │ no video, up to a key frame
 *
 * So slowness has to grow by half of `share` between two beginnings: a reader does not flap. Where it goes on with the
 * newest key frame it starts anew, however old that is. Audio, data, metadata and decoder set-up are always given.
 */
export class Shedding {
  readonly #limits: BacklogLimits;
  readonly #share: number;
  #without: GoesWithout = 'nothing';
  #slowness = 0;
  #leastBytes = Number.POSITIVE_INFINITY;
  #leastMs = Number.POSITIVE_INFINITY;
  /** Of the time from when its next frame came to when the flush mark came, ms. */
  #leastCameMs = Number.POSITIVE_INFINITY;
  /** The newest times among what the reader has come to, and among the flush marks: tracks may lag behind each other. */
  #reachedTime = Number.NEGATIVE_INFINITY;
  #markTime = Number.NEGATIVE_INFINITY;
  /** When the newest flush mark came, ms. */
  #markCameAtMs = 0;
  /** The flush mark of the last weighing. */
  #mark: Position = -1;
  readonly #leftOut = { disposable: 0, video: 0 };

  /** @param share of the limits: a reader that is slower goes without disposable frames */
  constructor(limits: BacklogLimits, share: number) {
    this.#limits = limits;
    this.#share = share;
  }

  get without(): GoesWithout {
    return this.#without;
  }

  /** As a share of the limits: 1 is at them. As weighed last. */
  get slowness(): number {
    return this.#slowness;
  }

  get leftOut(): LeftOut {
    return this.#leftOut;
  }

  /** The reader starts: from where it is weighed next. */
  restart(): void {
    this.#without = 'nothing';
    this.#slowness = 0;
    this.#leastBytes = Number.POSITIVE_INFINITY;
    this.#leastMs = Number.POSITIVE_INFINITY;
    this.#leastCameMs = Number.POSITIVE_INFINITY;
  }

  /** The reader has everything up to `entry`. */
  pass(entry: LogEntry): void {
    this.#reachedTime = Math.max(this.#reachedTime, entry.time);
    if (entry.position >= this.#mark) this.#catchUp();
  }

  /**
   * Decides what a reader goes without from `position`, its next, on.
   * @param mark the flush mark
   * @returns the entry there; undefined: it has all that was flushed, or the log has overtaken it
   */
  weigh(log: FrameLog, position: Position, mark: Position): LogEntry | undefined {
    this.#mark = mark;
    const newest = log.at(mark);
    const next = position > mark ? undefined : log.at(position);
    if (newest && next) this.#decide(next, newest, log.newestKey);
    else if (position > mark) this.#catchUp();
    return newest && next;
  }

  /** Is this frame, which was weighed last, left out? If so, it is counted. */
  leavesOut({ kind, role }: Frame): boolean {
    if (this.#without === 'nothing' || kind !== FrameKind.video || role === 'header') return false;
    if (role === 'disposable') this.#leftOut.disposable += 1;
    else if (this.#without === 'video') this.#leftOut.video += 1;
    else return false;
    return true;
  }

  #decide(next: LogEntry, newest: LogEntry, newestKey: Position): void {
    this.#measure(next, newest);
    if (this.#without === 'nothing' && this.#slowness > this.#share) this.#without = 'disposable';
    if (this.#without === 'disposable' && this.#slowness < this.#share / 2) this.#without = 'nothing';
    const { kind, role } = next.frame;
    if (kind !== FrameKind.video || role === 'header') return;
    if (this.#slowness > 1) this.#without = 'video';
    if (role !== 'key' || this.#without !== 'video') return;
    if (next.position === newestKey) {
      this.restart();
      this.#measure(next, newest);
    } else if (this.#slowness < ANY_KEY_SLOWNESS) {
      this.#without = this.#slowness < this.#share / 2 ? 'nothing' : 'disposable';
    }
  }

  #measure(next: LogEntry, newest: LogEntry): void {
    this.#markTime = Math.max(this.#markTime, newest.time);
    this.#reachedTime = Math.max(this.#reachedTime, next.time);
    const streamMs = Math.max(0, this.#markTime - this.#reachedTime);
    this.#markCameAtMs = Math.max(this.#markCameAtMs, newest.cameAtMs);
    const cameMs = this.#markCameAtMs - next.cameAtMs;
    const bytes = newest.totalBytes - next.totalBytes;
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    this.#leastMs = Math.min(this.#leastMs, streamMs);
    this.#leastCameMs = Math.min(this.#leastCameMs, cameMs);
    const behindMs = streamMs - this.#leastMs;
    const ownMs = Math.min(behindMs, cameMs - this.#leastCameMs);
    const ownBytes = (bytes - this.#leastBytes) * (behindMs > 0 ? ownMs / behindMs : 1);
    const { maxBacklogBytes, maxBacklogMs } = this.#limits;
    this.#slowness = Math.max(ownBytes / maxBacklogBytes, ownMs / maxBacklogMs);
  }

  /** The reader has all there is. */
  #catchUp(): void {
    this.#leastBytes = 0;
    this.#leastMs = 0;
    this.#leastCameMs = 0;
    this.#slowness = 0;
    if (this.#without === 'disposable') this.#without = 'nothing';
  }
}
