import { beforeEach, describe, expect, test } from 'vitest';
import type { Reason } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import type { PublisherInlet } from '../../../src/media/publication.ts';
import { StreamDirectory } from '../../../src/media/stream-directory.ts';
import { Publishing } from '../../../src/node/publishing.ts';
import type { Sight, StreamSight } from '../../../src/node/standbys.ts';
import { ClaimKeeper } from '../../../src/registry/claim-keeper.ts';
import { Claimant } from '../../../src/registry/claimant.ts';
import { MemoryRegistry } from '../../../src/registry/memory.ts';
import { authorizerOf } from '../../support/authorizing.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  FakeLog,
  FakeSink,
  FakeSource,
  frameOf,
  KEY,
  kindOf,
  type PayloadName,
  payloadOf,
  runOf,
  STREAM_OPTIONS,
  TestEncoder,
} from '../../support/media.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const GONE: Reason = { code: 'test.gone', message: 'the encoder went' };
const EVERY_MS = 40;

let clock: FakeClock;
let log: FakeLog;
let registry: MemoryRegistry;
let directory: StreamDirectory;
let publishing: Publishing;
let budget: MemoryBudget;
let encoders: Encoder[];
let seen: { of: Sight; peersAreAhead: boolean | Promise<boolean> };
const sight: StreamSight = {
  of: () => seen.of,
  peersAreAhead: async () => seen.peersAreAhead,
  seek: () => {},
};

/** An encoder that sends a frame each 40 ms while it is well; ids say whose they are. */
class Encoder {
  readonly inlet: PublisherInlet;
  readonly endedBy: string[] = [];
  isWell = true;
  #nextId: number;
  #sent = 0;

  private constructor(inlet: PublisherInlet, firstId: number) {
    this.inlet = inlet;
    this.#nextId = firstId;
  }

  static async publish(query: string, firstId: number): Promise<Encoder> {
    const endedBy: string[] = [];
    const inlet = await publishing.open({
      ...{
        key: KEY,
        protocol: 'rtmp',
        remote: '203.0.113.2:40000',
        session: 'session12345',
        query: new URLSearchParams(query),
      },
      ended: ({ code }) => void endedBy.push(code),
    });
    const encoder = new Encoder(inlet, firstId);
    Object.assign(encoder, { endedBy });
    encoder.#send('avc header');
    encoders.push(encoder);
    return encoder;
  }

  frame(): void {
    if (this.isWell) this.#send(this.#sent % 25 === 1 ? 'avc key' : 'avc delta');
  }

  #send(name: PayloadName): void {
    this.inlet.append(kindOf(name), this.#sent * EVERY_MS, payloadOf(name, this.#nextId));
    this.#nextId += 1;
    this.#sent += 1;
  }
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= EVERY_MS) {
    for (const encoder of encoders) encoder.frame();
    clock.pass(Math.min(EVERY_MS, left));
    await settle();
  }
}

function play(): FakeSink {
  const sink = new FakeSink();
  sink.player = directory.get(KEY)?.play(new TestEncoder(), sink, { remote: 'test' });
  return sink;
}

const isOf = (firstId: number) => (id: number | undefined) =>
  id !== undefined && id >= firstId && id < firstId + 1e6;
const primarys = isOf(1e6);
const backups = isOf(2e6);

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  encoders = [];
  seen = { of: 'clear', peersAreAhead: false };
  registry = new MemoryRegistry({ clock });
  budget = new MemoryBudget(2 ** 40);
  directory = new StreamDirectory({ maxStreams: 2, waitMs: 2000, maxWaitingKeys: 10 }, STREAM_OPTIONS, {
    ...{ clock, log, budget, seek: () => {} },
    changed: (stream) => publishing.claims.streamChanged(stream),
  });
  const claimant = new Claimant(
    { owner: ownerOf('a'), tag: 7, whileAway: 'accept' },
    { registry, registryWallMs: () => registry.registryWallMs() },
  );
  publishing = new Publishing(
    { policy: 'reject', holds: { holdMs: 30_000, holdAfterStopMs: 30_000 }, maxStandbys: 1 },
    {
      ...{ clock, log, budget, directory, claimant, registry },
      authorizer: authorizerOf(),
      ...{ claimed: () => {}, passedOn: () => {}, sight },
    },
  );
});

