// Peers that have proven who they are, and then say what no node says. Whatever it is, it is harmless, or the link of that
// peer ends with a typed error; a stream over another link of the same node loses no frame, and memory stays bounded.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Frame, FrameKind, type FrameRole } from '../../src/format/frame.ts';
import type { Control, ControlMessage } from '../../src/format/mesh/control.ts';
import {
  type MediaKind,
  mediaFrameBytes,
  mediaHeadBytes,
  writeMediaFrame,
  writeMediaHead,
} from '../../src/format/mesh/media-codec.ts';
import { nodeLink } from '../../src/http/forms/nodes.ts';
import { streamHere } from '../../src/http/forms/streams.ts';
import { nextEpoch } from '../../src/registry/epoch.ts';
import { CheckedPlayer, caughtUp } from '../support/checked-player.ts';
import { freePort } from '../support/free-ports.ts';
import { metric } from '../support/hostile.ts';
import { payloadOf } from '../support/media.ts';
import { HandPeer, newBoot, SECRET } from '../support/mesh-node.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const MIB = 1024 * 1024;
const FAR = Number.MAX_SAFE_INTEGER;

let redis: RedisServer;
/** The node that is attacked, and one that feeds it and is fed by it. */
let node: RunningNode;
let friend: RunningNode;
let publisher: NumberedPublisher;
let witness: CheckedPlayer;
let count = 0;

async function join(id: string): Promise<RunningNode> {
  return runNode({
    ...{ 'node.id': id, 'mesh.port': '0', 'mesh.secret': SECRET, 'watch.enabled': 'false' },
    'registry.url': `redis://127.0.0.1:${redis.port}`,
    'log.level': 'info',
  });
}

const linksOf = async (of: RunningNode) => (await metric(of, 'tideway_mesh_links')).get('') ?? 0;
const wireErrors = async (code: string) =>
  (await metric(node, 'tideway_mesh_wire_errors_total')).get(`code="${code}"`) ?? 0;

beforeAll(async () => {
  redis = await RedisServer.start({ port: await freePort() });
  [node, friend] = await Promise.all([join('v'), join('w')]);
  await until('they are linked', async () => (await linksOf(node)) === 1);
  publisher = await NumberedPublisher.start(friend, {
    plan: PLANS['25 frames/s and audio'],
    key: 'live/witness',
  });
  witness = await CheckedPlayer.play(node, 'live/witness', 'http-flv');
  await until('the witness plays', () => witness.check.frames > 20);
});

afterAll(async () => {
  witness?.leave();
  publisher?.drop();
  await Promise.all([node?.stop(), friend?.stop()]);
  await redis?.[Symbol.asyncDispose]();
});

/** A node that feeds a stream, by hand. */
class Feeder {
  readonly id: string;
  readonly key: string;
  readonly epoch = nextEpoch(0, Date.now(), 7);
  readonly ref = 3;
  readonly peer: HandPeer;
  player: CheckedPlayer | undefined;
  readonly #beats: NodeJS.Timeout;

  private constructor(id: string, peer: HandPeer) {
    this.id = id;
    this.key = `live/of-${id}`;
    this.peer = peer;
    this.#beats = setInterval(() => this.beat(), 100);
  }

  static async linked(): Promise<Feeder> {
    count += 1;
    const id = `x${count}`;
    const to = { node: 'v', links: { port: node.node.addresses.meshPort } };
    return new Feeder(id, await HandPeer.proven(to, { node: id, boot: newBoot(), version: '0.0.0' }));
  }

  beat(heads: [number, number, number][] = []): void {
    this.peer.say({ is: 'beat', at: performance.now(), registryWallMs: 0, heads });
  }

  heard<K extends ControlMessage['is']>(is: K): Control<K>[] {
    return this.peer.control.filter((message): message is Control<K> => message.is === is);
  }

