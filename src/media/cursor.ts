// A player's place in the frame log: start, wait for a key frame, read on, skip. Pure: no sink, no socket.
import type { Frame, TimedFrame } from '../format/frame.ts';
import {
  counterpartOf,
  type FrameLog,
  headersIn,
  type LogEntry,
  NO_HEADERS,
  type Position,
  type TrackHeaders,
} from './frame-log.ts';

/** A reader's place in a frame log, and what of the log it is given. */
export interface LogReader<F extends TimedFrame> {
  /** The next position to read; undefined while the reader waits for a frame to start at. */
  readonly position: Position | undefined;
  /** Can the next entry be given to it as it is given to all others? */
  readonly isInStep: boolean;
  /** How often the log overtook the reader, so that frames were left out. */
  readonly skips: number;
  /** The reader was given everything up to this entry by others: it goes on behind it. */
  follow(entry: LogEntry): void;
  /**
   * The next frames for this reader, in order, up to and with the position `mark`, until `maxBytes` are reached; none
   * only where it stands behind the mark, or waits.
   */
  read(log: FrameLog, mark: Position, maxBytes: number): F[];
}

export class Cursor implements LogReader<TimedFrame> {
  readonly isInStep = true;
  #position: Position | undefined;
  /** What the reader's decoder was last given, over all epochs. */
  #given: TrackHeaders = NO_HEADERS;
  /** Those of the entry that was read last. */
  #headers: TrackHeaders = NO_HEADERS;
  #skips = 0;

  get position(): Position | undefined {
    return this.#position;
  }

  get skips(): number {
    return this.#skips;
  }

  follow(entry: LogEntry): void {
    this.#position = entry.position + 1;
    if (entry.headers === this.#headers) return;
    this.#headers = entry.headers;
    this.#given = {
      metadata: entry.headers.metadata ?? this.#given.metadata,
      video: entry.headers.video ?? this.#given.video,
      audio: entry.headers.audio ?? this.#given.audio,
      others: entry.headers.others ?? this.#given.others,
    };
  }

  /**
   * A reader that waits, or that the log has overtaken, starts at the log's newest start, with the decoder set-up
   * that it lacks; if there is none it waits, and the answer is empty.
   */
  read(log: FrameLog, mark: Position, maxBytes: number): TimedFrame[] {
    const frames: TimedFrame[] = [];
    if (this.#position === undefined || this.#position < log.oldest) this.#start(log, mark, frames);
    if (this.#position === undefined) return frames;
    let bytes = 0;
    for (let entry = log.at(this.#position); entry && entry.position <= mark; ) {
      if (!entry.repeated) {
        frames.push(entry);
        bytes += entry.frame.payload.length;
      }
      this.follow(entry);
      if (bytes >= maxBytes) break;
      entry = log.at(entry.position + 1);
    }
    return frames;
  }

  #start(log: FrameLog, mark: Position, frames: TimedFrame[]): void {
    if (this.#position !== undefined) this.#skips += 1;
    this.#position = undefined;
    const position = log.startPosition();
    const entry = position === undefined || position > mark ? undefined : log.at(position);
    if (!entry) return;
    this.#position = entry.position;
    for (const frame of lacking(this.#given, entry.headers)) frames.push({ frame, time: entry.time });
  }
}

function lacking(has: TrackHeaders, needs: TrackHeaders): Frame[] {
  return headersIn(needs).filter((frame) => !counterpartOf(frame, has)?.payload.equals(frame.payload));
}
