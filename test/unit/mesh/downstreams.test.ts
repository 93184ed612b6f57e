import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import type { Control, ControlMessage } from '../../../src/format/mesh/control.ts';
import { MediaCounters } from '../../../src/media/counters.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { Stream } from '../../../src/media/stream.ts';
import { Turns } from '../../../src/media/turns.ts';
import { Downstreams, type TreePlace } from '../../../src/mesh/downstreams.ts';
import type { Peer } from '../../../src/mesh/peer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog, FakeSource, frameOf, NEWER, runOf, STREAM_OPTIONS } from '../../support/media.ts';
import { messagesOf } from '../../support/mesh-bytes.ts';

const KIB = 1024;
const WINDOW = 64 * KIB;

/** A link that takes what the test lets go. */
class FakePeer implements Peer {
  readonly boot = '0123456789abcdef';
  readonly isOpen = true;
  readonly isDialled = true;
  readonly quality = undefined;
  readonly registryWallMs = undefined;
  readonly sinceMs = 0;
  readonly receivedBytes = 0;
  backlogBytes = 0;
  sentBytes = 0;
  takenBytes = 0;
  windowBytes = WINDOW;
  readonly said: ControlMessage[] = [];
  /** The refs of media messages, as they came. */
  readonly refs: number[] = [];
  readonly seqs = new Map<number, number[]>();

  readonly node: string;

  constructor(node: string) {
    this.node = node;
  }

  send(message: ControlMessage): void {
    this.said.push(message);
  }

  write(framed: Buffer): void {
    this.sentBytes += framed.length;
    for (const message of messagesOf(framed)) {
      if ('is' in message) {
        this.said.push(message);
        continue;
      }
      this.refs.push(message.streamRef);
      const seqs = this.seqs.get(message.streamRef) ?? [];
      this.seqs.set(message.streamRef, [...seqs, ...message.frames.map(({ seq }) => seq)]);
    }
  }

  silentMs(): number {
    return 0;
  }

  close(): void {}

  of<K extends ControlMessage['is']>(is: K): Control<K>[] {
    return this.said.filter((message): message is Control<K> => message.is === is);
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly streams = new Map<StreamKey, Stream>();
  readonly standings = new Map<Stream, TreePlace>();
  readonly priorities = new Map<StreamKey, number>();
  readonly fenced: [StreamKey, number][] = [];
  refusesJoins = false;
  /** What was counted of each stream and peer, bytes. */
  readonly sent = new Map<string, { bytes: number }>();
  /** Told with each count. */
  place = '';
  readonly downstreams = new Downstreams(
    { softChildren: 2, maxChildren: 4 },
    {
      ...{ clock: this.clock, log: this.log },
      streamOf: (key) => this.streams.get(key),
      placeInTree: (stream) => this.standings.get(stream) ?? { path: ['a'], isSwitching: false },
      priorityOf: (key) => this.priorities.get(key) ?? 0,
      fenced: (key, epoch) => this.fenced.push([key, epoch]),
      refusesJoins: () => this.refusesJoins,
      sent: (key, node) => {
        const name = `${key} ${node}${this.place}`;
        const count = this.sent.get(name) ?? { bytes: 0 };
        this.sent.set(name, count);
        return count;
      },
    },
  );
  #lastId = 0;

  peer(node: string): FakePeer {
    const peer = new FakePeer(node);
    this.downstreams.opened(peer);
    return peer;
  }

  /** A stream of epoch 5, with a key frame of seq 1. */
  stream(name: string, priority = 0): Stream {
    const key = parseStreamKey('live', name);
    const { clock, log } = this;
    const stream = new Stream(key, STREAM_OPTIONS, {
      ...{ clock, log, budget: new MemoryBudget(2 ** 40) },
      ...{ turns: new Turns(clock), counters: new MediaCounters() },
      changed: (changed) => this.downstreams.streamChanged(changed),
    });
    this.streams.set(key, stream);
    this.priorities.set(key, priority);
    stream.attach(new FakeSource(5), NEWER);
    stream.begin(runOf(5));
    this.append(stream, 1, 100, 'avc key');
    return stream;
  }

  append(stream: Stream, seq: number, size: number, name: 'avc key' | 'avc delta' = 'avc delta'): void {
    stream.append(frameOf(name, seq, seq * 20, size));
    this.clock.turn();
  }

  sub(peer: FakePeer, stream: Stream, how: Partial<Control<'sub'>> = {}): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.downstreams.control(peer, { is: 'sub', id, key: stream.key, insist: false, ...how });
    return peer.of('ok').find((ok) => ok.id === id)?.ref ?? 0;
  }

