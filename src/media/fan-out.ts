// One wire format, one way of serving it, many players. Frames that are due together are encoded once into one shared buffer, which
// every live player gets in one write; the others are pumped alone from the log until they stand at the flush mark.
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, LoggedFrame, TimedFrame, Tracks } from '../format/frame.ts';
import type { FrameLog, LogEntry, Position } from './frame-log.ts';
import type { Player } from './player.ts';
import { ERA_LIMIT_MS } from './timeline.ts';

/** What a pumped player is given per write. */
const PUMP_BYTES = 64 * 1024;

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

export class FanOut<F extends TimedFrame = TimedFrame> {
  readonly encoder: FrameEncoder<F>;
  readonly #log: FrameLog;
  readonly #serving: Serving<F>;
  readonly #live: Player<F>[] = [];
  /** The flush mark: every live player was given everything up to this position. */
  #mark: Position;
  #closed: Reason | undefined;

  constructor(encoder: FrameEncoder<F>, log: FrameLog, serving: Serving<F>) {
    this.encoder = encoder;
    this.#log = log;
    this.#serving = serving;
    this.#mark = log.next - 1;
  }

  get base(): number {
    return this.#serving.base;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** A player starts here: it gets the format's opening, and is pumped. */
  join(player: Player<F>, tracks: Tracks): void {
    const opening = this.encoder.open(tracks);
    if (opening.length > 0) player.take(opening);
    this.pump(player);
  }

  /**
   * Gives a player that is not live what it lacks, as far as its sink takes it. At the flush mark it becomes live, if
   * it is in step with the others; with nothing to start at or to go on with it becomes waiting.
   */
  pump(player: Player<F>): void {
    player.state = 'behind';
    while (!player.isFull) {
      const ahead = player.cursor.place(this.#log, this.#mark);
      const frames = [...ahead, ...player.cursor.read(this.#log, this.#mark, PUMP_BYTES)];
      if (frames.length === 0) break;
      player.take(this.#encode(frames));
    }
    const { position, isInStep } = player.cursor;
    const hasAll = position === undefined || position > this.#mark;
    if (this.#closed && hasAll) player.end(this.#closed);
    else if (position === this.#mark + 1 && isInStep) this.#promote(player);
    else if (hasAll && !player.isFull) player.state = 'waiting';
  }

  /** Sends what was appended since the last flush to all live players, encoded once; closes at its end time. */
  flush(): void {
    if (this.#closed) return;
    const { endTime, share } = this.#serving;
    const batch: F[] = [];
    let newest: LogEntry | undefined;
    let entry = this.#log.at(this.#mark + 1);
    while (entry && entry.time < endTime) {
      const shared = share(entry);
      if (shared) batch.push(shared);
      newest = entry;
      entry = this.#log.at(entry.position + 1);
    }
    if (newest) this.#send(batch, newest);
    if (entry) this.close(ERA_OVER);
  }

  /** Nothing more will come: live players end now, the others when they have read up to the flush mark. */
  close(why: Reason): void {
    this.#closed = why;
    for (const player of [...this.#live]) player.end(why);
  }

  /** The player left. */
  remove(player: Player<F>): void {
    if (player.liveIndex >= 0) this.#demote(player);
  }

  /** Media bytes and stream ms between a pumped player and the flush mark; what the log has evicted is not counted. */
  lag(player: Player<F>): { bytes: number; ms: number } {
    const position = player.cursor.position;
    const mark = this.#log.at(this.#mark);
    const next = position === undefined ? undefined : this.#log.at(Math.max(position, this.#log.oldest));
    if (!mark || !next) return { bytes: 0, ms: 0 };
    return { bytes: mark.totalBytes - next.totalBytes, ms: mark.time - next.time };
  }

  /** Moves the flush mark up to `newest`, and gives the live players what is new. */
  #send(batch: readonly F[], newest: LogEntry): void {
    this.#mark = newest.position;
    if (batch.length === 0 || this.#live.length === 0) return;
    const bytes = this.#encode(batch);
    // From the last to the first: a player that is demoted gives its place to one that was served already.
    for (let index = this.#live.length - 1; index >= 0; index -= 1) {
      const player = this.#live[index];
      if (!player) continue;
      player.take(bytes);
      if (player.isOverfull) {
        this.#demote(player);
        player.cursor.follow(newest);
      }
    }
  }

  /** A track that lags behind the start of an era is shown at its start: no format has times below 0. */
  #encode(batch: readonly F[]): Buffer {
    const { base } = this.#serving;
    if (base === 0) return this.encoder.encode(batch, base);
    const lags = batch.some(({ time }) => time < base);
    const shown = lags ? batch.map((frame) => ({ ...frame, time: Math.max(frame.time, base) })) : batch;
    return this.encoder.encode(shown, base);
  }

  #promote(player: Player<F>): void {
    player.state = 'live';
    player.wasLive = true;
    player.liveIndex = this.#live.length;
    this.#live.push(player);
  }

  #demote(player: Player<F>): void {
    const last = this.#live.pop();
    if (last && last !== player) {
      this.#live[player.liveIndex] = last;
      last.liveIndex = player.liveIndex;
    }
    player.liveIndex = -1;
    player.state = 'behind';
  }
}
