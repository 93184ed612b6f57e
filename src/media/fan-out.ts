// One wire format, one era, many players. Frames that are due together are encoded once into one shared buffer, which
// every live player gets in one write; the others are pumped alone from the log until they stand at the flush mark.
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, TimedFrame, Tracks } from '../format/frame.ts';
import type { FrameLog, LogEntry, Position } from './frame-log.ts';
import type { Player } from './player.ts';
import { ERA_LIMIT_MS } from './timeline.ts';

/** What a pumped player is given per write. */
const PUMP_BYTES = 64 * 1024;

const ERA_OVER: Reason = {
  code: 'stream.era-over',
  message: 'the time of this connection is used up (2^31 ms): connect again',
};

export class FanOut {
  readonly encoder: FrameEncoder;
  readonly #log: FrameLog;
  /** Taken off every time, so that players see less than 2^31 ms. */
  readonly #base: number;
  readonly #live: Player[] = [];
  /** The flush mark: every live player was given everything up to this position. */
  #mark: Position;
  #closed: Reason | undefined;

  constructor(encoder: FrameEncoder, log: FrameLog, base: number) {
    this.encoder = encoder;
    this.#log = log;
    this.#base = base;
    this.#mark = log.next - 1;
  }

  get base(): number {
    return this.#base;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  get liveCount(): number {
    return this.#live.length;
  }

  /** A player starts here: it gets the format's opening, and is pumped. */
  join(player: Player, tracks: Tracks): void {
    const opening = this.encoder.open(tracks);
    if (opening.length > 0) player.take(opening);
    this.pump(player);
  }

  /**
   * Gives a player that is not live what it lacks, as far as its sink takes it. At the flush mark it becomes live;
   * with nothing to start at it becomes waiting.
   */
  pump(player: Player): void {
    player.state = 'behind';
    while (!player.isFull) {
      const frames = player.cursor.read(this.#log, this.#mark, PUMP_BYTES);
      if (frames.length === 0) break;
      player.take(this.#encode(frames));
    }
    const atMark = player.cursor.position === this.#mark + 1;
    if (this.#closed && (atMark || player.cursor.position === undefined)) player.end(this.#closed);
    else if (atMark) this.#promote(player);
    else if (player.cursor.position === undefined && !player.isFull) player.state = 'waiting';
  }

  /** Sends what was appended since the last flush to all live players, encoded once; closes where the era ends. */
  flush(): void {
    if (this.#closed) return;
    const batch: TimedFrame[] = [];
    let newest: LogEntry | undefined;
    let entry = this.#log.at(this.#mark + 1);
    while (entry && entry.time - this.#base < ERA_LIMIT_MS) {
      if (!entry.repeated) batch.push(entry);
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
  remove(player: Player): void {
    if (player.liveIndex >= 0) this.#demote(player);
  }

  /** Media bytes and stream ms between a pumped player and the flush mark; what the log has evicted is not counted. */
  lag(player: Player): { bytes: number; ms: number } {
    const position = player.cursor.position;
    const mark = this.#log.at(this.#mark);
    const next = position === undefined ? undefined : this.#log.at(Math.max(position, this.#log.oldest));
    if (!mark || !next) return { bytes: 0, ms: 0 };
    return { bytes: mark.totalBytes - next.totalBytes, ms: mark.time - next.time };
  }

  /** Moves the flush mark up to `newest`, and gives the live players what is new. */
  #send(batch: readonly TimedFrame[], newest: LogEntry): void {
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
  #encode(batch: readonly TimedFrame[]): Buffer {
    const base = this.#base;
    if (base === 0) return this.encoder.encode(batch, base);
    const lags = batch.some(({ time }) => time < base);
    const shown = lags ? batch.map(({ frame, time }) => ({ frame, time: Math.max(time, base) })) : batch;
    return this.encoder.encode(shown, base);
  }

  #promote(player: Player): void {
    player.state = 'live';
    player.wasLive = true;
    player.liveIndex = this.#live.length;
    this.#live.push(player);
  }

  #demote(player: Player): void {
    const last = this.#live.pop();
    if (last && last !== player) {
      this.#live[player.liveIndex] = last;
      last.liveIndex = player.liveIndex;
    }
    player.liveIndex = -1;
    player.state = 'behind';
  }
}