  refusal(peer: FakePeer, stream: Stream, how: Partial<Control<'sub'>> = {}): Control<'no'> | undefined {
    this.sub(peer, stream, how);
    return peer.of('no').find(({ id }) => id === this.#lastId);
  }

  /** The peer reads all that it was sent. */
  take(peer: FakePeer): void {
    peer.takenBytes = peer.sentBytes;
    this.downstreams.drained(peer);
  }
}

let bench: Bench;
let b: FakePeer;

beforeEach(() => {
  bench = new Bench();
  b = bench.peer('b');
});

describe('a link that takes less than it is given', () => {
  test('makes the heavy stream wait in the log, and sends the light one at once', () => {
    const heavy = bench.stream('heavy');
    const light = bench.stream('light');
    const [heavyRef, lightRef] = [bench.sub(b, heavy), bench.sub(b, light)];
    for (let seq = 2; seq <= 60; seq += 1) {
      bench.append(heavy, seq, 20_000);
      bench.append(light, seq, 100);
    }
    expect(b.seqs.get(lightRef)?.at(-1)).toBe(60);
    expect(b.sentBytes).toBeLessThan(2 * WINDOW + 40_000);
    for (let turn = 0; turn < 40; turn += 1) bench.take(b);
    expect(b.seqs.get(heavyRef)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
    bench.append(heavy, 61, 100);
    expect(b.seqs.get(heavyRef)?.at(-1), 'it is live again').toBe(61);
  });

  test('is not filled by many light ones either', () => {
    const streams = Array.from({ length: 400 }, (_, at) => bench.stream(`s${at}`));
    const refs = streams.map((stream) => bench.sub(b, stream));
    for (let seq = 2; seq <= 30; seq += 1) for (const stream of streams) bench.append(stream, seq, 400);
    expect(b.sentBytes).toBeLessThan(1_000_000);
    for (let turn = 0; turn < 500; turn += 1) bench.take(b);
    expect(refs.map((ref) => b.seqs.get(ref)?.at(-1))).toEqual(refs.map(() => 30));
  });

  test('serves those that wait in turn', () => {
    const streams = ['one', 'two', 'three'].map((name) => bench.stream(name));
    const refs = streams.map((stream) => bench.sub(b, stream));
    for (let seq = 2; seq <= 100; seq += 1) for (const stream of streams) bench.append(stream, seq, 10_000);
    b.refs.length = 0;
    for (let turn = 0; turn < 9; turn += 1) bench.take(b);
    const turns = b.refs.filter((ref, at) => ref !== b.refs[at - 1]);
    expect(turns.length).toBeGreaterThanOrEqual(9);
    for (let at = 0; at + 3 <= turns.length; at += 3) {
      expect(turns.slice(at, at + 3).sort(), turns.join()).toEqual(refs);
    }
  });

  test('serves those of higher priority before others', () => {
    const low = bench.stream('low', -1);
    const high = bench.stream('high', 5);
    const lowRef = bench.sub(b, low);
    const highRef = bench.sub(b, high);
    for (let seq = 2; seq <= 30; seq += 1)
      for (const stream of [low, high]) bench.append(stream, seq, 20_000);
    b.refs.length = 0;
    for (let turn = 0; turn < 40; turn += 1) bench.take(b);
    const lastHigh = b.refs.lastIndexOf(highRef);
    expect(b.refs.slice(0, lastHigh)).not.toContain(lowRef);
    expect(b.refs.slice(lastHigh)).toContain(lowRef);
  });

  test('says what it left out', () => {
    const heavy = bench.stream('heavy');
    const ref = bench.sub(b, heavy);
    for (let seq = 2; seq <= 300; seq += 1) {
      bench.clock.pass(20);
      bench.append(heavy, seq, 20_000, seq % 50 === 1 ? 'avc key' : 'avc delta');
    }
    for (let turn = 0; turn < 200; turn += 1) bench.take(b);
    const seqs = b.seqs.get(ref) ?? [];
    const skipped = b.of('skip').flatMap(({ from, to }) => range(from, to));
    expect(skipped.length).toBeGreaterThan(50);
    expect([...seqs, ...skipped].sort((x, y) => x - y)).toEqual(range(1, 300));
  });

  test('is asked nothing of a stream that it does not pull any more', () => {
    const heavy = bench.stream('heavy');
    const ref = bench.sub(b, heavy);
    for (let seq = 2; seq <= 30; seq += 1) bench.append(heavy, seq, 20_000);
    bench.downstreams.control(b, { is: 'unsub', ref, id: 1 });
    const sent = b.sentBytes;
    bench.take(b);
    bench.append(heavy, 31, 100);
    expect(b.sentBytes).toBe(sent);
    expect([heavy.followerCount, bench.downstreams.count]).toEqual([0, 0]);
    expect(b.of('gone')).toEqual([{ is: 'gone', ref, id: 1 }]);
  });
});

describe('who asks is told no', () => {
  test('for a stream that is not here, or has no source', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, { path: undefined, isSwitching: false });
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'nosrc', alternatives: [] });
    bench.streams.clear();
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'nosrc', epoch: 0 });
  });

  test('if the stream comes from it', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, { path: ['b', 'a'], isSwitching: false });
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'loop' });
  });

  test('while the upstream changes', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, { path: ['o', 'a'], isSwitching: true });
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'busy' });
  });

  test('at the fourth link from the origin, with those above this node as alternatives', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, { path: ['o', 'p', 'q', 'a'], isSwitching: false });
    expect(bench.refusal(b, stream)).toBeUndefined();
    bench.standings.set(stream, { path: ['o', 'p', 'q', 'r', 'a'], isSwitching: false });
    expect(bench.refusal(bench.peer('c'), stream)).toMatchObject({
      why: 'busy',
      alternatives: ['o', 'p', 'q', 'r'],
    });
  });

  test('beyond the children that are wanted, unless it insists or goes on; beyond the most, in any case', () => {
    const stream = bench.stream('show');
    for (const node of ['c', 'd']) expect(bench.refusal(bench.peer(node), stream)).toBeUndefined();
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'busy', alternatives: ['c', 'd'] });
    expect(bench.refusal(b, stream, { insist: true })).toBeUndefined();
    expect(bench.refusal(bench.peer('e'), stream, { resume: { epoch: 5, from: 1 } })).toBeUndefined();
    expect(bench.refusal(bench.peer('f'), stream, { insist: true })).toMatchObject({ why: 'busy' });
    expect(bench.refusal(b, stream), 'a child may ask again').toBeUndefined();
    expect(bench.downstreams.declined.samples()).toEqual([{ labels: { why: 'busy' }, value: 2 }]);
  });

  test('one that is fed elsewhere as one that begins, though it goes on', () => {
    const stream = bench.stream('show');
    const patient = { resume: { epoch: 5, from: 1 }, patient: true };
    expect(bench.refusal(bench.peer('c'), stream, patient)).toBeUndefined();
    bench.refusesJoins = true;
    expect(bench.refusal(bench.peer('d'), stream, patient)).toMatchObject({ why: 'busy' });
    bench.refusesJoins = false;
    expect(bench.refusal(bench.peer('d'), stream, patient)).toBeUndefined();
    expect(bench.refusal(b, stream, patient)).toMatchObject({ why: 'busy', alternatives: ['c', 'd'] });
  });

  test('while the node is short of memory, whatever it says, unless it goes on or is a child', () => {
    const stream = bench.stream('show');
    expect(bench.refusal(bench.peer('c'), stream)).toBeUndefined();
    bench.refusesJoins = true;
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'busy', alternatives: ['c'] });
    expect(bench.refusal(b, stream, { insist: true })).toMatchObject({ why: 'busy' });
    expect(bench.refusal(b, stream, { resume: { epoch: 5, from: 1 } })).toBeUndefined();
    expect(bench.refusal(b, stream), 'a child may ask again').toBeUndefined();
  });

  test('if it knows a higher epoch, which is news', () => {
    const stream = bench.stream('show');
    expect(bench.refusal(b, stream, { resume: { epoch: 6, from: 1 } })).toMatchObject({
      why: 'fenced',
      epoch: 5,
    });
    expect(bench.fenced).toEqual([[stream.key, 6]]);
  });
});

