// Who writes to many takes turns: work is done in pieces, and between them the event loop serves everybody else. One for
// the whole node, so that many streams together hold the loop no longer than one. It knows no stream.
import type { Clock } from '../base/clock.ts';
import type { Table } from '../base/table.ts';
import { LoopShare } from './loop-share.ts';

/** Work that can stop between two pieces. */
export interface Job {
  /** Does a piece, and more until `untilMs` is reached; answers whether it is done. */
  work(untilMs: number): boolean;
}

/** What one turn of the event loop may spend on flushes, and then on those who catch up, ms. */
const FLUSH_MS = 5;
const CATCH_UP_MS = 3;

export class Turns {
  readonly #clock: Clock;
  /** In the order in which they are served; who is not done goes to the end. Bounded by the fan-outs there are. */
  readonly #flushes = new Set<Job>();
  readonly #catchUps = new Set<Job>();
  readonly #flushShare = new LoopShare();
  #isTurnSet = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get tables(): Table[] {
    return [
      { table: 'flush_queue', entries: this.#flushes.size, limit: undefined },
      { table: 'catch_up_queue', entries: this.#catchUps.size, limit: undefined },
    ];
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  /** The share of the event loop that flushes took of late, 0 to 1. */
  get flushShare(): number {
    return this.#flushShare.at(this.#clock.now());
  }

  /** The job is done from the next turn on. Calm when repeated. */
  flush(job: Job): void {
    this.#flushes.add(job);
    this.#setTurn();
  }

  /** As `flush`, behind all flushes of a turn. */
  catchUp(job: Job): void {
    this.#catchUps.add(job);
    this.#setTurn();
  }

  #setTurn(): void {
    if (this.#isTurnSet) return;
    this.#isTurnSet = true;
    this.#clock.soon(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isTurnSet = false;
    const startedMs = this.#clock.now();
    if (this.#flushes.size > 0) {
      const endedMs = this.#work(this.#flushes, startedMs + FLUSH_MS);
      this.#flushShare.spent(endedMs - startedMs, endedMs);
    }
    if (this.#catchUps.size > 0) this.#work(this.#catchUps, this.#clock.now() + CATCH_UP_MS);
    if (this.#flushes.size + this.#catchUps.size > 0) this.#setTurn();
  };

  /** Those that are there now get their turn, while there is time; answers when that was over. */
  #work(jobs: Set<Job>, untilMs: number): number {
    let nowMs = this.#clock.now();
    let left = jobs.size;
    for (const job of jobs) {
      jobs.delete(job);
      if (!job.work(untilMs)) jobs.add(job);
      nowMs = this.#clock.now();
      left -= 1;
      if (left === 0 || nowMs >= untilMs) break;
    }
    return nowMs;
  }
}