  /** A player asks for its stream, and it is asked for it. */
  async asked(): Promise<Control<'sub'>> {
    this.player = await CheckedPlayer.play(node, this.key, 'http-flv');
    return until('it is asked', () => {
      this.peer.say({ is: 'origin', key: this.key, epoch: this.epoch });
      return this.heard('sub').at(-1);
    });
  }

  grant({ id }: Control<'sub'>, how: Partial<Control<'ok'>> = {}): void {
    this.peer.say({
      ...{ is: 'ok', id, ref: this.ref, epoch: this.epoch, head: 1, oldest: 1, path: [this.id] },
      ...{ state: 'live', msLeft: 0, ...how },
    });
  }

  run(how: Partial<Control<'epoch'>> = {}): void {
    const { ref, epoch } = this;
    this.peer.say({ is: 'epoch', ref, epochRef: 0, epoch, from: 1, firstDts: 0, newestDts: 0, ...how });
  }

  media(frames: readonly Frame[], how: { ref?: number; epochRef?: number; kind?: MediaKind } = {}): void {
    this.peer.say(mediaBody(frames, { ref: this.ref, ...how }));
  }

  /** Asked, granted, and the stream has begun: a player has frames. */
  async feeds(from = 1, dts = 0): Promise<void> {
    this.grant(await this.asked());
    this.run({ from, firstDts: dts, newestDts: dts });
    this.media([frame('key', from, dts)]);
    await until('its player has a frame', () => this.player?.check.frames === 1);
  }

