// One wire format, one way of serving it, many players. Frames that are due together are encoded once into one shared
// buffer, which the row of live players is given (live-row.ts); the others are pumped alone from the log until they stand
// at the flush mark. When a flush is due is flush-window.ts's to say, whose turn it is turns.ts's.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import {
  type FrameEncoder,
  FrameKind,
  type LoggedFrame,
  type TimedFrame,
  type Tracks,
} from '../format/frame.ts';
import type { CatchUpState } from './catch-up.ts';
import type { FanOutCounters } from './counters.ts';
import { isFlushHeard, tellFlush } from './flush-events.ts';
import { FlushWindow } from './flush-window.ts';
import type { FrameLog, LogEntry, Position } from './frame-log.ts';
import { LiveRow } from './live-row.ts';
import type { Player } from './player.ts';
import { STRETCH_BYTES, type Stretch, Stretches } from './stretches.ts';
import { ERA_LIMIT_MS } from './timeline.ts';
import type { Job, Turns } from './turns.ts';

/** A reader that is pumped gets so many stretches until it is somebody else's turn. */
const STRETCHES_A_TURN = 4;
/** What was appended waits for no window when it reaches one of these, */
const MUCH_BYTES = 1024 * 1024;
const MUCH_FRAMES = 1024;
/** and at so many times that, nor for its turn: what is not flushed can't be evicted. */
const TOO_MUCH = 8;

const ERA_OVER: Reason = {
  code: 'stream.era-over',
  message: 'the time of this connection is used up (2^31 ms): connect again',
};

/** What the live players of a fan-out get of the log. */
export interface Serving<F extends TimedFrame> {
  /** Taken off every time, ms. */
  readonly base: number;
  /** The fan-out closes where a time would reach it, ms. */
  readonly endTime: number;
  /** What an entry is to a live player; undefined: nothing. */
  readonly share: (entry: LogEntry) => F | undefined;
}

/** Players of one era: they see times below 2^31 ms, and no set-up that they have. */
export function eraFrom(base: number): Serving<TimedFrame> {
  return { base, endTime: base + ERA_LIMIT_MS, share: unlessRepeated };
}

/** Followers: they get every entry, for ever. */
export const WHOLE_LOG: Serving<LoggedFrame> = {
  base: 0,
  endTime: Number.POSITIVE_INFINITY,
  share: (entry) => entry,
};

function unlessRepeated(entry: LogEntry): TimedFrame | undefined {
  return entry.repeated ? undefined : entry;
}

export interface FanOutNeeds {
  readonly clock: Clock;
  readonly turns: Turns;
  /** Of frames. */
  readonly log: FrameLog;
  readonly counters: FanOutCounters;
  /** What all its players are given is added to it. */
  readonly given: ByteCount;
  /** No frame waits longer to be flushed with others, ms. */
  readonly maxDelayMs: number;
  /** The flush mark moved: who waited for it can be pumped. */
  readonly moved: () => void;
}

export class FanOut<F extends TimedFrame = TimedFrame> implements Job {
  readonly encoder: FrameEncoder<F>;
  readonly #serving: Serving<F>;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #log: FrameLog;
  readonly #given: ByteCount;
  readonly #moved: () => void;
  readonly #window: FlushWindow;
  readonly #stretches = new Stretches();
  readonly #live: LiveRow<F>;
  /** The flush mark: every live player was given everything up to this position, or a flush is under way. */
  #mark: Position;
  /** Log bytes and stream time up to the mark. */
  #markBytes: number;
  #markTime: number;
  /** What went ahead of the last start, and its bytes. */
  #ahead: { readonly frames: readonly F[]; readonly bytes: Buffer } | undefined;
  /** A flush will come: at its time, or when it is its turn. */
  #due: Timer | 'in turn' | undefined;
  /** When the oldest frame came that is not flushed. */
  #unflushedSinceMs: number | undefined;
  #closed: Reason | undefined;

  constructor(encoder: FrameEncoder<F>, serving: Serving<F>, needs: FanOutNeeds) {
    this.encoder = encoder;
    this.#serving = serving;
    this.#clock = needs.clock;
    this.#turns = needs.turns;
    this.#log = needs.log;
    this.#given = needs.given;
    this.#moved = needs.moved;
    this.#window = new FlushWindow(needs.maxDelayMs);
    this.#live = new LiveRow(needs.clock, needs.counters, needs.given);
    this.#mark = needs.log.next - 1;
    this.#markBytes = needs.log.head?.totalBytes ?? 0;
    this.#markTime = needs.log.head?.time ?? 0;
  }

