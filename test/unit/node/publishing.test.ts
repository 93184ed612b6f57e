import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { FrameKind } from '../../../src/format/frame.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Publication, type PublisherInlet } from '../../../src/media/publication.ts';
import { StreamDirectory } from '../../../src/media/stream-directory.ts';
import { Publishing, type PublishingOptions } from '../../../src/node/publishing.ts';
import { SIGHT_OF_ONE } from '../../../src/node/standbys.ts';
import { RENEW_MS } from '../../../src/registry/claim-keeper.ts';
import { Claimant } from '../../../src/registry/claimant.ts';
import { isPlausibleEpoch } from '../../../src/registry/epoch.ts';
import { MemoryRegistry, MemoryState } from '../../../src/registry/memory.ts';
import { authorizerOf } from '../../support/authorizing.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  GONE,
  KEY,
  kindOf,
  type PayloadName,
  payloadOf,
  STREAM_OPTIONS,
  TestEncoder,
} from '../../support/media.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const HOLDS = { holdMs: 30_000, holdAfterStopMs: 30_000 };
const BUDGET_BYTES = 100_000;

let clock: FakeClock;
let log: FakeLog;
let budget: MemoryBudget;
let directory: StreamDirectory;
let state: MemoryState;
let registry: MemoryRegistry;
let announced: (readonly [key: string, epoch: number])[];
let publishingOf: (how?: { policy?: PublishingOptions['policy']; publishSecret?: string }) => Publishing;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  budget = new MemoryBudget(BUDGET_BYTES);
  state = new MemoryState();
  registry = new MemoryRegistry({ clock, state });
  announced = [];
  const claimed = (key: string, epoch: number) => void announced.push([key, epoch]);
  let newest: Publishing | undefined;
  directory = new StreamDirectory({ maxStreams: 2, waitMs: 2000, maxWaitingKeys: 10 }, STREAM_OPTIONS, {
    seek: () => {},
    ...{ clock, log, budget },
    changed: (stream) => newest?.claims.streamChanged(stream),
  });
  publishingOf = ({ policy = 'takeover', publishSecret } = {}) => {
    const claimant = claimantOf('test-1');
    const authorizer = authorizerOf(publishSecret);
    newest = new Publishing(
      { policy, holds: HOLDS, maxStandbys: 10 },
      {
        clock,
        log,
        authorizer,
        budget,
        directory,
        claimant,
        registry,
        claimed,
        passedOn: () => {},
        sight: SIGHT_OF_ONE,
      },
    );
    return newest;
  };
});

function claimantOf(node: string): Claimant {
  return new Claimant(
    { owner: ownerOf(node), tag: 7, whileAway: 'accept' },
    { registry, registryWallMs: () => registry.registryWallMs() },
  );
}

interface Opened {
  /** Of the publisher that was let in. */
  readonly publication: Publication;
  readonly endedBy: string[];
}

async function open(publishing: Publishing, { name = 'test', query = '' } = {}): Promise<Opened> {
  const endedBy: string[] = [];
  const key = parseStreamKey('live', name);
  await publishing.open({
    key,
    query: new URLSearchParams(query),
    protocol: 'rtmp',
    remote: '203.0.113.2:40000',
    session: 'session12345',
    ended: (why) => void endedBy.push(why.code),
  });
  const state = directory.get(key)?.state;
  if (state?.at !== 'live' || !(state.source instanceof Publication)) throw new Error('it is not on air');
  return { publication: state.source, endedBy };
}

async function codeOf(opening: Promise<unknown>): Promise<string | undefined> {
  try {
    await opening;
    return undefined;
  } catch (error) {
    if (error instanceof TidewayError) return error.code;
    throw error;
  }
}

