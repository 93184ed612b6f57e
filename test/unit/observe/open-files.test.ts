import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { OpenFiles } from '../../../src/observe/open-files.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { settle } from '../../support/settle.ts';

test('what is no connection is counted now and then; connections count at once', async () => {
  const clock = new FakeClock();
  let connections = 100;
  let all = 130;
  const files = new OpenFiles({
    ...{ clock, connections: () => connections, limit: () => 1_000 },
    count: () => Promise.resolve(all),
  });
  await files.start();
  expect([files.open, files.left]).toEqual([130, 870]);
  connections = 900;
  expect([files.open, files.left]).toEqual([930, 70]);
  all = 1_000;
  clock.advance(10_000);
  await settle();
  expect([files.open, files.left]).toEqual([1_000, 0]);
  files.stop();
  all = 2_000;
  clock.advance(60_000);
  await settle();
  expect(files.open).toBe(1_000);
});

test('a system that says nothing has no limit', async () => {
  const files = new OpenFiles({
    ...{ clock: new FakeClock(), connections: () => 7, limit: () => undefined },
    count: () => Promise.reject(new Error('no /proc')),
  });
  await files.look();
  expect([files.open, files.left]).toEqual([7, Number.POSITIVE_INFINITY]);
  expect(files.metrics().map(({ name, samples }) => [name, samples.map(({ value }) => value)])).toEqual([
    ['tideway_open_files', [7]],
    ['tideway_open_files_limit', []],
  ]);
});

test('a count that fails leaves what is known', async () => {
  let fails = false;
  const files = new OpenFiles({
    ...{ clock: new FakeClock(), connections: () => 1, limit: () => 100 },
    count: () => (fails ? Promise.reject(new Error('EMFILE')) : Promise.resolve(31)),
  });
  await files.look();
  fails = true;
  await files.look();
  expect(files.open).toBe(31);
});

test.runIf(process.platform === 'linux')('this process is counted, and has a limit', async () => {
  const files = new OpenFiles({ clock: systemClock, connections: () => 0 });
  await files.look();
  expect(files.open).toBeGreaterThan(3);
  expect(files.left).toBeGreaterThan(0);
  expect(files.limit).toBeGreaterThan(files.open);
});
