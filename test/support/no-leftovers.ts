// Setup of every test file: fails the file, and cleans up, if it leaves child processes running.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { type Child, children } from './children.ts';

/** A child that was told to end may take this long. */
const PATIENCE_MS = 3_000;
const LOOK_EVERY_MS = 50;

/** Children from before the tests are not theirs. */
const earlier = new Set(children().map(({ pid }) => pid));

afterAll(async () => {
  const deadline = performance.now() + PATIENCE_MS;
  let left = leftovers();
  while (left.length > 0 && performance.now() < deadline) {
    await delay(LOOK_EVERY_MS);
    left = leftovers();
  }
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  if (left.length > 0) {
    throw new Error(
      `child processes still run: ${left.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`,
    );
  }
});

function leftovers(): Child[] {
  return children().filter(({ pid }) => !earlier.has(pid));
}