describe('a publish', () => {
  test('makes its stream, with an epoch that is plausible and grows over all streams', async () => {
    const publishing = publishingOf();
    const epochs: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const { publication } = await open(publishing, { name: turn % 2 === 0 ? 'a' : 'b' });
      epochs.push(publication.epoch);
      publication.end(GONE);
    }
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
    expect(epochs.every((epoch) => isPlausibleEpoch(epoch, clock.wallMs()))).toBe(true);
    expect(directory.streamCount, 'without a frame nothing is held').toBe(0);
    expect(publishing.opened).toBe(6);
  });

  test('answers the players that wait for it', async () => {
    const publishing = publishingOf();
    const waiting = directory.open({
      key: KEY,
      query: new URLSearchParams(),
      protocol: 'rtmp',
      remote: 'a',
      signal: new AbortController().signal,
    });
    const { publication } = await open(publishing);
    const stream = await waiting;
    expect(stream.state).toMatchObject({ at: 'live', source: publication });
    const sink = new FakeSink();
    stream.play(new TestEncoder(), sink, { remote: 'a' });
    publication.append(FrameKind.video, 0, payloadOf('avc key', 1));
    clock.turn();
    expect(sink.ids).toEqual([1]);
  });

  test('of a stream that is live takes it over, and tells the publisher before it', async () => {
    const publishing = publishingOf();
    const first = await open(publishing);
    const second = await open(publishing);
    expect(first.endedBy).toEqual(['publish.taken-over']);
    expect(second.endedBy).toEqual([]);
    expect(directory.feed(KEY).state).toMatchObject({ at: 'live', source: second.publication });
    expect(second.publication.epoch).toBeGreaterThan(first.publication.epoch);
  });

  test('is refused where the policy says so, unless the stream is in hold', async () => {
    const publishing = publishingOf({ policy: 'reject' });
    const first = await open(publishing);
    clock.advance(10_000);
    expect(await codeOf(open(publishing))).toBe('publish.taken');
    expect(first.endedBy).toEqual([]);
    first.publication.end(GONE);
    expect(await codeOf(open(publishing))).toBe(undefined);
  });

  test('may take a busy publisher over 3 times a minute; the fourth is refused and changes nothing', async () => {
    const publishing = publishingOf();
    let newest = await open(publishing);
    for (let takeovers = 0; takeovers < 3; takeovers += 1) newest = await open(publishing);
    expect(await codeOf(open(publishing))).toBe('publish.taken');
    expect(newest.endedBy).toEqual([]);
    for (let ms = 0; ms < 60_000; ms += 1000) {
      newest.publication.append(FrameKind.audio, ms, payloadOf('aac sample', ms));
      clock.pass(1000);
    }
    newest.publication.append(FrameKind.audio, 60_000, payloadOf('aac sample', 1));
    expect(await codeOf(open(publishing))).toBe(undefined);
    expect(newest.endedBy).toEqual(['publish.taken-over']);
  });

  test('may always take a silent ghost over', async () => {
    const publishing = publishingOf();
    for (let ghosts = 0; ghosts < 20; ghosts += 1) {
      await open(publishing);
      clock.advance(2000);
    }
    expect(publishing.opened).toBe(20);
  });

  test('of another stream is not limited by it', async () => {
    const publishing = publishingOf();
    for (let takeovers = 0; takeovers < 4; takeovers += 1) await open(publishing, { name: 'a' });
    expect(await codeOf(open(publishing, { name: 'a' }))).toBe('publish.taken');
    expect(await codeOf(open(publishing, { name: 'b' }))).toBe(undefined);
  });

  test('needs the secret, if there is one; a refused one leaves no stream and disturbs none', async () => {
    const publishing = publishingOf({ publishSecret: 'open sesame' });
    expect(await codeOf(open(publishing))).toBe('publish.denied');
    expect(await codeOf(open(publishing, { query: 'key=open%20barley' }))).toBe('publish.denied');
    expect(directory.streamCount).toBe(0);
    const first = await open(publishing, { query: 'key=open%20sesame' });
    expect(await codeOf(open(publishing, { query: 'key=' }))).toBe('publish.denied');
    expect(first.endedBy).toEqual([]);
    expect(publishing.opened).toBe(1);
    expect(JSON.stringify(log.lines)).not.toContain('sesame');
  });

  test('is refused while media use nearly all their memory, unless it comes back to a stream that is here', async () => {
    const publishing = publishingOf();
    const others = budget.charge('log');
    const { publication } = await open(publishing, { name: 'here' });
    publication.append(FrameKind.video, 0, payloadOf('avc key', 1));
    publication.end(GONE);
    others.hold(0.86 * BUDGET_BYTES);
    expect(await codeOf(open(publishing))).toBe('publish.no-memory');
    expect(await codeOf(open(publishing, { name: 'here', query: 'role=backup' }))).toBe('publish.no-memory');
    expect(await codeOf(open(publishing, { name: 'here' }))).toBe(undefined);
    expect(directory.streamCount).toBe(1);
    others.hold(0.79 * BUDGET_BYTES);
    expect(await codeOf(open(publishing))).toBe(undefined);
  });

  test('is refused beyond the streams that a node may have, and on a node that stops', async () => {
    const publishing = publishingOf();
    await open(publishing, { name: 'a' });
    await open(publishing, { name: 'b' });
    expect(await codeOf(open(publishing, { name: 'c' }))).toBe('publish.too-many-streams');
    directory.stop({ code: 'node.stopping', message: '' });
    expect(await codeOf(open(publishing, { name: 'a' }))).toBe('node.stopping');
    expect(directory.streamCount).toBe(0);
  });

  test('keeps epochs growing although the wall clock fell back', async () => {
    const publishing = publishingOf();
    const first = await open(publishing, { name: 'a' });
    const wallMs = clock.wallMs.bind(clock);
    clock.wallMs = () => wallMs() - 3_600_000;
    const second = await open(publishing, { name: 'a' });
    expect(second.publication.epoch).toBeGreaterThan(first.publication.epoch);
  });
});

