import { expect, test } from 'vitest';
import { MediaCounters } from '../../../src/media/counters.ts';

test('ends are counted by their reason, and beyond 100 reasons as other', () => {
  const counters = new MediaCounters();
  for (let code = 0; code < 150; code += 1) counters.countEnd(`peer.${code}`);
  counters.countEnd('peer.0');
  expect(counters.ended.size).toBe(101);
  expect([counters.ended.get('peer.0'), counters.ended.get('other')]).toEqual([2, 50]);
});
