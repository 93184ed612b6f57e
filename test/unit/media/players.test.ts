import { beforeEach, expect, test } from 'vitest';
import type { FrameEncoder } from '../../../src/format/frame.ts';
import { FakeSink, frameOf, GONE, type PayloadName, StreamBench, TestEncoder } from '../../support/media.ts';

let bench: StreamBench;
let encoder: FrameEncoder;
let nextId: number;

beforeEach(() => {
  bench = new StreamBench();
  encoder = new TestEncoder();
  nextId = 1;
  bench.start();
});

function append(name: PayloadName, ms: number, size = 0): void {
  bench.append(frameOf(name, nextId, ms, size));
  nextId += 1;
}

const play = (mode: 'fast' | 'by-hand' = 'fast') => bench.play(new FakeSink(mode), encoder);
const kept = () => bench.budget.bytesOf('backlog');
const givenTo = ({ buffers }: FakeSink) => buffers.reduce((sum, { length }) => sum + length, 0);

/** All who want a turn have it. */
function settle(): void {
  while (bench.clock.soonCount > 0) bench.clock.turn();
}

test('stretches that nobody is given are let go within two seconds', () => {
  append('avc key', 0, 100_000);
  append('avc delta', 1, 100_000);
  play();
  settle();
  bench.clock.advance(1000);
  expect(kept()).toBeGreaterThan(200_000);
  bench.clock.advance(1000);
  expect(kept()).toBe(0);
});

test('what a live player was given is counted once a second, each byte once', () => {
  append('avc key', 0);
  const sink = play();
  for (let ms = 20; ms <= 3000; ms += 20) {
    append('avc delta', ms);
    bench.clock.pass(20);
    if (ms % 1000 === 0) expect(sink.player?.bytesTaken).toBe(givenTo(sink));
  }
  append('avc delta', 3020);
  bench.clock.turn();
  sink.player?.leave(GONE);
  expect(sink.player?.bytesTaken).toBe(givenTo(sink));
});

test('no timer is left once all players left, whatever was flushed or appended before', () => {
  append('avc key', 0);
  const slowly = () => new FakeSink('fast', { onWrite: () => bench.clock.spend(0.5) });
  const sinks = Array.from({ length: 60 }, slowly);
  for (const sink of sinks) bench.join(sink, encoder);
  settle();
  for (let ms = 20; ms <= 1000; ms += 20) {
    append('avc delta', ms);
    bench.clock.advance(20);
    settle();
  }
  bench.clock.advance(300);
  settle();
  append('avc delta', 2000);
  for (let frames = 0; frames < 8192; frames += 1) append('avc delta', 2000);
  append('aac sample', 2001);
  settle();
  append('aac sample', 2002);
  for (const { player } of sinks) player?.leave(GONE);
  settle();
  expect(bench.clock.timerCount).toBe(0);
});

test('a player that waits for a key frame to go on with ends at once when the codec changes', () => {
  append('avc header', 0);
  append('avc key', 0);
  const slow = play('by-hand');
  slow.drain();
  append('avc delta', 20, 600_000);
  bench.clock.turn();
  for (let ms = 40; ms <= 6000; ms += 40) {
    append(ms % 200 === 0 ? 'aac sample' : 'avc delta', ms);
    bench.clock.pass(40);
  }
  slow.drainAll();
  expect(slow.player).toMatchObject({ state: 'waiting', cursor: { without: 'video' } });
  append('hevc header', 6040);
  bench.clock.turn();
  expect(slow.ends).toEqual([{ how: 'end', code: 'stream.codec-changed' }]);
});

test('where memory is short, who is behind by more than a second is closed, unless it came in of late', () => {
  append('avc key', 0, 70_000);
  append('avc delta', 0, 70_000);
  const slow = play('by-hand');
  const near = play('by-hand');
  const live = play();
  for (const sink of [slow, near]) sink.drainAll();
  let newcomer: FakeSink | undefined;
  const others = bench.budget.charge('standby');
  for (let ms = 100; ms <= 12_000; ms += 100) {
    const isMuch = ms === 9500 || ms === 11_500;
    append('avc delta', ms, isMuch ? 200_000 : 0);
    if (ms < 9500) slow.drainAll();
    if (ms < 11_500) near.drainAll();
    if (ms === 9600) newcomer = play('by-hand');
    if (ms === 11_900) {
      expect(slow.player?.state).toBe('behind');
      others.hold(0.95 * bench.budget.limitBytes);
    }
    bench.clock.pass(100);
  }
  expect([slow, near, newcomer, live].map((sink) => sink?.player?.state)).toEqual([
    'ended',
    'behind',
    'behind',
    'live',
  ]);
  expect(slow.ends).toEqual([{ how: 'destroy', code: 'player.no-memory' }]);
  expect(kept()).toBeGreaterThan(200_000);
  for (const sink of [near, newcomer, live]) sink?.player?.leave(GONE);
  expect([kept(), bench.clock.timerCount]).toEqual([0, 0]);
});