describe('the claim of a publish', () => {
  const origin = async () => (await registry.lookup(KEY)).origin;
  const HOW = { mode: 'takeover', reason: 'publish' } as const;

  test('is kept while the stream is live and held, says which, and is released with the stream', async () => {
    const { publication } = await open(publishingOf());
    publication.append(FrameKind.video, 0, payloadOf('avc key', 1));
    clock.turn();
    expect(await origin()).toMatchObject({ node: 'test-1', epoch: publication.epoch, state: 'live' });
    publication.end(GONE);
    await settle();
    expect(await origin()).toMatchObject({ epoch: publication.epoch, state: 'held' });
    for (let passed = 0; passed < HOLDS.holdMs - 1000; passed += 1000) {
      clock.advance(1000);
      await settle();
    }
    expect(await origin()).toMatchObject({ epoch: publication.epoch, state: 'held' });
    clock.advance(1000);
    await settle();
    expect(await origin()).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });

  test('follows the newest publisher, and leaves no keeper of an older one', async () => {
    const publishing = publishingOf();
    const old = await open(publishing);
    const { publication } = await open(publishing);
    expect(old.endedBy).toEqual(['publish.taken-over']);
    clock.advance(RENEW_MS * 1.1);
    await settle();
    expect(await origin()).toMatchObject({ epoch: publication.epoch, state: 'live' });
    directory.stop({ code: 'node.stopping', message: 'stopping' });
    await settle();
    expect(await origin()).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });

  test('that another node takes over ends the publisher, and holds its players', async () => {
    const { publication, endedBy } = await open(publishingOf());
    publication.append(FrameKind.video, 0, payloadOf('avc key', 1));
    clock.turn();
    await claimantOf('other').claim(KEY, HOW);
    clock.advance(RENEW_MS * 1.1);
    await settle();
    expect(endedBy).toEqual(['publish.taken-over']);
    expect(directory.get(KEY)?.state).toMatchObject({ at: 'held' });
    publication.end(GONE);
    clock.advance(HOLDS.holdMs);
    await settle();
    expect(await origin()).not.toMatchObject({ node: 'test-1' });
  });

  test('is refused by policy while another node has the stream live', async () => {
    const publishing = publishingOf({ policy: 'reject' });
    await claimantOf('other').claim(KEY, HOW);
    expect(await codeOf(open(publishing))).toBe('publish.taken');
    expect(directory.streamCount).toBe(0);
  });

  test('by policy goes to the first of two who come at once', async () => {
    const publishing = publishingOf({ policy: 'reject' });
    const both = [open(publishing), open(publishing)];
    expect(await Promise.all(both.map(codeOf))).toEqual([undefined, 'publish.taken']);
  });

  test('is not taken from another node for a stream that this one has no room for', async () => {
    const publishing = publishingOf();
    for (const name of ['one', 'two']) await open(publishing, { name });
    await claimantOf('other').claim(KEY, HOW);
    expect(await codeOf(open(publishing))).toBe('publish.too-many-streams');
    expect(await origin()).toMatchObject({ node: 'other' });
  });

  test('is given back when the node stops meanwhile', async () => {
    const opening = open(publishingOf());
    directory.stop({ code: 'node.stopping', message: 'stopping' });
    expect(await codeOf(opening)).toBe('node.stopping');
    await settle();
    expect(await origin()).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });
});

