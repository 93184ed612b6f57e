import { expect, test } from 'vitest';
import { LoadProbe } from '../../../src/observe/load-probe.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('tells shares between 0 and 1, and what was sent in the time since it was asked', () => {
  const clock = new FakeClock();
  let sentBytes = 5_000;
  const probe = new LoadProbe({ clock, sentBytes: () => sentBytes });
  probe.start();
  const first = probe.read();
  expect(first).toMatchObject({ cpu: 0, loopLagMs: 0, sentBytesPerS: 0 });
  expect(first.memory).toBeGreaterThan(0);
  expect(first.memory).toBeLessThan(1);
  sentBytes += 30_000;
  clock.advance(500);
  expect(probe.read(), 'too soon for new figures').toBe(first);
  clock.advance(1500);
  const second = probe.read();
  expect(second.sentBytesPerS).toBe(15_000);
  expect(second.cpu).toBeGreaterThanOrEqual(0);
  expect(second.cpu).toBeLessThanOrEqual(1);
  probe.stop();
  probe.stop();
});
