// Setup of every test file: fails the file, and cleans up, if it leaves child processes running.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll } from 'vitest';

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

function leftovers(): ReturnType<typeof children> {
  return children().filter(({ pid }) => !earlier.has(pid));
}

/** Running child processes of this one, from /proc; those that only wait to be reaped are left out. */
function children(): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // proc(5): "pid (comm) state ppid …", and comm may hold any character.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) !== process.pid || state === 'Z') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), command: command.slice(0, 120) }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}
