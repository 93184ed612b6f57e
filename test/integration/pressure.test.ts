// A link that takes less than its streams bring: heavy ones are thinned, in the order of design §6, and light ones notice
// little.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { CheckedPlayer, caughtUp } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { meshed } from '../support/cluster-view.ts';
import { type PlannedFrame, Schedule, type StreamPlan } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

/** 15 Mbit/s. */
const HEAVY: StreamPlan = {
  video: { fps: 50, keyEvery: 50, withDisposable: true },
  audio: { perS: 43 },
  frameBytes: 32_000,
};
/** 0.3 Mbit/s. */
const LIGHT: StreamPlan = { video: { fps: 25, keyEvery: 25 }, audio: { perS: 43 }, frameBytes: 1_000 };
const MBIT_BYTES = 125_000;

/** A key frame of the heavy stream takes 0.4 s on the narrow way, and nothing passes it. */
const LIGHT_IS_LATE_MS = 1_200;
/** The heavy stream falls behind by 2 s in 3 s, and its player sees what was left out as late as that. */
const THINNED_WITHIN_MS = 20_000;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start({
    ids: ['a', 'b'],
    settings: { priority: 'live/first=5' },
  });
  await meshed(cluster.nodes);
}, 60_000);
afterEach(() => cluster?.[Symbol.asyncDispose]());

function limit(bytesPerS: number): void {
  for (const id of cluster.ids) cluster.member(id).mesh.shape({ bytesPerS });
}

async function lasts(ms: number): Promise<void> {
  const sinceMs = performance.now();
  await until(`${ms} ms are over`, () => performance.now() - sinceMs > ms, ms + 1_000);
}

async function playing(key: string, plan: StreamPlan): Promise<[NumberedPublisher, CheckedPlayer]> {
  const publisher = await NumberedPublisher.start(cluster.node('a'), { plan, key });
  const player = await CheckedPlayer.play(cluster.node('b'), key, 'http-flv');
  await until(`${key} plays`, () => player.check.frames > 100);
  return [publisher, player];
}

/** What of the frames up to the last that came did not come, and where video went on after that. */
function thinning(plan: StreamPlan, { check }: CheckedPlayer) {
  const schedule = new Schedule(plan);
  const missing = check.missingOf(check.session);
  const lost = { audio: 0, disposable: 0, other: 0 };
  const badRestarts: number[] = [];
  let firstLost: PlannedFrame | undefined;
  let isBroken = false;
  for (let frame = schedule.next(); frame.id <= check.lastId; frame = schedule.next()) {
    if (missing.has(frame.id)) {
      firstLost ??= frame;
      if (frame.kind === FrameKind.audio) lost.audio += 1;
      else if (frame.name === 'avc disposable') lost.disposable += 1;
      else {
        lost.other += 1;
        isBroken = true;
      }
    } else if (frame.kind === FrameKind.video) {
      if (isBroken && frame.name !== 'avc key') badRestarts.push(frame.id);
      isBroken = false;
    }
  }
  return { lost, badRestarts, firstLost: firstLost?.name };
}

/** Whatever was left out, and however long video paused for it: nothing else is wrong. */
function expectSound({ check, ended }: CheckedPlayer): void {
  const { duplicated, disordered, corrupt, backward, badStarts, splices } = check;
  expect({ duplicated, disordered, corrupt, backward, badStarts, splices, ended }).toEqual({
    ...{ duplicated: 0, disordered: 0, corrupt: 0, backward: 0, badStarts: 0, splices: 0 },
    ended: undefined,
  });
}

test('a heavy stream is thinned in order, a light one loses nothing and is little late', async () => {
  const [heavyFrom, heavy] = await playing('live/heavy', HEAVY);
  const [lightFrom, light] = await playing('live/light', LIGHT);
  using _publishers = all(heavyFrom, lightFrom, heavy, light);
  light.check.worstMs = 0;
  await lasts(1_000);
  const freeMs = light.check.worstMs;

  limit(5 * MBIT_BYTES);
  light.check.worstMs = 0;
  await until('video is left out', () => thinning(HEAVY, heavy).lost.other > 0, THINNED_WITHIN_MS);
  await lasts(5_000);
  const narrowMs = light.check.worstMs;
  console.log(`the light stream: ${freeMs.toFixed(0)} ms, beside the heavy one ${narrowMs.toFixed(0)} ms`);
  expect(narrowMs).toBeLessThan(freeMs + LIGHT_IS_LATE_MS);

  limit(Number.POSITIVE_INFINITY);
  expect(await caughtUp(heavyFrom, [heavy])).toEqual([0]);
  const { lost, badRestarts, firstLost } = thinning(HEAVY, heavy);
  console.log(`of the heavy stream did not come: ${JSON.stringify(lost)}`);
  expect(lost.audio).toBe(0);
  expect(lost.disposable).toBeGreaterThan(0);
  expect(lost.other).toBeGreaterThan(0);
  expect(firstLost).toBe('avc disposable');
  expect(badRestarts).toEqual([]);
  const before = heavy.check.lost;
  await lasts(1_500);
  expect(heavy.check.lost, 'left out when there was room again').toBe(before);
  expect(await caughtUp(lightFrom, [light])).toEqual([0]);
  expect(light.check.words).toEqual([]);
  for (const player of [heavy, light]) expectSound(player);
  expect(cluster.node('b').events('relay.switch')).toEqual([]);
}, 60_000);

test('of two heavy streams the one of higher priority is thinned less', async () => {
  const [firstFrom, first] = await playing('live/first', HEAVY);
  const [secondFrom, second] = await playing('live/second', HEAVY);
  using _publishers = all(firstFrom, secondFrom, first, second);
  limit(20 * MBIT_BYTES);
  await until('the other is thinned', () => second.check.lost > 100, 30_000);
  console.log(`did not come: ${first.check.lost} of the first, ${second.check.lost} of the second`);
  expect(first.check.lost).toBeLessThanOrEqual(second.check.lost / 4);
  limit(Number.POSITIVE_INFINITY);
  expect(await caughtUp(firstFrom, [first])).toEqual([0]);
  expect(await caughtUp(secondFrom, [second])).toEqual([0]);
  for (const player of [first, second]) expectSound(player);
}, 60_000);

function all(...disposables: readonly Disposable[]): Disposable {
  return {
    [Symbol.dispose]: () => {
      for (const each of disposables) each[Symbol.dispose]();
    },
  };
}
