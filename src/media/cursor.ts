// A player's place in the frame log: start, wait for a key frame, read on, go without frames, skip. Pure: no sink, no
// socket.
import type { TimedFrame } from '../format/frame.ts';
import {
  counterpartOf,
  type FrameLog,
  headersIn,
  type LogEntry,
  NO_HEADERS,
  type Position,
  type TrackHeaders,
} from './frame-log.ts';
import { type BacklogLimits, type GoesWithout, type LeftOut, Shedding } from './shedding.ts';

/**
 * A reader's place in a frame log, and what of the log it is given. Of its verbs, `place` comes first; then either the
 * reader `takesAll`, and others' bytes will do, up to an entry that it is told to `follow`; or it reads its own frames.
 */
export interface LogReader<F extends TimedFrame> {
  /** The next position to read; undefined while the reader waits for a frame to start at. */
  readonly position: Position | undefined;
  /** As it stood last: can the next entry be given to it as it is given to all others? */
  readonly isInStep: boolean;
  /** What it goes without, being slow. */
  readonly without: GoesWithout;
  /** Frames left out since it joined, skips not counted. */
  readonly leftOut: LeftOut;
  /** How often the log overtook the reader, or it was too slow for what is always given, so that it started anew. */
  readonly skips: number;
  /**
   * Finds a place for a reader that has none, or has to start anew: at the log's newest start, if that is not beyond
   * the flush mark `mark`; else it waits.
   * @returns what must go ahead of what it reads there; empty, too, where it has its place already
   */
  place(log: FrameLog, mark: Position): readonly F[];
  /**
   * Weighs how far the reader is behind the mark: can what comes next, be it up to the mark or behind it, be given to
   * it as it is given to all others who stand there? No while it waits.
   */
  takesAll(log: FrameLog, mark: Position): boolean;
  /** The reader was given everything up to this entry by others: it goes on behind it. */
  follow(entry: LogEntry): void;
  /**
   * The next frames for a reader that has its place, in order, up to and with the position `mark`, until `maxBytes` are
   * reached, without those that it goes without; none only where it stands behind the mark then, or waits.
   */
  read(log: FrameLog, mark: Position, maxBytes: number): F[];
}

/** A player that is slower than this share of its limits goes without disposable frames. */
const SHARE = 0.5;
/** Slowness at which a player starts anew: audio has to go, too. Sooner where there is no video that could go. */
const LOST = 2;
const LOST_WITHOUT_VIDEO = 1;

const NOTHING: readonly never[] = [];

/** Where a reader may start, if that is not beyond the flush mark. */
export function newestStart(log: FrameLog, mark: Position): LogEntry | undefined {
  const position = log.startPosition();
  return position === undefined || position > mark ? undefined : log.at(position);
}

export class Cursor implements LogReader<TimedFrame> {
  readonly #shedding: Shedding;
  #position: Position | undefined;
  /** What the reader's decoder was last given, over all epochs. */
  #given: TrackHeaders = NO_HEADERS;
  /** Those of the entry that was read last, and its epoch. */
  #headers: TrackHeaders = NO_HEADERS;
  #epoch = 0;
  #skips = 0;

  constructor(limits: BacklogLimits) {
    this.#shedding = new Shedding(limits, SHARE);
  }

  get position(): Position | undefined {
    return this.#position;
  }

  get isInStep(): boolean {
    return this.#shedding.without === 'nothing';
  }

  get without(): GoesWithout {
    return this.#shedding.without;
  }

  get leftOut(): LeftOut {
    return this.#shedding.leftOut;
  }

  get skips(): number {
    return this.#skips;
  }

  /** With the decoder set-up that the reader lacks. */
  place(log: FrameLog, mark: Position): readonly TimedFrame[] {
    const from = this.#position;
    const isKept = from !== undefined && from >= log.oldest;
    if (isKept && !this.#isLost(log, from, mark)) return NOTHING;
    const start = newestStart(log, mark);
    if (isKept && !(start && start.position > from)) return NOTHING;
    if (from !== undefined) this.#skips += 1;
    this.#position = start?.position;
    if (!start) return NOTHING;
    this.#shedding.restart();
    const ahead = headersIn(start.headers)
      .filter((frame) => !counterpartOf(frame, this.#given)?.payload.equals(frame.payload))
      .map((frame) => ({ frame, time: start.time }));
    this.#learn(start);
    return ahead;
  }

  takesAll(log: FrameLog, mark: Position): boolean {
    if (this.#position === undefined || this.#position < log.oldest) return false;
    this.#shedding.weigh(log, this.#position, mark);
    return this.isInStep;
  }

  follow(entry: LogEntry): void {
    // Set-up of an epoch in between may have been given, too: only this one's is known.
    if (entry.run.epoch !== this.#epoch) this.#given = NO_HEADERS;
    this.#shedding.pass(entry);
    this.#pass(entry);
  }

  read(log: FrameLog, mark: Position, maxBytes: number): TimedFrame[] {
    const frames: TimedFrame[] = [];
    let bytes = 0;
    while (this.#position !== undefined && bytes < maxBytes) {
      const entry = this.#shedding.weigh(log, this.#position, mark);
      if (!entry) break;
      this.#pass(entry);
      if (entry.repeated || this.#shedding.leavesOut(entry.frame)) continue;
      frames.push(entry);
      bytes += entry.frame.payload.length;
    }
    return frames;
  }

  /** Too slow even for what is always given? */
  #isLost(log: FrameLog, position: Position, mark: Position): boolean {
    this.#shedding.weigh(log, position, mark);
    return this.#shedding.slowness > (log.hasVideo ? LOST : LOST_WITHOUT_VIDEO);
  }

  #pass(entry: LogEntry): void {
    this.#position = entry.position + 1;
    this.#learn(entry);
  }

  #learn({ headers, run }: LogEntry): void {
    this.#epoch = run.epoch;
    if (headers === this.#headers) return;
    this.#headers = headers;
    this.#given = {
      metadata: headers.metadata ?? this.#given.metadata,
      video: headers.video ?? this.#given.video,
      audio: headers.audio ?? this.#given.audio,
      others: headers.others ?? this.#given.others,
    };
  }
}
