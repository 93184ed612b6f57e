import { expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Standby } from '../../../src/media/standby.ts';
import { kindOf, type PayloadName, payloadOf } from '../../support/media.ts';

const EVERY_MS = 40;

/** A publisher that stands by, and what it hands over. */
class Bench {
  readonly budget = new MemoryBudget(20 << 20);
  readonly standby = new Standby(0, this.budget);
  nowMs = 0;
  #id = 0;

  send(...names: PayloadName[]): void {
    for (const name of names) {
      this.nowMs += EVERY_MS;
      this.#id += 1;
      this.standby.append(kindOf(name), this.nowMs, payloadOf(name, this.#id), this.nowMs);
    }
  }

  /** `key 3@120`, in the order in which they were handed over. */
  handOver(): string[] {
    const got: string[] = [];
    this.standby.handOver({
      append: (kind, timestamp, payload) => {
        const track = Object.keys(FrameKind)[Object.values(FrameKind).indexOf(kind)];
        got.push(`${track} ${payload.readUInt32BE(idAt(kind, payload))}@${timestamp}`);
      },
    });
    return got;
  }
}

function idAt(kind: number, payload: Buffer): number {
  if (kind === FrameKind.video) return 5;
  if (kind === FrameKind.audio) return 2;
  return payload[2] === 10 ? 13 : 7;
}

test('hands over its newest set-up, then everything from its newest key frame on', () => {
  const bench = new Bench();
  bench.send('metadata', 'avc header', 'aac header', 'avc key', 'aac sample', 'avc delta');
  bench.send('aac header', 'avc key', 'aac sample', 'avc delta');
  expect(bench.handOver()).toEqual([
    'data 1@320',
    'video 2@320',
    'audio 7@320',
    'video 8@320',
    'audio 9@360',
    'video 10@400',
  ]);
  expect(bench.standby.bytes).toBe(0);
});

test('is ready from its first key frame on, and not while it is silent', () => {
  const bench = new Bench();
  bench.send('avc header', 'avc delta', 'aac sample');
  expect(bench.standby.isReady(bench.nowMs)).toBe(false);
  bench.send('avc key', 'aac sample');
  expect(bench.standby.isReady(bench.nowMs)).toBe(true);
  expect(bench.standby.isReady(bench.nowMs + 500)).toBe(true);
  expect(bench.standby.isReady(bench.nowMs + 501)).toBe(false);
});

test('without video keeps the audio that a publication needs to start', () => {
  const bench = new Bench();
  bench.send('aac header', ...Array.from({ length: 100 }, () => 'aac sample' as const));
  const got = bench.handOver();
  expect(got[0]).toMatch(/^audio 1@/);
  expect(got.length).toBe(1 + 1_500 / EVERY_MS + 1 - 0.5);
});

test('counts how long it has been well, from the end of its last silence', () => {
  const bench = new Bench();
  bench.send('avc key');
  const sinceMs = bench.nowMs;
  for (let n = 0; n < 10; n += 1) bench.send('avc delta');
  expect(bench.standby.wellMs(bench.nowMs)).toBe(bench.nowMs - sinceMs + EVERY_MS);
  bench.nowMs += 2_000;
  expect(bench.standby.wellMs(bench.nowMs)).toBe(0);
  bench.send('avc delta');
  const againMs = bench.nowMs;
  bench.send('avc delta', 'avc delta');
  expect(bench.standby.wellMs(bench.nowMs)).toBe(bench.nowMs - againMs);
});

test('what it keeps is charged, its set-up too, until it is handed over or its publisher goes', () => {
  const bench = new Bench();
  bench.send('avc header', 'aac header');
  const setUpBytes = bench.budget.bytesOf('standby');
  expect(setUpBytes).toBe(9 + 6 + 2 * 256);
  bench.send('avc header', 'avc key', 'avc delta', 'avc key');
  expect(bench.budget.bytesOf('standby')).toBe(setUpBytes + 9 + 256);
  let chargedMeanwhile = 0;
  bench.standby.handOver({ append: () => (chargedMeanwhile += bench.budget.usedBytes) });
  expect([chargedMeanwhile, bench.budget.usedBytes]).toEqual([0, 0]);
  bench.send('avc header', 'avc key');
  bench.standby.clear();
  expect(bench.budget.usedBytes).toBe(0);
});

test('gives its row up while the node is out of memory, and keeps its set-up', () => {
  const bench = new Bench();
  bench.send('avc header', 'avc key');
  bench.budget.charge('log').take(26 << 20);
  bench.send('avc delta');
  expect(bench.standby.bytes).toBe(9 + 256);
  expect(bench.standby.isReady(bench.nowMs)).toBe(false);
});

test('a row that grows without end is given up until the next key frame', () => {
  const bench = new Bench();
  bench.send('avc key');
  for (let n = 0; n < 5; n += 1) {
    bench.nowMs += EVERY_MS;
    bench.standby.append(FrameKind.video, bench.nowMs, payloadOf('avc delta', n, 4 << 20), bench.nowMs);
  }
  expect(bench.standby.bytes).toBe(0);
  expect(bench.standby.isReady(bench.nowMs)).toBe(false);
  bench.send('avc delta');
  expect(bench.standby.isReady(bench.nowMs)).toBe(false);
  bench.send('avc key');
  expect(bench.standby.isReady(bench.nowMs)).toBe(true);
});
