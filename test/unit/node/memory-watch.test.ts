import { expect, test } from 'vitest';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { watchMemory } from '../../../src/node/memory-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

test('the log is told once that memory is short, and once that there is enough again', () => {
  const clock = new FakeClock();
  const log = new FakeLog();
  const budget = new MemoryBudget(1000);
  const shedAt: number[] = [];
  const backlog = budget.charge('backlog');
  const watch = watchMemory({ clock, log, budget, shed: () => shedAt.push(budget.usedBytes) });
  for (const bytes of [840, 900, 1300, 820, 790, 100]) {
    backlog.hold(bytes);
    clock.advance(1000);
  }
  expect(log.lines.map(({ level, event }) => `${level} ${event}`)).toEqual([
    'warn memory.short',
    'info memory.enough',
  ]);
  const bytes = { log: 0, 'lead-in': 0, standby: 0, unfinished: 0, backlog: 900 };
  expect(log.of('memory.short')).toEqual([{ bytes, limitBytes: 1000 }]);
  expect(shedAt).toEqual([1300]);
  watch.cancel();
  expect(clock.timerCount).toBe(0);
});