test('a node that is emptied ends who publishes and who stands by, and holds the stream with its claim', async () => {
  const publishing = publishingOf();
  const { publication, endedBy } = await open(publishing);
  const ends: string[] = [];
  await publishing.open({
    ...{
      key: KEY,
      query: new URLSearchParams('role=backup'),
      protocol: 'rtmp',
      remote: '203.0.113.3:40000',
      session: 'session12345',
    },
    ended: ({ code }) => ends.push(code),
  });
  const sink = new FakeSink();
  directory.get(KEY)?.play(new TestEncoder(), sink, { remote: 'test' });
  expect(publishing.publisherCount).toBe(2);
  publishing.endPublishers({ code: 'node.drained', message: 'the node was emptied' });
  expect([endedBy, ends, publication.isOpen]).toEqual([['node.drained'], ['node.drained'], false]);
  expect([publishing.publisherCount, directory.get(KEY)?.state.at, sink.ends]).toEqual([0, 'held', []]);
  expect(publishing.claims.originOf(KEY)).toBeDefined();
});

test('whatever publishers come, send, stand by, take over and go, no memory stays taken', async () => {
  const step = fc.oneof(
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('open' as const), key: fc.nat(2), backup: fc.boolean() }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        by: fc.nat(5),
        name: fc.constantFrom<PayloadName>(
          ...([
            'avc header',
            'avc key',
            'avc delta',
            'aac header',
            'aac sample',
            'metadata',
            'data',
          ] as const),
        ),
        size: fc.nat(6000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), by: fc.nat(5) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(2000) }) },
  );
  let mostBytes = 0;
  let takeovers = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
      const publishing = publishingOf();
      const inlets: PublisherInlet[] = [];
      let time = 0;
      for (const it of steps) {
        if (it.do === 'open') {
          const opening = publishing.open({
            ...{
              key: parseStreamKey('live', `k${it.key}`),
              protocol: 'rtmp',
              remote: 'test',
              session: 'session12345',
              ended: () => {},
            },
            query: new URLSearchParams(it.backup ? 'role=backup' : ''),
          });
          inlets.push(
            ...(await opening.then(
              (inlet) => [inlet],
              () => [],
            )),
          );
        } else if (it.do === 'send') {
          time += 40;
          inlets.at(-1 - it.by)?.append(kindOf(it.name), time, payloadOf(it.name, time, it.size));
        } else if (it.do === 'end') inlets.at(-1 - it.by)?.end(GONE);
        else clock.pass(it.ms);
        await settle();
        mostBytes = Math.max(mostBytes, budget.usedBytes);
      }
      for (const inlet of inlets) inlet.end(GONE);
      await settle();
      clock.pass(HOLDS.holdMs);
      takeovers += publishing.standbys.takeovers;
      expect([budget.usedBytes, budget.stage, directory.streamCount]).toEqual([0, 0, 0]);
    }),
    { numRuns: 60 },
  );
  expect(mostBytes).toBeGreaterThan(BUDGET_BYTES / 2);
  expect(takeovers).toBeGreaterThan(0);
});
