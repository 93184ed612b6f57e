import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { FrameKind } from '../../../src/format/frame.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Publication, type PublishRequest } from '../../../src/media/publication.ts';
import { StreamDirectory } from '../../../src/media/stream-directory.ts';
import { Claims } from '../../../src/node/claims.ts';
import { RENEW_MS } from '../../../src/registry/claim-keeper.ts';
import { Claimant } from '../../../src/registry/claimant.ts';
import { MemoryRegistry, MemoryState } from '../../../src/registry/memory.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  GONE,
  KEY,
  NEWER,
  payloadOf,
  STREAM_OPTIONS,
  TestEncoder,
} from '../../support/media.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const HOLDS = { holdMs: 30_000, holdAfterStopMs: 30_000 };
const HOW = { mode: 'takeover', reason: 'publish' } as const;

let clock: FakeClock;
let log: FakeLog;
let budget: MemoryBudget;
let directory: StreamDirectory;
let state: MemoryState;
let registry: MemoryRegistry;
let announced: (readonly [key: string, epoch: number])[];
let passedOn: (string | undefined)[];
let claims: Claims;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  budget = new MemoryBudget(2 ** 40);
  state = new MemoryState();
  registry = new MemoryRegistry({ clock, state });
  announced = [];
  passedOn = [];
  directory = new StreamDirectory({ maxStreams: 2, waitMs: 2000, maxWaitingKeys: 10 }, STREAM_OPTIONS, {
    ...{ clock, log, budget, seek: () => {} },
    changed: (stream) => claims.streamChanged(stream),
  });
  claims = new Claims(HOLDS, {
    ...{ clock, directory, claimant: claimantOf('test-1'), registry },
    claimed: (key, epoch) => void announced.push([key, epoch]),
    passedOn: (_, to) => void passedOn.push(to),
  });
});

function claimantOf(node: string): Claimant {
  return new Claimant(
    { owner: ownerOf(node), tag: 7, whileAway: 'accept' },
    { registry, registryWallMs: () => registry.registryWallMs() },
  );
}

interface Published {
  readonly publication: Publication;
  readonly endedBy: string[];
}

async function publish(): Promise<Published> {
  const endedBy: string[] = [];
  const published: Publication[] = [];
  const request: PublishRequest = {
    ...{
      key: KEY,
      query: new URLSearchParams(),
      protocol: 'rtmp',
      remote: '203.0.113.2:40000',
      session: 'session12345',
    },
    ended: ({ code }) => void endedBy.push(code),
  };
  await claims.claim(KEY, HOW, ({ epoch }, keep) => {
    const stream = directory.feed(KEY);
    const publication = new Publication(request, { epoch, stream, holds: HOLDS }, { clock, log, budget });
    published.push(publication);
    keep(publication);
    stream.attach(publication, NEWER);
  });
  const [publication] = published;
  if (!publication) throw new Error('it was declined');
  return { publication, endedBy };
}

test('a claim with which nothing is published is given back', async () => {
  const publishing = claims.claim(KEY, HOW, () => {
    throw new Error('there is no room');
  });
  expect(claims.isOpening(KEY)).toBe(true);
  await expect(publishing).rejects.toThrow('no room');
  await settle();
  expect(claims.isOpening(KEY)).toBe(false);
  expect(claims.originOf(KEY)).toBeUndefined();
  expect((await registry.lookup(KEY)).origin).toBeUndefined();
  expect(announced).toEqual([]);
  expect(clock.timerCount).toBe(0);
});

test('a claim that is declined says who has the stream', async () => {
  const other = claimantOf('other');
  await other.claim(KEY, HOW);
  const by = await claims.claim(KEY, { ...HOW, mode: 'reject' }, () => expect.unreachable());
  expect(by).toMatchObject({ node: 'other' });
});

test('what claims did is counted beyond their end', async () => {
  const { publication } = await publish();
  clock.advance(RENEW_MS * 1.1);
  await settle();
  const { renewals } = claims.counts;
  expect(claims.counts).toMatchObject({ granted: 1, provisional: 0, failures: 0 });
  expect(renewals).toBeGreaterThan(0);
  publication.end(GONE);
  directory.stop(GONE);
  await settle();
  expect(claims.counts.granted).toBe(0);
  expect(claims.counts.renewals).toBeGreaterThanOrEqual(renewals);
});

