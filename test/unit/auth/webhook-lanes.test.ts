import { beforeEach, expect, test } from 'vitest';
import { type Call, WebhookLanes } from '../../../src/auth/webhook-lanes.ts';
import { TidewayError } from '../../../src/base/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const CALLS: readonly Call[] = ['on_publish', 'on_unpublish', 'on_play', 'on_stop'];

let clock: FakeClock;
let lanes: WebhookLanes;
/** Those under way, in the order in which they began. */
let running: { readonly call: Call; readonly end: () => void }[];

beforeEach(() => {
  clock = new FakeClock();
  lanes = new WebhookLanes(clock);
  running = [];
});

/** 'done', or why not. */
async function run(call: Call): Promise<string> {
  const work = () => new Promise<void>((end) => running.push({ call, end }));
  try {
    await lanes.run(call, 2_000, work);
    return 'done';
  } catch (error) {
    if (error instanceof TidewayError) return error.code;
    throw error;
  }
}

function runMany(call: Call, count: number): Promise<string>[] {
  return Array.from({ length: count }, () => run(call));
}

/** Ends the oldest call under way of the kind. */
async function end(call: Call): Promise<void> {
  const [first] = running.splice(
    running.findIndex((each) => each.call === call),
    1,
  );
  first?.end();
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

function runningOf(call: Call): number {
  return running.filter((each) => each.call === call).length;
}

function tables(): unknown[] {
  return lanes.tables.map(({ entries, limit }) => `${entries} of ${limit}`);
}

test.each(CALLS)('a flood of %s takes 20 places, and each other kind has 4 at once', (flood) => {
  void runMany(flood, 1_020);
  expect(runningOf(flood)).toBe(20);
  const others = CALLS.filter((call) => call !== flood);
  for (const call of others) void runMany(call, 5);
  expect(others.map(runningOf)).toEqual([4, 4, 4]);
  expect(running).toHaveLength(32);
});

test('1,000 wait in each lane, and one more does not', async () => {
  for (const call of CALLS) void runMany(call, call === 'on_publish' ? 1_020 : 1_004);
  expect(tables()).toEqual(['32 of 32', ...CALLS.map(() => '1000 of 1000')]);
  expect(await Promise.all(CALLS.map(run))).toEqual(CALLS.map(() => 'webhook.busy'));
  expect(tables()).toEqual(['32 of 32', ...CALLS.map(() => '1000 of 1000')]);
});

test('a shared place goes to publishers first, then to their ends, and a place of its own to its own lane', async () => {
  void runMany('on_play', 25);
  void runMany('on_stop', 5);
  void runMany('on_unpublish', 5);
  void runMany('on_publish', 5);
  expect(CALLS.map(runningOf)).toEqual([4, 4, 20, 4]);
  await end('on_play');
  expect(CALLS.map(runningOf)).toEqual([5, 4, 19, 4]);
  await end('on_play');
  expect(CALLS.map(runningOf)).toEqual([5, 5, 18, 4]);
  await end('on_play');
  expect(CALLS.map(runningOf)).toEqual([5, 5, 18, 4]);
  await end('on_stop');
  expect(CALLS.map(runningOf)).toEqual([5, 5, 18, 4]);
  expect(tables()).toEqual(['32 of 32', ...['0 of 1000', '0 of 1000', '4 of 1000', '0 of 1000']]);
});

test('players come to their turn, in order, however many publishers wait', async () => {
  const players = runMany('on_play', 4);
  void runMany('on_publish', 500);
  const [fifth, sixth] = runMany('on_play', 2);
  expect([runningOf('on_play'), runningOf('on_publish')]).toEqual([4, 20]);
  await end('on_play');
  expect(await players[0]).toBe('done');
  for (let at = 0; at < 4; at += 1) await end('on_play');
  expect(await fifth).toBe('done');
  await end('on_play');
  expect(await sixth).toBe('done');
});

test('who waits for 2 s goes, and a place that is free then is for the next', async () => {
  const calls = runMany('on_play', 20);
  const late = run('on_play');
  clock.advance(1_000);
  const next = run('on_play');
  clock.advance(1_000);
  expect(await late).toBe('webhook.timeout');
  expect(tables()[3]).toBe('1 of 1000');
  await end('on_play');
  expect(await calls[0]).toBe('done');
  expect([runningOf('on_play'), clock.timerCount]).toEqual([20, 0]);
  for (let at = 0; at < 20; at += 1) await end('on_play');
  expect(await next).toBe('done');
  expect(tables()[0]).toBe('0 of 32');
});

test('work that fails gives its place back', async () => {
  const failing = () => Promise.reject(new Error('gone'));
  for (let at = 0; at < 40; at += 1) {
    await expect(lanes.run('on_play', 2_000, failing)).rejects.toThrow('gone');
  }
  expect(tables()[0]).toBe('0 of 32');
});
