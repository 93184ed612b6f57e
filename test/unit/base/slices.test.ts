import { expect, test } from 'vitest';
import { Slices } from '../../../src/base/slices.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** Work of so many steps, of 1 ms each. */
function* steps(clock: FakeClock, count: number, done: string[], name: string): Generator<void, string> {
  for (let step = 1; step <= count; step += 1) {
    clock.spend(1);
    done.push(`${name}${step}`);
    yield;
  }
  return name;
}

test('no turn takes more than a few ms, and all who have work go on in turn', async () => {
  const clock = new FakeClock();
  const slices = new Slices({ clock });
  const done: string[] = [];
  const ended = [slices.run(steps(clock, 5, done, 'a')), slices.run(steps(clock, 2, done, 'b'))];
  expect(done).toEqual([]);
  clock.turn();
  expect(done).toEqual(['a1', 'b1', 'a2', 'b2']);
  clock.turn();
  expect(done).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'a4', 'a5']);
  expect(await Promise.all(ended)).toEqual(['a', 'b']);
  expect([slices.count, clock.soonCount]).toEqual([0, 0]);
});

test('work that throws rejects, and holds up nobody', async () => {
  const clock = new FakeClock();
  const slices = new Slices({ clock });
  const done: string[] = [];
  function* failing(): Generator<void, string> {
    yield;
    throw new Error('no');
  }
  const failed = slices.run(failing());
  const ended = slices.run(steps(clock, 1, done, 'a'));
  clock.turn();
  await expect(failed).rejects.toThrow('no');
  expect(await ended).toBe('a');
});
