// One reader of a stream, in any format: its sink, its place, its counters, and why it ended. The stream moves it.
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, TimedFrame } from '../format/frame.ts';
import type { LogReader } from './cursor.ts';

/** `full`: the log must wait. `overfull`: too full to be live. */
export type Pressure = 'none' | 'full' | 'overfull';

/** Where a player's bytes go; the doors make them. None of its verbs calls back into the player before it returns. */
export interface Sink {
  /** Bytes taken and not yet handed to the kernel. */
  readonly backlogBytes: number;
  /** Of a sink that shares its way with others; without it, the backlog tells. */
  readonly pressure?: Pressure;
  /**
   * Takes the bytes at once, in order. The buffer is shared by many players: it is never written to. Never throws.
   * @returns did nothing have to wait?
   */
  write(bytes: Buffer): boolean;
  /** The stream is over for this player: says so in the protocol's own way behind what was written, and closes. */
  end(why: Reason): void;
  /** Closes at once: the player is broken or too slow. */
  destroy(why: Reason): void;
}

/** What a player tells the stream it belongs to. */
export interface PlayerOwner<F extends TimedFrame = TimedFrame> {
  /** Its sink ran empty: it can take more. */
  drained(player: Player<F>): void;
  /** It is over; asked once. */
  left(player: Player<F>, why: Reason): void;
  /** Somebody asks for its bytes: those that were given to many at once are to be counted. */
  settle(player: Player<F>): void;
}

/** A player's bounds. */
export interface PlayerLimits {
  /** Bytes of media that a player may be behind by its own slowness. */
  readonly maxBacklogBytes: number;
  /** Stream time that a player may be behind by its own slowness, ms. */
  readonly maxBacklogMs: number;
  /** Ms without one byte leaving for a player that has some to take. */
  readonly stallMs: number;
}

/** Who plays: for logs and lists. */
export interface PlayerIdentity {
  /** "address:port" of the player. */
  readonly remote: string;
  /** The id of its session; followers have none. */
  readonly session?: string | undefined;
}

/** `waiting` for a frame to start at or go on with; `behind` and pumped alone from the log; `live` at the flush mark; `ended`. */
export type PlayerState = 'waiting' | 'behind' | 'live' | 'ended';

/** A sink that holds this much takes no further bytes from the log until it ran empty. */
const FULL_BYTES = 64 * 1024;
/**
 * A live player that holds this much, or has not run empty for so much stream time, ms, is pumped alone from then on: so
 * its backlog stays in the shared log, and can be thinned.
 */
const OVERFULL_BYTES = 128 * 1024;
const OVERFULL_MS = 1000;

export class Player<F extends TimedFrame = TimedFrame> {
  readonly encoder: FrameEncoder<F>;
  readonly remote: string;
  readonly session: string | undefined;
  readonly startedMs: number;
  readonly cursor: LogReader<F>;
  /** Written to by the row of live players, beside `take`. */
  readonly sink: Sink;
  readonly #owner: PlayerOwner<F>;
  /** Moved by the stream and its fan-outs alone. */
  state: PlayerState = 'waiting';
  /** Its place in its fan-out's row of live players, -1 when it is in none; moved by the row alone. */
  liveIndex = -1;
  /** What the row had given each of its players when `bytesTaken` was settled; moved by the row alone. */
  settledBytes = 0;
  /** Bytes given to the sink; of a live player, as settled last. */
  bytesTaken = 0;
  #bytesGone = 0;
  #progressMs: number;
  /** The last flush that its sink did not take whole, and the stream time of what it was given before it fell behind, ms. */
  #lateFlush = -1;
  #inTimeAt = Number.NEGATIVE_INFINITY;

  constructor(
    encoder: FrameEncoder<F>,
    sink: Sink,
    identity: PlayerIdentity,
    deps: { cursor: LogReader<F>; owner: PlayerOwner<F>; nowMs: number },
  ) {
    this.encoder = encoder;
    this.remote = identity.remote;
    this.session = identity.session;
    this.startedMs = deps.nowMs;
    this.cursor = deps.cursor;
    this.sink = sink;
    this.#owner = deps.owner;
    this.#progressMs = deps.nowMs;
  }

  /** Bytes taken and not yet handed to the kernel. */
  get backlogBytes(): number {
    return this.sink.backlogBytes;
  }

  /** Bytes that the kernel took for it. */
  get sentBytes(): number {
    this.#owner.settle(this);
    // What else waits in its socket, such as answers, is no media.
    return Math.max(0, this.bytesTaken - this.sink.backlogBytes);
  }

  /** Must the log wait for the sink? */
  get isFull(): boolean {
    const { pressure, backlogBytes } = this.sink;
    return pressure === undefined ? backlogBytes >= FULL_BYTES : pressure !== 'none';
  }

  /** It was given all up to the flush mark. */
  goLive(): void {
    this.state = 'live';
    this.#lateFlush = -1;
  }

  /**
   * Its sink did not take the flush of this number whole: is it too full to be live?
   * @param from stream time of the newest frame of the flush before, ms
   * @param to of the newest frame of this one, ms
   */
  fallsBehind(flush: number, from: number, to: number): boolean {
    const { pressure, backlogBytes } = this.sink;
    if (pressure !== undefined) return pressure === 'overfull';
    if (this.#lateFlush !== flush - 1) this.#inTimeAt = from;
    this.#lateFlush = flush;
    return backlogBytes >= OVERFULL_BYTES || to - this.#inTimeAt > OVERFULL_MS;
  }

  take(bytes: Buffer): void {
    this.bytesTaken += bytes.length;
    this.sink.write(bytes);
  }

  /** The door says that the socket's queue ran empty. */
  drained(): void {
    if (this.state === 'behind') this.#owner.drained(this);
  }

  /** Ms since a byte last left for this player; 0 while it has nothing to take. */
  stalledMs(nowMs: number): number {
    const backlog = this.sink.backlogBytes;
    const gone = this.bytesTaken - backlog;
    // Answers to the player's pings are backlog, too: less gone than before is no progress.
    if (gone > this.#bytesGone || backlog === 0) {
      this.#bytesGone = gone;
      this.#progressMs = nowMs;
    }
    return nowMs - this.#progressMs;
  }

  /** The door says that the connection is gone. Calm when repeated. */
  leave(why: Reason): void {
    if (this.state === 'ended') return;
    this.#owner.left(this, why);
    this.state = 'ended';
  }

  /** Ends it cleanly: the stream is over for it. */
  end(why: Reason): void {
    if (this.state === 'ended') return;
    this.leave(why);
    this.sink.end(why);
  }

  /** Closes it at once. */
  destroy(why: Reason): void {
    if (this.state === 'ended') return;
    this.leave(why);
    this.sink.destroy(why);
  }
}
