import { beforeEach, expect, test } from 'vitest';
import type { TimedFrame } from '../../../src/format/frame.ts';
import { MediaCounters } from '../../../src/media/counters.ts';
import { eraFrom } from '../../../src/media/fan-out.ts';
import { FanOuts } from '../../../src/media/fan-outs.ts';
import { FrameLog } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { ERA_LIMIT_MS, ERA_MS } from '../../../src/media/timeline.ts';
import { Turns } from '../../../src/media/turns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { frameOf, GONE, TestEncoder, WIDE_LOG } from '../../support/media.ts';

let log: FrameLog;
let fanOuts: FanOuts<TimedFrame>;

beforeEach(() => {
  const clock = new FakeClock();
  log = new FrameLog(WIDE_LOG, new MemoryBudget(2 ** 40));
  fanOuts = new FanOuts({
    ...{ clock, log, turns: new Turns(clock), counters: new MediaCounters() },
    ...{ maxDelayMs: 100, moved: () => {}, given: () => ({ bytes: 0 }) },
  });
});

test('those of one format and era share a fan-out, until it is closed', () => {
  const encoder = new TestEncoder();
  const first = fanOuts.open(encoder, eraFrom(0));
  expect(fanOuts.open(encoder, eraFrom(0))).toBe(first);
  expect(fanOuts.open(encoder, eraFrom(ERA_MS))).not.toBe(first);
  expect(fanOuts.open(new TestEncoder(), eraFrom(0))).not.toBe(first);
  first.close(GONE);
  expect(fanOuts.open(encoder, eraFrom(0))).not.toBe(first);
});

test('the mark is that of the fan-out that has flushed least; all is flushed where there is none', () => {
  log.append(frameOf('avc key', 1, 0), 0, 0);
  expect(fanOuts.mark).toBe(log.next);
  const ahead = fanOuts.open(new TestEncoder(), eraFrom(0));
  fanOuts.open(new TestEncoder(), eraFrom(0));
  log.append(frameOf('avc delta', 2, 40), 40, 40);
  ahead.flushNow();
  expect(ahead.mark).toBe(1);
  expect(fanOuts.mark).toBe(0);
  fanOuts.flushNow();
  expect(fanOuts.mark).toBe(1);
  fanOuts.close(GONE);
  expect(fanOuts.mark).toBe(log.next);
  expect(ahead.isClosed).toBe(true);
});

test('one that closed itself at the end of its era keeps nothing from being evicted', () => {
  const fanOut = fanOuts.open(new TestEncoder(), eraFrom(0));
  log.append(frameOf('avc key', 1, 0), ERA_LIMIT_MS, ERA_LIMIT_MS);
  fanOuts.flushNow();
  expect(fanOut.isClosed).toBe(true);
  expect(fanOuts.mark).toBe(log.next);
  log.append(frameOf('avc key', 2, 0), ERA_LIMIT_MS + 20_000, ERA_LIMIT_MS + 20_000);
  log.trim(fanOuts.mark);
  expect(log.oldest).toBe(1);
});