describe('a node that is emptied', () => {
  const RELAYED: TreePlace = { path: ['o', 'p', 'a'], isSwitching: false };

  test('sends its peers elsewhere for what it relays, and says that its own streams stay', () => {
    bench.downstreams.drain(60_000);
    expect(b.of('goaway')).toEqual([{ is: 'goaway', deadlineMs: 60_000, only: 'relayed' }]);
    bench.downstreams.drain(10 * 86_400_000);
    expect(b.of('goaway')[1]?.deadlineMs, 'longer waits are none of the wire').toBe(86_400_000);
  });

  test('gives what it relays only to who insists or goes on; others are sent to those above it', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, RELAYED);
    bench.downstreams.drain(60_000);
    expect(bench.refusal(b, stream)).toMatchObject({ why: 'busy', alternatives: ['o', 'p'] });
    expect(bench.refusal(b, stream, { insist: true })).toBeUndefined();
    expect(bench.refusal(bench.peer('c'), stream, { resume: { epoch: 5, from: 1 } })).toBeUndefined();
  });

  test('gives the streams of its own publishers to everybody, as there is no other source', () => {
    const stream = bench.stream('show');
    bench.downstreams.drain(60_000);
    expect(bench.refusal(b, stream)).toBeUndefined();
  });

  test('that stops gives nothing to anybody, whatever was undone before', () => {
    const stream = bench.stream('show');
    bench.downstreams.drain(60_000);
    bench.downstreams.goAway(1_000);
    bench.downstreams.drain(60_000);
    bench.downstreams.undoDrain();
    expect(bench.refusal(b, stream, { insist: true })).toMatchObject({ why: 'busy' });
  });

  test('takes children again when that is undone', () => {
    const stream = bench.stream('show');
    bench.standings.set(stream, RELAYED);
    bench.downstreams.drain(60_000);
    bench.downstreams.undoDrain();
    expect(bench.refusal(b, stream)).toBeUndefined();
  });
});

