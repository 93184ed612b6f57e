// A small crowd of hostile connections beside players: a bench has the big one (bench/hostile.ts).
import { expect, test } from 'vitest';
import { amongHostile } from '../support/hostile-crowd.ts';

test('200 hostile connections take nothing from 20 players, and the API answers', {
  timeout: 30_000,
}, async () => {
  const figures = await amongHostile({ hostile: 200, players: 20, publishers: 2, ms: 3_000 });
  expect(figures).toMatchObject({ lost: 0, disconnected: 0, api: { failed: 0 } });
  expect(figures.frames).toBeGreaterThan(20 * 25);
  expect(figures.hostileConnections).toBeGreaterThan(200);
  expect(figures.joinMs.count).toBeGreaterThan(5);
  // A busy machine is slower than a node is; a join that waits for an attacker takes seconds.
  expect(figures.joinMs.p50).toBeLessThan(1_000);
});
