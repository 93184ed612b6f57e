// Tells the log when a node begins, and when it ceases, to be short of memory for media, and who holds some without adding
// to it to let go. What goes is the budget's and the logs' to say.
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { MEMORY_KINDS, type MemoryBudget } from '../media/memory-budget.ts';

const LOOK_MS = 1_000;

/** Looks each second, until it is cancelled. */
export function watchMemory({
  clock,
  log,
  budget,
  shed,
}: {
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: Pick<MemoryBudget, 'bytesOf' | 'limitBytes' | 'refusesJoins' | 'isOver'>;
  /** Logs let go of what they may not keep now. */
  readonly shed: () => void;
}): Timer {
  let wasShort = false;
  return every(clock, LOOK_MS, () => {
    if (budget.isOver) shed();
    const isShort = budget.refusesJoins;
    if (isShort === wasShort) return;
    wasShort = isShort;
    const bytes = Object.fromEntries(MEMORY_KINDS.map((kind) => [kind, budget.bytesOf(kind)]));
    const fields = { bytes, limitBytes: budget.limitBytes };
    if (isShort) log.warn(fields, 'memory.short');
    else log.info(fields, 'memory.enough');
  });
}