test('a link that closes takes its streams along', () => {
  const stream = bench.stream('show');
  bench.sub(b, stream);
  bench.downstreams.closed(b, { code: 'test.over', message: '' });
  expect([stream.followerCount, bench.downstreams.count]).toEqual([0, 0]);
  expect(bench.downstreams.childrenOf(stream)).toEqual([]);
});

test('a resume gets the very next frame, and a child that asks again goes on there', () => {
  const stream = bench.stream('show');
  for (let seq = 2; seq <= 9; seq += 1) bench.append(stream, seq, 100);
  const ref = bench.sub(b, stream, { resume: { epoch: 5, from: 6 } });
  expect(b.seqs.get(ref)).toEqual([6, 7, 8, 9]);
  expect(bench.sub(b, stream, { resume: { epoch: 5, from: 9 } })).toBe(ref);
  expect(b.seqs.get(ref)).toEqual([6, 7, 8, 9, 9]);
  expect(bench.downstreams.count).toBe(1);
});

test('beats tell the heads that moved, once', () => {
  const stream = bench.stream('show');
  const ref = bench.sub(b, stream);
  expect(bench.downstreams.heads(b).heads).toEqual([[ref, 0, 1]]);
  expect(bench.downstreams.heads(b)).toEqual({ heads: [], cameAt: [] });
  bench.append(stream, 2, 100);
  expect(bench.downstreams.heads(b).heads).toEqual([[ref, 0, 2]]);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

test('what each peer is sent of each stream is counted, of those that are over, too', () => {
  const [b, c] = [bench.peer('b'), bench.peer('c')];
  const [one, two] = [bench.stream('one'), bench.stream('two')];
  bench.sub(b, one);
  bench.sub(c, one);
  bench.sub(c, two);
  bench.append(one, 2, 5_000);
  bench.clock.pass(100);
  bench.downstreams.closed(c, { code: 'mesh.closed', message: '' });
  bench.append(one, 3, 7_000);
  bench.clock.pass(100);
  const counted = Object.fromEntries([...bench.sent].map(([of, { bytes }]) => [of, bytes]));
  expect(counted['live/one b']).toBe(b.sentBytes);
  expect((counted['live/one c'] ?? 0) + (counted['live/two c'] ?? 0)).toBe(c.sentBytes);
  expect(b.sentBytes - (counted['live/one c'] ?? 0)).toBeGreaterThan(7_000);
  expect(counted['live/two c']).toBeGreaterThan(100);
});

test('what a peer is sent counts for its place once that is known', () => {
  const [b, c] = [bench.peer('b'), bench.peer('c')];
  const one = bench.stream('one');
  bench.sub(b, one);
  bench.sub(c, one);
  const before = b.sentBytes;
  bench.place = ' in coast';
  bench.downstreams.recount('b');
  bench.append(one, 2, 5_000);
  bench.clock.pass(100);
  expect(bench.sent.get('live/one b')?.bytes).toBe(before);
  expect(bench.sent.get('live/one b in coast')?.bytes).toBe(b.sentBytes - before);
  expect(bench.sent.get('live/one c')?.bytes, 'nothing new is known of it').toBe(c.sentBytes);
});