  leave(): void {
    clearInterval(this.#beats);
    this.player?.leave();
    this.peer.webSocket.terminate();
  }
}

/** What the peer sent so far was read: a question behind it is answered. */
async function read({ peer }: Feeder): Promise<void> {
  count += 1;
  const id = 1_000_000 + count;
  peer.say({ is: 'head', id, key: 'live/witness' });
  const isAnswer = (message: ControlMessage) => message.is === 'headed' && message.id === id;
  await until('all was read', () => peer.control.some(isAnswer), 20_000);
}

function frame(role: FrameRole, seq: number, dts: number, bytes = 100): Frame {
  return new Frame(FrameKind.video, role, seq, dts, payloadOf(`avc ${role}` as 'avc key', 1, bytes));
}

function mediaBody(
  frames: readonly Frame[],
  { ref, epochRef = 0, kind = 'media' }: { ref: number; epochRef?: number; kind?: MediaKind },
): Buffer {
  const [first] = frames;
  const head = { kind, streamRef: ref, epochRef, baseSeq: first?.seq ?? 0, baseDts: first?.dts ?? 0 };
  const size = frames.reduce((sum, each) => sum + mediaFrameBytes(head, each), mediaHeadBytes(head));
  const body = Buffer.alloc(size);
  let at = writeMediaHead(body, 0, head);
  for (const each of frames) at = writeMediaFrame(body, at, head, each);
  return body;
}

let x: Feeder;

beforeEach(async () => {
  x = await Feeder.linked();
});

afterEach(async () => {
  x.leave();
  expect(await caughtUp(publisher, [witness])).toEqual([0]);
  expect(witness.check.words).toEqual([]);
  expect([witness.check.isClean, witness.ended]).toEqual([true, undefined]);
  const friends = node.lines.filter(({ event, peer }) => event === 'mesh.link-closed' && peer === 'w');
  expect(friends).toEqual([]);
  for (const { lines } of [node, friend]) {
    expect(
      lines.filter(({ event }) => event === 'mesh.internal-error' || event === 'relay.seek-failed'),
    ).toEqual([]);
  }
});

describe('ends the link of the peer, and is counted:', () => {
  test.each<[string, string, () => void | Promise<void>]>([
    ['media that nobody asked for', 'mesh.ref', () => x.media([frame('key', 1, 0)])],
    ['the epoch of a stream that nobody asked for', 'mesh.ref', () => x.run()],
    [
      'a grant that nobody asked for',
      'mesh.ref',
      () => x.grant({ is: 'sub', id: 9, key: '', insist: false }),
    ],
    [
      'a path of nine nodes',
      'mesh.schema',
      async () => x.grant(await x.asked(), { path: [...'abcdefgh', x.id] }),
    ],
    ['no path at all', 'mesh.schema', async () => x.grant(await x.asked(), { path: [] })],
    ['a path that ends elsewhere', 'mesh.path', async () => x.grant(await x.asked(), { path: ['o', 'p'] })],
    [
      'more heads in a beat than there may be',
      'mesh.schema',
      () => x.beat(Array.from({ length: 1_001 }, (_, at) => [at + 1, 0, 1])),
    ],
    ['a frame of more than 8 MiB', 'mesh.too-large', () => x.media([frame('key', 1, 0, 8 * MIB + 1)])],
    [
      'an origin of what is no stream key',
      'mesh.key',
      () => x.peer.say({ is: 'origin', key: 'no key', epoch: x.epoch }),
    ],
    [
      'an epoch of a time to come',
      'mesh.epoch',
      () => x.peer.say({ is: 'origin', key: x.key, epoch: 2 ** 52 }),
    ],
    [
      'a run of an epoch of a time to come',
      'mesh.epoch',
      async () => {
        x.grant(await x.asked());
        x.run({ epoch: FAR });
      },
    ],
    [
      'frames numbered up to the end of numbers',
      'mesh.number',
      async () => {
        x.grant(await x.asked());
        x.run({ from: FAR });
        x.media([frame('key', FAR, 0)]);
      },
    ],
    [
      'frames dropped up to the end of numbers',
      'mesh.schema',
      async () => {
        await x.feeds();
        x.peer.say({ is: 'skip', ref: x.ref, epochRef: 0, from: 2, to: FAR });
      },
    ],
    [
      'times beyond all times',
      'mesh.number',
      async () => {
        await x.feeds();
        x.media([frame('delta', 2, 2 ** 52)]);
      },
    ],
    [
      'a part of an answer that is larger than parts are',
      'mesh.schema',
      () => x.peer.say({ is: 'reply', id: 1, total: 1, rows: 'x'.repeat(48 * 1024 + 1), last: false }),
    ],
    [
      'a question that is larger than questions are',
      'mesh.schema',
      () => x.peer.say({ is: 'query', id: 1, kind: 'links', args: 'x'.repeat(32 * 1024 + 1), request: '' }),
    ],
    ['more bytes taken than were sent', 'mesh.number', () => x.peer.say({ is: 'got', bytes: 10 * MIB })],
  ])('%s', async (_name, code, act) => {
    const before = await wireErrors(code);
    await act();
    expect((await x.peer.closed()).reason).toMatch(code);
    expect(await wireErrors(code)).toBe(before + 1);
    expect(node.lines.find(({ event, peer }) => event === 'mesh.link-closed' && peer === x.id)).toMatchObject(
      {
        reason: code,
      },
    );
  });
});

describe('ends the subscription, and nothing reaches players:', () => {
  test('a lower epoch than is known', async () => {
    await x.feeds();
    x.run({ epochRef: 1, epoch: x.epoch - 4096 });
    x.media([frame('key', 1, 0), frame('delta', 2, 40)], { epochRef: 1 });
    const { key, epoch } = x;
    await until('it is told', () => x.heard('fenced').length > 0);
    expect(x.heard('fenced')).toEqual([{ is: 'fenced', key, epoch }]);
    expect(x.heard('unsub')).toEqual([{ is: 'unsub', ref: x.ref, id: x.heard('sub')[0]?.id }]);
    expect(x.player?.check.frames).toBe(1);
    expect([x.peer.closedWith, x.player?.ended]).toEqual([undefined, undefined]);
  });

  test.each<[string, () => string[]]>([
    ['a path with the node itself', () => ['v', x.id]],
    ['a path that is too long', () => ['o', 'p', 'q', 'r', x.id]],
  ])('%s', async (_name, path) => {
    x.grant(await x.asked(), { path: path() });
    await until('it is left', () => x.heard('unsub').length > 0);
    x.run();
    x.media([frame('key', 1, 0)]);
    await read(x);
    expect(x.player?.check.frames).toBe(0);
    expect(x.peer.closedWith).toBeUndefined();
  });

  test('a path with the node itself, told later', async () => {
    await x.feeds();
    x.peer.say({ is: 'path', ref: x.ref, path: ['v', x.id] });
    await until('it is left', () => x.heard('unsub').length > 0);
    x.media([frame('delta', 2, 40)]);
    await read(x);
    expect(x.player?.check.frames).toBe(1);
    expect(x.player?.ended).toBeUndefined();
  });

  test('an answer to another question', async () => {
    const { id } = await x.asked();
    x.peer.say({ is: 'headed', id, epoch: x.epoch, seq: 1, live: true, path: [x.id] });
    const again = () => {
      x.peer.say({ is: 'origin', key: x.key, epoch: x.epoch });
      return x.heard('sub').length > 1;
    };
    await until('it is asked again', again);
    expect(x.player?.ended).toBeUndefined();
  });

  test('frames that come twice, or leave some out', async () => {
    await x.feeds();
    x.media([frame('delta', 2, 40), frame('delta', 4, 80)]);
    await until('it is asked again', () => x.heard('sub').length > 1);
    expect(x.heard('sub').at(-1)).toMatchObject({ resume: { epoch: x.epoch, from: 3 } });
    expect(x.heard('unsub')).toEqual([{ is: 'unsub', ref: x.ref, id: x.heard('sub')[0]?.id }]);
  });
});

describe('is answered what it may ask:', () => {
  async function rowsOf(kind: string, args: object): Promise<unknown[]> {
    count += 1;
    x.peer.say({ is: 'query', id: count, kind, args: JSON.stringify(args), request: 'r-1' });
    const isAnswer = ({ id }: { id: number }) => id === count;
    const reply = await until('an answer', () => x.heard('reply').find(isAnswer));
    expect(reply).toMatchObject({ last: true });
    return JSON.parse(reply.rows) as unknown[];
  }

  test('the links of the node, its own among them', async () => {
    const links = nodeLink.array().parse(await rowsOf('links', {}));
    expect(links.map(({ node: of, peer, dialledBy }) => [of, peer, dialledBy])).toContainEqual([
      ...['v', x.id, x.id],
    ]);
    const friendly = links.find(({ peer }) => peer === 'w');
    expect(friendly?.receivedBytes).toBeGreaterThan(10_000);
    expect(friendly?.rttMs).toBeLessThan(1_000);
  });

  test('all about a stream: the hop that it comes over, and the children', async () => {
    const row = async () => streamHere.array().parse(await rowsOf('stream', { key: 'live/witness' }))[0];
    const here = await until('the hop is known', async () => {
      const now = await row();
      return now?.hop?.delayMs !== null && now;
    });
    expect(here).toMatchObject({ node: 'v', upstream: 'w', path: ['w', 'v'], childRows: [] });
    expect(here.hop).toMatchObject({ from: 'w', to: 'v', gaps: 0, resumes: 0, skipped: 0 });
    expect(here.hop?.delayMs).toBeLessThan(500);
    expect(here.hop?.errorMs).toBeLessThan(100);
    x.peer.say({ is: 'sub', id: 1, key: 'live/witness', insist: true });
    const fed = await until('its own row', async () => {
      const now = await row();
      return (now?.childRows[0]?.sentBytes ?? 0) > 0 && now;
    });
    expect(fed.childRows).toMatchObject([{ node: x.id, skips: 0, leftOut: 0 }]);
  });

  test('no row of a stream that is not there', async () => {
    expect(await rowsOf('stream', { key: 'live/none' })).toEqual([]);
  });
});

describe('is harmless:', () => {
  function say(times: number, message: (at: number) => ControlMessage | Buffer): void {
    for (let at = 0; at < times; at += 1) x.peer.say(message(at));
  }

  test('a flood of subscriptions, of what there is and what there is not', async () => {
    say(5_000, (at) => ({ is: 'sub', id: at, key: `live/none-${at}`, insist: true }));
    say(2_000, (at) => ({ is: 'sub', id: 5_000 + at, key: 'live/witness', insist: true }));
    await read(x);
    expect(x.heard('no')).toHaveLength(5_000);
    expect(x.heard('ok')).toHaveLength(2_000);
    expect((await metric(node, 'tideway_downstreams')).get('')).toBe(1);
  });

  test('refs that nobody gave out', async () => {
    say(5_000, (at) => ({ is: 'unsub', ref: at + 1_000, id: 1 }));
    say(5_000, (at) => ({ is: 'gone', ref: at + 1, id: 1 }));
    say(20, (round) => ({
      ...{ is: 'beat', at: 1, registryWallMs: 0 },
      heads: Array.from({ length: 1_000 }, (_, at) => [round * 1_000 + at + 1, 5, FAR - 1]),
    }));
    await read(x);
  });

  test('answers that nobody waits for', async () => {
    say(5_000, (id) => ({ is: 'no', id, why: 'busy', epoch: 0, alternatives: ['x', 'y'] }));
    say(5_000, (id) => ({ is: 'headed', id, epoch: x.epoch, seq: 1, live: true, path: [x.id] }));
    await read(x);
  });

  test('questions without end, by a peer that reads no answer', async () => {
    say(5_000, (id) => ({ is: 'query', id, kind: 'links', args: '{}', request: 'r' }));
    await until('each has its answer', () => {
      const ids = [...x.heard('reply').filter(({ last }) => last), ...x.heard('noreply')].map(({ id }) => id);
      return new Set(ids).size === 5_000 && ids.length === 5_000;
    });
    const codes = new Set(x.heard('noreply').map(({ why }) => why.code));
    expect([...codes].filter((code) => code !== 'mesh.answers-busy' && code !== 'mesh.answer-late')).toEqual(
      [],
    );
    expect((await metric(node, 'tideway_table_entries')).get('table="mesh_replies"')).toBe(0);
  });

  test('questions that make no sense', async () => {
    const texts = ['', '{', '[]', 'null', '{"more":1}', `${'['.repeat(10_000)}`];
    for (const [at, args] of texts.entries()) {
      x.peer.say({ is: 'query', id: at, kind: 'links', args, request: '\u0000\n<b>' });
      x.peer.say({ is: 'query', id: 100 + at, kind: '__proto__', args, request: '' });
      await until('both are refused', () => x.heard('noreply').length === 2 * (at + 1));
    }
    expect(new Set(x.heard('noreply').map(({ why }) => why.code))).toEqual(new Set(['mesh.question']));
    await read(x);
  });

  test('answers to questions that nobody asked', async () => {
    const rows = `[${'0,'.repeat(20_000)}0]`;
    say(500, (id) => ({ is: 'reply', id, total: 1, rows, last: false }));
    say(5_000, (id) => ({ is: 'noreply', id, why: { code: `evil.x${id}`, message: '' } }));
    await read(x);
    expect((await metric(node, 'tideway_mesh_replies_unexpected_total')).get('')).toBe(5_500);
    expect((await metric(node, 'tideway_mesh_queries_failed_total')).size).toBe(0);
  });

  test('news of streams that nobody wants', async () => {
    const { epoch } = x;
    say(5_000, (at) => ({ is: 'origin', key: `live/none-${at}`, epoch }));
    say(5_000, (at) => ({ is: 'fenced', key: `live/none-${at}`, epoch }));
    say(5_000, (id) => ({ is: 'head', id, key: `live/none-${id}` }));
    await read(x);
    expect((await metric(node, 'tideway_relayed_streams')).get('')).toBe(1);
    expect((await metric(node, 'tideway_table_entries')).get('table="unknown_streams"')).toBeLessThan(100);
  });

  test('that it leaves, said again and again', async () => {
    await x.feeds();
    const before = (await metric(node, 'tideway_lookups_total')).get('') ?? 0;
    for (let round = 0; round < 50; round += 1) {
      x.peer.say({ is: 'goaway', deadlineMs: 1 });
      await until('a turn', () => true);
    }
    await read(x);
    expect(((await metric(node, 'tideway_lookups_total')).get('') ?? 0) - before).toBeLessThan(10);
    expect(x.player?.ended).toBeUndefined();
  });

  test('runs without frames', async () => {
    await x.feeds();
    say(5_000, (at) => ({
      ...{ is: 'epoch', ref: x.ref, epochRef: at, epoch: x.epoch, from: 100 + at },
      ...{ firstDts: 0, newestDts: 0 },
    }));
    x.run({ epochRef: 6_000, from: 9_000, firstDts: 9_000, newestDts: 9_000 });
    x.media([frame('key', 9_000, 9_000)], { epochRef: 6_000 });
    await until('what comes in the end is played', () => x.player?.check.frames === 2);
  });

  test('set-up without end', async () => {
    await x.feeds();
    x.run({ epochRef: 1, from: 50 });
    const before = process.memoryUsage().arrayBuffers;
    const body = mediaBody([frame('header', 1, 0, 2 * MIB)], { ref: x.ref, epochRef: 1, kind: 'set-up' });
    for (let round = 0; round < 10; round += 1) {
      say(10, () => body);
      await until('it is written', () => x.peer.webSocket.bufferedAmount === 0, 20_000);
    }
    await read(x);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(96 * MIB);
    x.media([frame('key', 50, 900)], { epochRef: 1 });
    await until('the stream goes on', () => x.player?.check.frames === 2);
  });

  test('frames of 8 MiB: the log keeps to its bounds', async () => {
    await x.feeds();
    const body = (seq: number) => mediaBody([frame('delta', seq, seq * 10, 8 * MIB)], { ref: x.ref });
    for (let seq = 2; seq <= 30; seq += 1) {
      x.peer.say(body(seq));
      await until('it is written', () => x.peer.webSocket.bufferedAmount === 0, 20_000);
    }
    await read(x);
    const used = process.memoryUsage().arrayBuffers;
    expect(used).toBeLessThan(200 * MIB);
  });

  test.each([
    ['far in the past', -(2 ** 50)],
    ['far in the future', 2 ** 50],
  ])('times %s, and leaps between them: also for who is fed with them', async (_name, dts) => {
    await x.feeds(1, dts);
    const child = await CheckedPlayer.play(friend, x.key, 'http-flv');
    await until('the child plays', () => child.check.frames > 0);
    const frames = [-dts, dts, 0, -dts].map((at, index) => frame('delta', index + 2, at));
    x.media(frames);
    for (const player of [x.player, child]) {
      await until('all came', () => player?.check.frames === 5);
      expect([player?.check.backward, player?.check.leaps]).toEqual([0, 0]);
    }
    child.leave();
  });

  test('numbers near the end of numbers: who is asked to go on with them understands', async () => {
    const from = FAR - 3;
    await x.feeds(from);
    const child = await CheckedPlayer.play(friend, x.key, 'http-flv');
    await until('the child plays', () => child.check.frames > 0);
    x.media([frame('delta', from + 1, 40), frame('delta', from + 2, 80)]);
    await until('the child has all', () => child.check.frames === 3);
    x.leave();
    await until('the stream is lost', () => x.peer.closedWith !== undefined);
    child.leave();
  });
});
