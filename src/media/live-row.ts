// The live players of a fan-out, in a row. A flush goes along the row in rotating order, as far as there is time, and goes
// on from there later; who can't keep up leaves the row. What a flush is made of, and when, is the fan-out's to say.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { TimedFrame } from '../format/frame.ts';
import type { FanOutCounters } from './counters.ts';
import type { LogEntry } from './frame-log.ts';
import type { Player, Sink } from './player.ts';

/** The time is looked at after so many writes. */
const WRITES_A_LOOK = 16;
/** Who is served first moves on with each flush, and is round the row after so many. */
const FLUSHES_A_ROUND = 7;

/** One batch for everybody in the row. */
export interface Batch {
  readonly bytes: Buffer;
  /** Its newest entry. */
  readonly newest: LogEntry;
  /** Stream time of the newest frame before it, ms. */
  readonly timeBefore: number;
  /** When work on it began, ms. */
  readonly startMs: number;
}

/** What a flush took of the event loop, all its pieces together. */
export interface FlushCost {
  readonly startMs: number;
  readonly costMs: number;
}

/** A flush under way: who was in the row when it began gets these bytes. */
interface Flush extends Batch, FlushCost {
  readonly number: number;
  /** Places in the row: of who is first, and how many there were. */
  readonly first: number;
  readonly count: number;
  served: number;
  written: number;
  costMs: number;
}

export class LiveRow<F extends TimedFrame> {
  readonly #clock: Clock;
  readonly #counters: FanOutCounters;
  /** What its players are given. */
  readonly #given: ByteCount;
  /** Who leaves it leaves a hole, until `closeUp`: a flush that is under way knows players by their places. */
  readonly #players: (Player<F> | undefined)[] = [];
  /** Theirs, at the same places: while all goes well, a flush looks at nothing else of a player. */
  readonly #sinks: (Sink | undefined)[] = [];
  #holes = 0;
  /** Place of who is served first. */
  #first = 0;
  /** What each player was given by flushes that are over, bytes. */
  #givenBytes = 0;
  #flushNumber = 0;
  #flush: Flush | undefined;

  constructor(clock: Clock, counters: FanOutCounters, given: ByteCount) {
    this.#clock = clock;
    this.#counters = counters;
    this.#given = given;
  }

  get isServing(): boolean {
    return this.#flush !== undefined;
  }

  /** A player that has all up to the flush mark; a flush that is under way is not for it. */
  add(player: Player<F>): void {
    player.goLive();
    player.liveIndex = this.#players.length;
    player.settledBytes = this.#givenBytes + (this.#flush?.bytes.length ?? 0);
    this.#players.push(player);
    this.#sinks.push(player.sink);
  }

  /** Calm when the player is not in the row. */
  remove(player: Player<F>): void {
    if (player.liveIndex < 0) return;
    this.settle(player);
    if (this.#wasServed(player.liveIndex)) player.bytesTaken += this.#flush?.bytes.length ?? 0;
    this.#players[player.liveIndex] = undefined;
    this.#sinks[player.liveIndex] = undefined;
    this.#holes += 1;
    player.liveIndex = -1;
    player.state = 'behind';
  }

  /** Counts what a player of the row was given by flushes that are over. */
  settle(player: Player<F>): void {
    // Who came during the flush under way is ahead of it.
    if (player.liveIndex < 0 || player.settledBytes > this.#givenBytes) return;
    player.bytesTaken += this.#givenBytes - player.settledBytes;
    player.settledBytes = this.#givenBytes;
  }

  /** Was this place given the flush under way? */
  #wasServed(place: number): boolean {
    if (!this.#flush || place >= this.#flush.count) return false;
    const { first, count, served } = this.#flush;
    return (place - first + count) % count < served;
  }

  /** Ends everybody in the row; no flush is under way. */
  end(why: Reason): void {
    for (const player of [...this.#players]) player?.end(why);
  }

  /** Closes the holes, between two flushes. Answers how many players there are. */
  closeUp(): number {
    if (this.#holes === 0) return this.#players.length;
    let count = 0;
    for (const player of this.#players) {
      if (!player) continue;
      this.#players[count] = player;
      this.#sinks[count] = player.sink;
      player.liveIndex = count;
      count += 1;
    }
    this.#players.length = count;
    this.#sinks.length = count;
    this.#holes = 0;
    return count;
  }

  /** A flush is under way from here on: closed up before, to at least one player. */
  begin({ bytes, newest, timeBefore, startMs }: Batch): void {
    const count = this.#players.length;
    this.#flushNumber += 1;
    this.#flush = {
      ...{ number: this.#flushNumber, bytes, newest, timeBefore, first: this.#first % count, count },
      ...{ served: 0, written: 0, startMs, costMs: this.#clock.now() - startMs },
    };
    this.#counters.flushes += 1;
  }

  /**
   * Gives the flush under way to those who lack it, until it is time.
   * @returns what it took, when it is over by that
   */
  serve(untilMs: number): FlushCost | undefined {
    const flush = this.#flush;
    if (!flush) return undefined;
    const { number, bytes, newest, timeBefore, first, count, costMs } = flush;
    const startMs = this.#clock.now();
    const writtenBefore = flush.written;
    let nowMs = startMs;
    while (flush.served < count && nowMs < untilMs) {
      const end = Math.min(count, flush.served + WRITES_A_LOOK);
      for (; flush.served < end; flush.served += 1) {
        const turned = first + flush.served;
        const place = turned < count ? turned : turned - count;
        const sink = this.#sinks[place];
        if (sink === undefined) continue;
        flush.written += 1;
        if (sink.write(bytes)) continue;
        const player = this.#players[place];
        if (!player?.fallsBehind(number, timeBefore, newest.time)) continue;
        this.remove(player);
        player.bytesTaken += bytes.length;
        player.cursor.follow(newest);
      }
      nowMs = this.#clock.now();
    }
    flush.costMs = costMs + nowMs - startMs;
    this.#given.bytes += (flush.written - writtenBefore) * bytes.length;
    if (flush.served < count) return undefined;
    this.#flush = undefined;
    this.#givenBytes += bytes.length;
    this.#first = first + Math.ceil(count / FLUSHES_A_ROUND);
    this.#counters.writes += flush.written;
    this.#counters.bytes += flush.written * bytes.length;
    return flush;
  }
}