  get base(): number {
    return this.#serving.base;
  }

  /** All up to here was given to the live players, or is being given. */
  get mark(): Position {
    return this.#mark;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** A player starts here: it gets the format's opening, and is pumped. */
  join(player: Player<F>, tracks: Tracks): CatchUpState {
    const opening = this.encoder.open(tracks);
    if (opening.length > 0) this.#give(player, opening);
    return this.pump(player);
  }

  /**
   * Gives a player that is not live what it lacks, as far as its sink takes it, and not all at once. At the flush mark
   * it becomes live, if it is in step with the others; with nothing to start at or to go on with it becomes waiting.
   */
  pump(player: Player<F>): CatchUpState {
    if (player.liveIndex >= 0) return 'done';
    player.state = 'behind';
    for (let count = 0; !player.isFull && this.#giveStretch(player); ) {
      count += 1;
      if (count === STRETCHES_A_TURN) return 'more';
    }
    const { position, isInStep } = player.cursor;
    const hasAll = position === undefined || position > this.#mark;
    if (this.#closed && hasAll) player.end(this.#closed);
    else if (position === this.#mark + 1 && isInStep) this.#live.add(player);
    else if (hasAll && !player.isFull) {
      player.state = 'waiting';
      return 'idle';
    }
    return 'done';
  }

  /** Something was appended to the log. */
  appended(): void {
    if (this.#closed) return;
    const { head } = this.#log;
    if (!head) return;
    this.#unflushedSinceMs ??= this.#clock.now();
    const much = Math.max(
      (head.position - this.#mark) / MUCH_FRAMES,
      (head.totalBytes - this.#markBytes) / MUCH_BYTES,
    );
    if (much >= TOO_MUCH) this.flushNow();
    else if (this.#due === 'in turn' || this.#live.isServing) return;
    else if (much >= 1) this.#takeTurn();
    else this.#schedule();
  }

  /** Sends all that was appended to all live players, encoded once; closes at its end time. */
  flushNow(): void {
    this.stop();
    while (!this.#closed && (this.#live.isServing || this.#begin())) this.#serve(Number.POSITIVE_INFINITY);
  }

  /** Goes on with the flush under way, or begins one. */
  work(untilMs: number): boolean {
    this.stop();
    if (this.#closed || (!this.#live.isServing && !this.#begin())) return true;
    this.#serve(untilMs);
    if (this.#live.isServing) return false;
    if (!this.#closed && this.#log.next - 1 > this.#mark) this.#schedule();
    return true;
  }

  /** Nobody is left to be served. */
  stop(): void {
    if (this.#due !== 'in turn') this.#due?.cancel();
    this.#due = undefined;
  }

  /** Nothing more will come: live players end now, the others when they have read up to the flush mark. */
  close(why: Reason): void {
    this.#serve(Number.POSITIVE_INFINITY);
    this.stop();
    this.#closed = why;
    this.#live.end(why);
  }

  /** The player left. */
  remove(player: Player<F>): void {
    this.#live.remove(player);
  }

  /** Counts what a live player was given by flushes that are over. */
  settle(player: Player<F>): void {
    this.#live.settle(player);
  }

  /** Media bytes and stream ms between a pumped player and the flush mark; what the log has evicted is not counted. */
  lag(player: Player<F>): { bytes: number; ms: number } {
    const position = player.cursor.position;
    const mark = this.#log.at(this.#mark);
    const next = position === undefined ? undefined : this.#log.at(Math.max(position, this.#log.oldest));
    if (!mark || !next) return { bytes: 0, ms: 0 };
    return { bytes: mark.totalBytes - next.totalBytes, ms: mark.time - next.time };
  }

  /** Bytes that it keeps for those who catch up. */
  get stretchBytes(): number {
    return this.#stretches.bytes + (this.#ahead?.bytes.length ?? 0);
  }

  /** Lets go of what nobody was given since the last time. */
  sweep(): void {
    this.#stretches.sweep();
    this.#ahead = undefined;
  }

  #schedule(): void {
    const rank = this.#log.head?.frame.kind === FrameKind.video || !this.#log.hasVideo ? 'leads' : 'beside';
    const nowMs = this.#clock.now();
    const oldestMs = this.#unflushedSinceMs ?? nowMs;
    const waitMs = this.#window.waitMs(nowMs, this.#turns.flushShare, rank, oldestMs);
    if (waitMs < 1) this.#takeTurn();
    else this.#due ??= this.#clock.after(waitMs, this.#takeTurn);
  }

  readonly #takeTurn = (): void => {
    this.stop();
    this.#due = 'in turn';
    this.#turns.flush(this);
  };

  /** Moves the flush mark up to the head, or to the end time, and encodes what is new; is there anybody to give it to? */
  #begin(): boolean {
    const { endTime, share } = this.#serving;
    const startMs = this.#clock.now();
    const batch: F[] = [];
    let newest: LogEntry | undefined;
    let entry = this.#log.at(this.#mark + 1);
    while (entry && entry.time < endTime) {
      const shared = share(entry);
      if (shared) batch.push(shared);
      newest = entry;
      entry = this.#log.at(entry.position + 1);
    }
    const timeBefore = this.#markTime;
    this.#unflushedSinceMs = undefined;
    if (newest) {
      this.#mark = newest.position;
      this.#markBytes = newest.totalBytes;
      this.#markTime = newest.time;
      this.#moved();
    }
    const players = this.#live.closeUp();
    if (newest && batch.length > 0 && players > 0) {
      const bytes = this.#encode(batch);
      this.#live.begin({ bytes, newest, timeBefore, startMs });
      const { format } = this.encoder;
      if (isFlushHeard()) tellFlush({ format, bytes: bytes.length, players, atMs: startMs });
    }
    if (entry) this.close(ERA_OVER);
    return this.#live.isServing;
  }

  #serve(untilMs: number): void {
    const over = this.#live.serve(untilMs);
    if (over) this.#window.flushed(over.startMs, over.costMs);
  }

  #give(player: Player<F>, bytes: Buffer): void {
    this.#given.bytes += bytes.length;
    player.take(bytes);
  }

  /** The next piece of the log for a player; false: there is none. */
  #giveStretch(player: Player<F>): boolean {
    const { cursor } = player;
    const ahead = cursor.place(this.#log, this.#mark);
    if (ahead.length > 0) this.#give(player, this.#encodeAhead(ahead));
    const { position } = cursor;
    if (position === undefined || position > this.#mark) return false;
    if (cursor.takesAll(this.#log, this.#mark)) {
      const { bytes, last } = this.#stretchFrom(position);
      if (bytes.length > 0) this.#give(player, bytes);
      cursor.follow(last);
      return true;
    }
    const frames = cursor.read(this.#log, this.#mark, STRETCH_BYTES);
    if (frames.length > 0) this.#give(player, this.#encode(frames));
    return cursor.position !== position;
  }

  /** What everybody at a position is given next. */
  #stretchFrom(start: Position): Stretch {
    const known = this.#stretches.at(start, this.#mark);
    if (known) return known;
    const batch: F[] = [];
    let last: LogEntry | undefined;
    let bytes = 0;
    for (let entry = this.#log.at(start); entry && entry.position <= this.#mark && bytes < STRETCH_BYTES; ) {
      const shared = this.#serving.share(entry);
      if (shared) batch.push(shared);
      bytes += entry.frame.payload.length;
      last = entry;
      entry = this.#log.at(entry.position + 1);
    }
    if (!last) throw new Error(`nothing is logged at ${start}`);
    const stretch = { bytes: batch.length > 0 ? this.#encode(batch) : EMPTY, last };
    this.#stretches.keep(start, stretch);
    return stretch;
  }

  /** Set-up that goes ahead of a start: most who start there lack the same. */
  #encodeAhead(frames: readonly F[]): Buffer {
    const ahead = this.#ahead;
    const isKnown =
      ahead?.frames.length === frames.length && frames.every((of, at) => isSame(of, ahead.frames[at]));
    if (isKnown) return ahead.bytes;
    const bytes = this.#encode(frames);
    this.#ahead = { frames, bytes };
    return bytes;
  }

  /** A track that lags behind the start of an era is shown at its start: no format has times below 0. */
  #encode(batch: readonly F[]): Buffer {
    const { base } = this.#serving;
    if (base === 0) return this.encoder.encode(batch, base);
    const lags = batch.some(({ time }) => time < base);
    const shown = lags ? batch.map((frame) => ({ ...frame, time: Math.max(frame.time, base) })) : batch;
    return this.encoder.encode(shown, base);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

/** A follower's frames are of a run, too. */
function isSame(a: TimedFrame, b: TimedFrame | undefined): boolean {
  return b !== undefined && a.frame === b.frame && a.time === b.time && runOf(a) === runOf(b);
}

function runOf(timed: TimedFrame): unknown {
  return 'run' in timed ? timed.run : undefined;
}
