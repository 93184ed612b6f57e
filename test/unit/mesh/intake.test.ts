import { beforeEach, expect, test, vi } from 'vitest';
import type { MediaFrame } from '../../../src/format/mesh/media-codec.ts';
import { Intake } from '../../../src/mesh/intake.ts';
import { frameOf, type PayloadName, runOf, StreamBench } from '../../support/media.ts';

const MIB = 1024 * 1024;

let bench: StreamBench;
let intake: Intake;
/** Is there a former upstream? */
let overlaps: boolean;
/** What the stream was given, and what was made of it. */
let got: string[];

beforeEach(() => {
  bench = new StreamBench();
  bench.attach();
  overlaps = false;
  got = [];
  const { stream } = bench;
  vi.spyOn(stream, 'append').mockImplementation(({ seq }) => void got.push(String(seq)));
  vi.spyOn(stream, 'appendSetUp').mockImplementation(({ seq }) => void got.push(`set-up ${seq}`));
  vi.spyOn(stream, 'begin').mockImplementation(({ epoch, from }) => void got.push(`run ${epoch}:${from}`));
  intake = new Intake({
    clock: bench.clock,
    stream: () => stream,
    overlaps: () => overlaps,
    taken: () => {
      overlaps = false;
    },
    spliced: (verdict) => got.push(verdict),
  });
});

function frame(seq: number, name: PayloadName = 'avc delta', size = 0): MediaFrame {
  const { kind, dts, payload } = frameOf(name, seq, seq * 40, size);
  return { kind, dts, payload, seq };
}

/** An upstream has brought frames 1 to 3 of epoch 5, and another one is to take its place. */
function overlapping() {
  const former = runOf(5);
  intake.runBegins('current', former);
  for (const seq of [1, 2, 3]) intake.frame('current', former, frame(seq));
  overlaps = true;
  got = [];
  return former;
}

test('a run enters with its first frame, its set-up ahead of it', () => {
  const run = runOf(5, 7);
  intake.runBegins('current', run);
  intake.setUp('current', run, frame(2, 'avc header'));
  expect(got).toEqual([]);
  intake.frame('current', run, frame(7, 'avc key'));
  expect(got).toEqual(['run 5:7', 'set-up 2', 'splice', '7']);
  expect(intake.place).toEqual({ epoch: 5, seq: 7 });
});

test('while two upstreams overlap, the one that is ahead waits for the frames before its own', () => {
  const former = overlapping();
  const current = runOf(5, 6);
  intake.runBegins('current', current);
  for (const seq of [6, 7]) intake.frame('current', current, frame(seq));
  intake.frame('former', former, frame(4));
  expect(got).toEqual(['4']);
  intake.frame('former', former, frame(5));
  expect(got).toEqual(['4', '5', '6', '7']);
  expect(overlaps).toBe(false);
});

test('it does not wait for long', () => {
  overlapping();
  const current = runOf(5, 6);
  intake.runBegins('current', current);
  intake.frame('current', current, frame(6, 'avc key'));
  bench.clock.pass(99);
  expect(got).toEqual([]);
  bench.clock.pass(2);
  expect(got).toEqual(['run 5:6', 'gap', '6']);
});

test('what two upstreams bring comes once', () => {
  const former = overlapping();
  const current = runOf(5, 3);
  intake.runBegins('current', current);
  for (const seq of [3, 4]) intake.frame('current', current, frame(seq));
  for (const seq of [4, 5]) intake.frame('former', former, frame(seq));
  intake.frame('current', current, frame(5));
  expect(got).toEqual(['4', '5']);
});

test('a run of a lower epoch is refused, and its frames are', () => {
  overlapping();
  const lower = runOf(4, 9);
  expect(intake.runBegins('current', lower)).toBe(false);
  intake.frame('current', lower, frame(9));
  expect(got).toEqual([]);
});

test.each([
  ['in number', 200, 10, 64],
  ['in bytes', 30, MIB, 16],
])('set-up without end is kept up to a bound %s', (_in, count, size, kept) => {
  const run = runOf(5, 1);
  intake.runBegins('current', run);
  const header = frame(1, 'avc header', size);
  for (let n = 0; n < count; n += 1) intake.setUp('current', run, header);
  intake.frame('current', run, frame(1, 'avc key'));
  expect(got.filter((each) => each === 'set-up 1')).toHaveLength(kept);
});
