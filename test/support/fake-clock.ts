// A clock that tests turn by hand. Nothing happens by itself: not time, not the end of a turn.
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Due {
  readonly atMs: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;
  /** In the order in which they fire. */
  readonly #timers: Due[] = [];
  #soon = new Set<Due>();

  /**
   * @param startMs monotonic time at the start
   * @param wallMs wall time at the start, ms since 1970
   */
  constructor(startMs = 1000, wallMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
    this.#wallOffsetMs = wallMs - startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#nowMs + this.#wallOffsetMs);
  }

  after(ms: number, fire: () => void): Timer {
    if (!(ms >= 0)) throw new Error(`a timer was set to ${ms} ms`);
    const due = { atMs: this.#nowMs + ms, fire };
    const after = this.#timers.findLastIndex(({ atMs }) => atMs <= due.atMs);
    this.#timers.splice(after + 1, 0, due);
    return {
      cancel: () => {
        const at = this.#timers.indexOf(due);
        if (at >= 0) this.#timers.splice(at, 1);
      },
    };
  }

  soon(fire: () => void): Timer {
    const row = this.#soon;
    const due = { atMs: this.#nowMs, fire };
    row.add(due);
    // A turn that is going on reads the set as it is now, so what is cancelled during it does not fire.
    return { cancel: () => row.delete(due) };
  }

  /** Timers that are set and have not fired; `soon` is not counted. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** What the end of this turn will call. */
  get soonCount(): number {
    return this.#soon.size;
  }

  /** Lets time pass while a call is running: no timer fires. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  /** Lets time pass, and fires the timers that come due, in order, each at its time. The turn does not end. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let due = this.#timers[0]; due && due.atMs <= untilMs; due = this.#timers[0]) {
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.fire();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Ends the turn: calls what was to come soon, but not what that asks for in its turn. */
  turn(): void {
    const due = this.#soon;
    this.#soon = new Set();
    for (const one of due) one.fire();
  }

  /** Ends the turn, lets time pass, ends the turn again: what a while of real time does. */
  pass(ms: number): void {
    this.turn();
    this.advance(ms);
    this.turn();
  }
}
