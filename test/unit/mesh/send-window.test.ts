import { expect, test } from 'vitest';
import { MIN_WINDOW_BYTES, SendWindow } from '../../../src/mesh/send-window.ts';

const CHUNK = 16 * 1024;

/** A way of a fixed speed, and a sender that always has more, up to the window. */
class Way {
  readonly window = new SendWindow(0);
  nowMs = 0;
  sent = 0;
  taken = 0;
  /** The longest that a chunk was under way since this was set to 0, ms. */
  worstMs = 0;
  readonly #underWay: { end: number; sentMs: number; dueMs: number }[] = [];
  #busyUntilMs = 0;
  bytesPerMs: number;
  delayMs: number;

  constructor(bytesPerMs: number, delayMs: number) {
    this.bytesPerMs = bytesPerMs;
    this.delayMs = delayMs;
  }

  get underWay(): number {
    return this.sent - this.taken;
  }

  send(bytes: number): void {
    this.sent += bytes;
    this.#busyUntilMs = Math.max(this.nowMs, this.#busyUntilMs) + bytes / this.bytesPerMs;
    this.#underWay.push({ end: this.sent, sentMs: this.nowMs, dueMs: this.#busyUntilMs + this.delayMs });
    this.window.sent(this.sent, this.nowMs);
  }

  pass(ms: number, { isGreedy = true } = {}): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += 1) {
      for (let first = this.#underWay[0]; first && first.dueMs <= this.nowMs; first = this.#underWay[0]) {
        this.#underWay.shift();
        this.taken = first.end;
        this.worstMs = Math.max(this.worstMs, this.nowMs - first.sentMs);
        this.window.taken(this.taken, this.nowMs);
      }
      while (isGreedy && this.underWay < this.window.bytes(this.nowMs)) this.send(CHUNK);
    }
  }
}

test.each([
  [625, 5],
  [625, 50],
  [12_500, 1],
  [12_500, 80],
])('a way of %i bytes/ms that takes %i ms is used whole, and nothing waits long on it', (speed, delay) => {
  const way = new Way(speed, delay);
  way.pass(3_000);
  const before = way.taken;
  way.worstMs = 0;
  way.pass(30_000);
  expect((way.taken - before) / 30_000).toBeGreaterThan(0.95 * speed);
  expect(way.worstMs).toBeLessThan(delay + 300);
});

test('a way that grows narrow is noticed before much has piled up, and so is one that grows wide', () => {
  const way = new Way(12_500, 5);
  way.pass(2_000);
  way.worstMs = 0;
  way.bytesPerMs = 625;
  way.pass(5_000);
  expect(way.window.bytes(way.nowMs)).toBeLessThan(2 * MIN_WINDOW_BYTES);
  way.worstMs = 0;
  way.pass(5_000);
  expect(way.worstMs).toBeLessThan(250);
  way.bytesPerMs = 12_500;
  way.pass(500);
  const before = way.taken;
  way.pass(1_000);
  expect((way.taken - before) / 1_000).toBeGreaterThan(11_000);
});

test('a way that grows longer is used whole again', () => {
  const way = new Way(12_500, 5);
  way.pass(2_000);
  way.delayMs = 200;
  way.pass(40_000);
  const before = way.taken;
  way.pass(10_000);
  expect((way.taken - before) / 10_000).toBeGreaterThan(0.9 * 12_500);
});

test('a peer that takes nothing any more shuts it, and opens it by taking something', () => {
  const way = new Way(12_500, 1);
  way.pass(1_000);
  expect(way.window.bytes(way.nowMs)).toBeGreaterThan(1_000_000);
  way.bytesPerMs = 0.001;
  way.send(CHUNK);
  way.pass(500, { isGreedy: false });
  expect(way.window.bytes(way.nowMs)).toBe(MIN_WINDOW_BYTES);
  way.window.taken(way.sent, way.nowMs);
  expect(way.window.bytes(way.nowMs)).toBeGreaterThanOrEqual(MIN_WINDOW_BYTES);
});

test('small messages of long ago say nothing of those after them', () => {
  const window = new SendWindow(0);
  window.sent(1_000, 0);
  window.sent(20_000, 60_000);
  window.taken(20_000, 60_005);
  expect(window.bytes(60_005)).toBeGreaterThanOrEqual(256 * 1024);
});

test('what a peer says it has read can only grow, and not beyond what was sent', () => {
  const window = new SendWindow(0);
  window.sent(1_000, 0);
  expect([window.isPlausible(1_000), window.isPlausible(1_001)]).toEqual([true, false]);
  window.taken(800, 1);
  window.taken(300, 2);
  expect(window.takenBytes).toBe(800);
});
