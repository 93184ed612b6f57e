// A clock that tests turn by hand. Nothing happens by itself: not time, not the end of a turn.
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;
  #order = 0;
  readonly #timers = new Set<Due>();
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
    return this.#set(this.#timers, this.#nowMs + ms, fire);
  }

  soon(fire: () => void): Timer {
    return this.#set(this.#soon, this.#nowMs, fire);
  }

  /** Timers that are set and have not fired; `soon` is not counted. */
  get timerCount(): number {
    return this.#timers.size;
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
    for (let due = this.#nextUntil(untilMs); due; due = this.#nextUntil(untilMs)) {
      this.#timers.delete(due);
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

  #set(row: Set<Due>, atMs: number, fire: () => void): Timer {
    const due = { atMs, order: this.#order++, fire };
    row.add(due);
    // A turn that is going on reads the set as it is now, so what is cancelled during it does not fire.
    return { cancel: () => row.delete(due) };
  }

  #nextUntil(untilMs: number): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#timers) {
      if (due.atMs > untilMs) continue;
      if (!next || due.atMs < next.atMs || (due.atMs === next.atMs && due.order < next.order)) next = due;
    }
    return next;
  }
}
