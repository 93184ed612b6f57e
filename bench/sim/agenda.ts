// Simulated time: what is to happen, in order. It is the clock of everything in the simulation.
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Due {
  readonly atMs: number;
  /** Of two at the same time, the one that was set first comes first. */
  readonly order: number;
  readonly run: (value: number) => void;
  readonly value: number;
}

export class Agenda implements Clock {
  /** A binary heap. */
  readonly #due: Due[] = [];
  #nowMs = 0;
  #order = 0;

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  /** Calls `run` with the value. */
  at(atMs: number, run: (value: number) => void, value = 0): void {
    this.#order += 1;
    const due: Due = { atMs, order: this.#order, run, value };
    let place = this.#due.length;
    this.#due.push(due);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#due[above];
      if (!other || !isBefore(due, other)) break;
      this.#due[place] = other;
      place = above;
    }
    this.#due[place] = due;
  }

  after(ms: number, fire: () => void): Timer {
    let isCancelled = false;
    this.at(this.#nowMs + ms, () => {
      if (!isCancelled) fire();
    });
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }

  soon(fire: () => void): Timer {
    return this.after(0, fire);
  }

  /** Each `everyMs`, from `fromMs` on. */
  each(everyMs: number, fromMs: number, run: () => void): void {
    const again = (): void => {
      this.at(this.#nowMs + everyMs, again);
      run();
    };
    this.at(fromMs, again);
  }

  /** Lets time pass. */
  runUntil(endMs: number): void {
    for (let first = this.#due[0]; first && first.atMs <= endMs; first = this.#due[0]) {
      this.#removeFirst();
      this.#nowMs = first.atMs;
      first.run(first.value);
    }
    this.#nowMs = endMs;
  }

  #removeFirst(): void {
    const last = this.#due.pop();
    if (!last || this.#due.length === 0) return;
    let place = 0;
    for (;;) {
      const left = place * 2 + 1;
      const [a, b] = [this.#due[left], this.#due[left + 1]];
      const below = a && b && isBefore(b, a) ? b : a;
      if (!below || !isBefore(below, last)) break;
      this.#due[place] = below;
      place = below === a ? left : left + 1;
    }
    this.#due[place] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
