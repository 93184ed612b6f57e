// Slow, fast and silent-looking streams over links with 50 ms of jitter: nobody takes that for a fault.
// `npm run bench:jitter` does it for ten minutes.
import { expect, test } from 'vitest';
import { underJitter } from '../support/jitter.ts';

const FOR_MS = 10_000;

test('1 frame/s, audio only and 60 frames/s with jitter: no false switch, and every frame', {
  timeout: 60_000,
}, async () => {
  const { players, alarms } = await underJitter(FOR_MS, Math.random);
  expect(alarms).toEqual([]);
  for (const { node, format, stream, words, lost, disconnected } of players) {
    expect(words, `${format} of ${stream} on ${node}`).toEqual([]);
    expect({ lost, disconnected }).toEqual({ lost: 0, disconnected: undefined });
  }
});