test('a backup stands by, takes over within a second of silence, and gives back after ten', async () => {
  const primary = await Encoder.publish('', 1e6);
  await pass(1000);
  const sink = play();
  const backup = await Encoder.publish('role=backup', 2e6);
  await pass(2000);
  expect(sink.ids.every(primarys)).toBe(true);
  expect(publishing.standsBy(KEY)).toBe(true);
  expect((await registry.lookup(KEY)).backup).toMatchObject({ node: 'a' });

  primary.isWell = false;
  await pass(400);
  expect(sink.ids.every(primarys)).toBe(true);
  await pass(400);
  expect(backups(sink.ids.at(-1))).toBe(true);
  expect((await registry.lookup(KEY)).origin).toMatchObject({ reason: 'failover' });

  primary.isWell = true;
  await pass(9_000);
  expect(backups(sink.ids.at(-1))).toBe(true);
  await pass(2_000);
  expect(primarys(sink.ids.at(-1))).toBe(true);
  expect((await registry.lookup(KEY)).origin).toMatchObject({ reason: 'publish' });
  expect(publishing.standsBy(KEY)).toBe(true);

  expect([primary.endedBy, backup.endedBy, sink.ends]).toEqual([[], [], []]);
  const { times } = sink;
  expect(times.every((time, at) => at === 0 || time >= (times[at - 1] ?? 0))).toBe(true);
  expect(times.every((time, at) => at === 0 || time - (times[at - 1] ?? 0) <= 3000)).toBe(true);
});

test('a primary that stopped is followed by its backup, and may come again', async () => {
  const primary = await Encoder.publish('', 1e6);
  await pass(1000);
  const sink = play();
  await Encoder.publish('role=backup', 2e6);
  await pass(1000);
  encoders.shift();
  primary.inlet.end(GONE);
  await pass(1000);
  expect(backups(sink.ids.at(-1))).toBe(true);
  expect(sink.ends).toEqual([]);
});

test('a primary that comes back where second publishers are refused stands by, and takes back', async () => {
  const primary = await Encoder.publish('', 1e6);
  await pass(1000);
  const sink = play();
  await Encoder.publish('role=backup', 2e6);
  await pass(1000);
  primary.inlet.end(GONE);
  encoders.shift();
  await pass(1000);
  await Encoder.publish('', 3e6);
  await pass(9_000);
  expect(backups(sink.ids.at(-1))).toBe(true);
  await pass(2_000);
  expect(isOf(3e6)(sink.ids.at(-1))).toBe(true);
  expect(sink.ends).toEqual([]);
});

test('a backup without a primary goes on air after a second', async () => {
  await Encoder.publish('role=backup', 2e6);
  await pass(900);
  expect(directory.get(KEY)).toBeUndefined();
  await pass(400);
  const sink = play();
  await pass(400);
  expect(backups(sink.ids.at(-1))).toBe(true);
});

test('a backup that is silent itself does not take over', async () => {
  const primary = await Encoder.publish('', 1e6);
  const backup = await Encoder.publish('role=backup', 2e6);
  await pass(1000);
  backup.isWell = false;
  await pass(1000);
  primary.isWell = false;
  await pass(3000);
  expect(publishing.standbys.takeovers).toBe(0);
  backup.isWell = true;
  await pass(1500);
  expect(publishing.standbys.takeovers).toBe(1);
});

test('one backup stands by in the cluster, the newest one on its node', async () => {
  await Encoder.publish('', 1e6);
  const first = await Encoder.publish('role=backup', 2e6);
  await Encoder.publish('role=backup', 3e6);
  expect(first.endedBy).toEqual(['publish.taken-over']);
  expect(publishing.standbys.count).toBe(1);
  await registry.deleteBackup(KEY, ownerOf('a'));
  await registry.putBackup(KEY, { ...ownerOf('b'), publisher: 'b-backup' });
  await expect(Encoder.publish('role=backup', 4e6)).rejects.toMatchObject({ code: 'publish.backup-taken' });
});

test('a backup that goes leaves nothing behind', async () => {
  await Encoder.publish('', 1e6);
  const backup = await Encoder.publish('role=backup', 2e6);
  await pass(200);
  backup.inlet.end(GONE);
  encoders.pop();
  await settle();
  expect(publishing.standsBy(KEY)).toBe(false);
  expect((await registry.lookup(KEY)).backup).toBeUndefined();
});

test('a node that stops tells those who stand by', async () => {
  await Encoder.publish('', 1e6);
  const backup = await Encoder.publish('role=backup', 2e6);
  publishing.dismiss({ code: 'node.stopping', message: 'the node stops' });
  expect(backup.endedBy).toEqual(['node.stopping']);
});