describe('a higher epoch that a peer knows', () => {
  const SECOND_EPOCH = 4096 * 1000;
  const origin = async () => (await registry.lookup(KEY)).origin;
  /** Publishes a key frame, with a player that sees it. */
  const live = async () => {
    const { publication, endedBy } = await publish();
    const sink = new FakeSink();
    publication.append(FrameKind.video, 0, payloadOf('avc header', 1));
    publication.append(FrameKind.video, 0, payloadOf('avc key', 2));
    directory.get(KEY)?.play(new TestEncoder(), sink, { remote: 'a' });
    clock.turn();
    return { publication, endedBy, sink, higher: publication.epoch + SECOND_EPOCH };
  };

  test('ends the publisher and holds its players, if the registry has it from another', async () => {
    const { publication, endedBy, sink } = await live();
    const other = claimantOf('other');
    other.see(publication.epoch);
    const claimed = await other.claim(KEY, HOW);
    if (claimed.is !== 'claimed') throw new Error('taken');
    await claims.fenced(KEY, claimed.claim.epoch);
    expect(endedBy).toEqual(['publish.taken-over']);
    expect(directory.get(KEY)?.state).toMatchObject({ at: 'held' });
    expect(sink.isOver).toBe(false);
    expect(passedOn).toEqual(['other']);
    expect(claims.originOf(KEY)).toBeUndefined();
    expect(await origin()).toMatchObject({ node: 'other' });
  });

  test.each(['ok', 'healed'])('is claimed above, if the registry forgot it (%s)', async (answer) => {
    const { publication, endedBy, sink, higher } = await live();
    const before = publication.epoch;
    if (answer === 'healed') state.wipe();
    await Promise.all([claims.fenced(KEY, higher), claims.fenced(KEY, higher)]);
    const epoch = claims.originOf(KEY)?.epoch ?? 0;
    expect(epoch).toBeGreaterThan(higher);
    expect(announced).toEqual([
      [KEY, before],
      [KEY, epoch],
    ]);
    expect(await origin()).toMatchObject({ node: 'test-1', epoch });
    publication.append(FrameKind.video, 40, payloadOf('avc delta', 3));
    expect(publication.epoch, 'until the next key frame').toBe(before);
    publication.append(FrameKind.video, 80, payloadOf('avc key', 4));
    clock.turn();
    expect(publication.epoch).toBe(epoch);
    expect(directory.get(KEY)?.epoch).toBe(epoch);
    clock.pass(RENEW_MS * 1.2);
    await settle();
    expect(endedBy).toEqual([]);
    expect(sink.ids, 'spliced: the same set-up is not sent again').toEqual([1, 2, 3, 4]);
    expect(await origin()).toMatchObject({ node: 'test-1', epoch });
    expect(claims.counts).toMatchObject({ granted: 1, provisional: 0 });
    directory.stop({ code: 'node.stopping', message: 'stopping' });
    await settle();
    expect(await origin()).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });

  test('is the truth while the registry is away', async () => {
    for (const ask of ['fenced', 'passed'] as const) {
      const { endedBy, higher } = await live();
      registry.renew = () => Promise.reject(new TidewayError('registry.unavailable', 'away'));
      await claims[ask](KEY, higher);
      expect(endedBy).toEqual(['publish.taken-over']);
      expect(directory.get(KEY)?.state).toMatchObject({ at: 'held' });
      registry = new MemoryRegistry({ clock, state });
    }
  });

  test('that is only announced changes nothing while the registry says that the stream is ours', async () => {
    const { publication, endedBy, higher } = await live();
    await claims.passed(KEY, higher);
    expect(endedBy).toEqual([]);
    expect(claims.originOf(KEY)).toMatchObject({ epoch: publication.epoch });
    expect(announced).toHaveLength(1);
  });

  test('gives up a claim that only holds players: nobody is there to go on', async () => {
    const { publication, higher } = await live();
    publication.end(GONE);
    await claims.fenced(KEY, higher);
    await settle();
    expect(claims.originOf(KEY)).toBeUndefined();
    expect(await origin()).toBeUndefined();
    expect(directory.get(KEY)?.state).toMatchObject({ at: 'held' });
  });

  test('is ignored if it can not be, or is not higher', async () => {
    const { publication, endedBy } = await live();
    registry.renew = () => Promise.reject(new TidewayError('registry.unavailable', 'away'));
    await claims.fenced(KEY, publication.epoch);
    await claims.fenced(KEY, Number.MAX_SAFE_INTEGER);
    await claims.fenced(parseStreamKey('live', 'other'), publication.epoch + SECOND_EPOCH);
    expect(endedBy).toEqual([]);
  });

  test('does not come between a newer publisher and its claim', async () => {
    const { publication, endedBy, higher } = await live();
    const fenced = claims.fenced(KEY, higher);
    const second = await publish();
    await fenced;
    clock.pass(RENEW_MS * 1.2);
    await settle();
    expect(endedBy).toEqual([NEWER.code]);
    expect(second.endedBy).toEqual([]);
    const opening = publish();
    await claims.fenced(KEY, higher + SECOND_EPOCH);
    const third = await opening;
    clock.pass(RENEW_MS * 1.2);
    await settle();
    expect(third.endedBy).toEqual([]);
    expect(await origin()).toMatchObject({ epoch: third.publication.epoch });
    expect(third.publication.epoch).toBeGreaterThan(publication.epoch);
  });

  test('has no word of an earlier renewal: one that is on its way is not enough', async () => {
    const { publication, endedBy } = await live();
    const renew = registry.renew.bind(registry);
    let answer: () => void = () => {};
    registry.renew = async (request) => {
      const early = await renew(request);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return early;
    };
    clock.advance(RENEW_MS * 1.1);
    await settle();
    registry.renew = renew;
    const other = claimantOf('other');
    other.see(publication.epoch);
    const claimed = await other.claim(KEY, HOW);
    const fenced = claims.fenced(KEY, claimed.is === 'claimed' ? claimed.claim.epoch : 0);
    answer();
    await fenced;
    expect(endedBy).toEqual(['publish.taken-over']);
  });
});
