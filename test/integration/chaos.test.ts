// One round of chaos: the command in small (docs/chaos.md).
import { expect, test } from 'vitest';
import { chaos } from '../chaos/chaos.ts';

test('one round of faults breaks no rule', async () => {
  const told: string[] = [];
  const report = await chaos({ seed: 3, ms: 0, restMs: 0, tell: (line) => told.push(line) });
  expect(report.violations, told.join('\n')).toEqual([]);
  expect(report.rounds).toBe(1);
  expect(report.faults.length).toBeGreaterThanOrEqual(2);
  expect(report.frames).toBeGreaterThan(1_000);
  expect(report.lost).toEqual({ withWay: 0, withoutWay: 0 });
}, 90_000);