describe('what looks like silence may be a loss of sight', () => {
  /** The stream of another node, that has just fallen silent here. */
  async function fedFromElsewhere(): Promise<ClaimKeeper> {
    const claimant = new Claimant(
      { owner: ownerOf('b'), tag: 3, whileAway: 'accept' },
      { registry, registryWallMs: () => registry.registryWallMs() },
    );
    const claimed = await claimant.claim(KEY, { mode: 'takeover', reason: 'publish' });
    if (claimed.is !== 'claimed') throw new Error('the claim was declined');
    const { epoch } = claimed.claim;
    const stream = directory.feed(KEY);
    stream.attach(new FakeSource(epoch), GONE);
    stream.begin(runOf(epoch, 1, 0, 0));
    stream.append(frameOf('avc key', 1, 0));
    await Encoder.publish('role=backup', 2e6);
    return new ClaimKeeper(claimed.claim, { registry, clock, random: () => 0.5, lost: () => {} });
  }

  test('a backup stays while a peer has newer frames', async () => {
    const keeper = await fedFromElsewhere();
    seen = { of: 'lost', peersAreAhead: true };
    await pass(5_000);
    expect(publishing.standbys.takeovers).toBe(0);
    seen = { of: 'lost', peersAreAhead: false };
    await pass(1_200);
    expect(publishing.standbys.takeovers).toBe(1);
    await keeper.release();
  });

  test('and when what was missing comes while the peers are asked', async () => {
    const keeper = await fedFromElsewhere();
    let answer: (isAhead: boolean) => void = () => {};
    const peersAreAhead = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    seen = { of: 'lost', peersAreAhead };
    await pass(1_000);
    directory.get(KEY)?.append(frameOf('avc delta', 2, 40));
    answer(false);
    await pass(200);
    expect(publishing.standbys.takeovers).toBe(0);
    // A stream of so few frames is waited for longer.
    await pass(10_000);
    expect(publishing.standbys.takeovers).toBe(1);
    await keeper.release();
  });

  test('a backup that can not hear its upstream stays while the claim is renewed', async () => {
    const keeper = await fedFromElsewhere();
    seen = { of: 'silent', peersAreAhead: false };
    await pass(12_000);
    expect(publishing.standbys.takeovers).toBe(0);
    await keeper.release();
    await pass(1_200);
    expect(publishing.standbys.takeovers).toBe(1);
  });

  test('and takes over when it is not: the publisher\u2019s node stands still', async () => {
    const keeper = await fedFromElsewhere();
    seen = { of: 'silent', peersAreAhead: false };
    keeper.renewWithin(1e9);
    await pass(3_000);
    expect(publishing.standbys.takeovers).toBe(0);
    await pass(2_500);
    expect(publishing.standbys.takeovers).toBe(1);
    await keeper.release();
  });
});

test('a backup takes over from each silence that its node sees, however many there are', async () => {
  const primary = await Encoder.publish('', 1e6);
  await pass(1000);
  const sink = play();
  await Encoder.publish('role=backup', 2e6);
  await pass(1000);
  for (let turn = 1; turn <= 5; turn += 1) {
    primary.isWell = false;
    await pass(1_000);
    expect(backups(sink.ids.at(-1))).toBe(true);
    primary.isWell = true;
    await pass(11_000);
    expect(primarys(sink.ids.at(-1))).toBe(true);
    expect(publishing.standbys.takeovers).toBe(2 * turn);
  }
});

test('one that lost sight of its primary takes over once a minute without more proof', async () => {
  await Encoder.publish('role=backup', 2e6);
  seen = { of: 'lost', peersAreAhead: false };
  await pass(1_500);
  expect(publishing.standbys.takeovers).toBe(1);
});

test('what stands by is of the memory for media, and goes with its publisher', async () => {
  await Encoder.publish('', 1e6);
  const before = budget.usedBytes;
  const backup = await Encoder.publish('role=backup', 2e6);
  encoders.shift();
  await pass(400);
  expect(budget.usedBytes).toBeGreaterThan(before);
  backup.inlet.end(GONE);
  expect(budget.usedBytes).toBe(before);
});

test('no more stand by than streams are allowed', async () => {
  await Encoder.publish('role=backup', 2e6);
  const opening = publishing.open({
    ...{
      key: parseStreamKey('live', 'other'),
      protocol: 'rtmp',
      remote: '203.0.113.2:40000',
      session: 'session12345',
    },
    ...{ query: new URLSearchParams('role=backup'), ended: () => {} },
  });
  await expect(opening).rejects.toMatchObject({ code: 'publish.too-many-streams' });
});
