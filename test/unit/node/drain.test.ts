import { beforeEach, describe, expect, test } from 'vitest';
import { Drain, type DrainLeft } from '../../../src/node/drain.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

const NOBODY: DrainLeft = { players: 0, publishers: 0, children: 0 };
const SOME: DrainLeft = { players: 2, publishers: 1, children: 1 };

let clock: FakeClock;
let log: FakeLog;
let left: DrainLeft;
let told: unknown[];
let drain: Drain;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  left = SOME;
  told = [];
  drain = new Drain({
    ...{ clock, log },
    left: () => left,
    begun: ({ code }, deadlineMs) => told.push(['begun', code, deadlineMs]),
    ended: ({ code }) => told.push(['ended', code]),
    undone: () => told.push(['undone']),
  });
});

const events = () => log.lines.map(({ event }) => event);

test('a node that serves takes everybody', () => {
  expect(() => drain.check()).not.toThrow();
  expect(drain.notReady).toBeUndefined();
  expect(drain.summary).toEqual({
    ...{ state: 'serving', sinceWallMs: undefined, deadlineMs: undefined },
    ...SOME,
  });
});

test('one that drains takes nobody, tells the deadline, and is drained once nobody is left', () => {
  const startedWallMs = clock.wallMs();
  drain.begin(60_000);
  expect(() => drain.check()).toThrow(expect.objectContaining({ code: 'node.draining' }));
  expect(drain.notReady?.code).toBe('node.draining');
  expect(told).toEqual([['begun', 'node.draining', 60_000]]);
  clock.pass(10_000);
  expect(drain.summary).toEqual({
    ...{ state: 'draining', sinceWallMs: startedWallMs, deadlineMs: 50_000 },
    ...SOME,
  });
  left = { ...NOBODY, children: 1 };
  clock.pass(1_000);
  expect(drain.state, 'another node needs it').toBe('draining');
  left = NOBODY;
  clock.pass(100);
  expect(drain.state).toBe('drained');
  expect(drain.notReady?.code).toBe('node.draining');
  expect(told).toHaveLength(1);
  expect(events()).toEqual(['node.drain', 'node.drained']);
});

test('one that nobody is on is drained at once', () => {
  left = NOBODY;
  drain.begin(60_000);
  expect(drain.state).toBe('drained');
});

test('at the deadline who is left is ended, once, and it stays closed', () => {
  drain.begin(5_000);
  clock.pass(4_999);
  expect([drain.state, told.length]).toEqual(['draining', 1]);
  clock.pass(1);
  expect(drain.summary).toMatchObject({ state: 'drained', deadlineMs: 0 });
  clock.pass(60_000);
  expect(told).toEqual([
    ['begun', 'node.draining', 5_000],
    ['ended', 'node.drained'],
  ]);
  expect(() => drain.check()).toThrow();
  expect(log.lines.at(-1)).toMatchObject({
    event: 'node.drained',
    fields: { durationMs: 5_000, ...SOME },
  });
});

test('who came in as it was empty is ended at the deadline, too', () => {
  left = NOBODY;
  drain.begin(5_000);
  left = { ...NOBODY, publishers: 1 };
  clock.pass(5_000);
  expect(told.at(-1)).toEqual(['ended', 'node.drained']);
  expect(events()).toEqual(['node.drain', 'node.drained']);
});

test('begun again it has the new deadline, and asks who is left once more', () => {
  drain.begin(5_000);
  clock.pass(1_000);
  drain.begin(60_000);
  clock.pass(10_000);
  expect(drain.summary).toMatchObject({ state: 'draining', deadlineMs: 50_000 });
  expect(told).toEqual([
    ['begun', 'node.draining', 5_000],
    ['begun', 'node.draining', 60_000],
  ]);
  drain.begin(0);
  clock.pass(0);
  expect([drain.state, told.at(-1)]).toEqual(['drained', ['ended', 'node.drained']]);
});

describe('undone', () => {
  test('it serves again, and the deadline that was ends nobody', () => {
    drain.begin(5_000);
    drain.undo();
    expect(() => drain.check()).not.toThrow();
    clock.pass(60_000);
    expect([drain.state, told.at(-1)]).toEqual(['serving', ['undone']]);
    expect(clock.timerCount).toBe(0);
    drain.undo();
    expect(told, 'calm when repeated').toHaveLength(2);
  });

  test('it may be after the deadline', () => {
    drain.begin(5_000);
    clock.pass(5_000);
    drain.undo();
    expect(drain.state).toBe('serving');
    expect(events()).toEqual(['node.drain', 'node.drained', 'node.drain-undone']);
  });
});

describe('before the node stops', () => {
  /** Whether it may stop, as it becomes known. */
  function finish(deadlineMs: number): { isOver: boolean } {
    const told = { isOver: false };
    void drain.finish(deadlineMs).then(() => {
      told.isOver = true;
    });
    return told;
  }
  const settled = () => Promise.resolve();

  test('it waits until nobody is left', async () => {
    const end = finish(60_000);
    clock.pass(30_000);
    await settled();
    expect(end.isOver).toBe(false);
    left = NOBODY;
    clock.pass(100);
    await settled();
    expect(end.isOver).toBe(true);
  });

  test('it waits no longer than the deadline that comes first', async () => {
    drain.begin(5_000);
    const end = finish(60_000);
    drain.begin(3_600_000);
    clock.pass(5_000);
    await settled();
    expect(end.isOver).toBe(true);
    expect(told.at(-1)).toEqual(['ended', 'node.drained']);
  });

  test('there is no way back', () => {
    void drain.finish(60_000);
    expect(() => drain.undo()).toThrow(expect.objectContaining({ code: 'node.stopping' }));
    expect(drain.state).toBe('draining');
  });

  test('one that is drained, past its deadline, may stop at once', async () => {
    drain.begin(1_000);
    clock.pass(1_000);
    const end = finish(60_000);
    await settled();
    expect(end.isOver).toBe(true);
  });

  test('a stop lets go of who waits and of all timers, and begins no drain any more', async () => {
    const end = finish(60_000);
    drain.stop();
    await settled();
    expect([end.isOver, clock.timerCount]).toEqual([true, 0]);
    expect(() => drain.begin(1_000)).toThrow(expect.objectContaining({ code: 'node.stopping' }));
  });
});
