import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { classify } from '../../../src/format/codec.ts';
import { Frame, FrameKind, type LoggedFrame } from '../../../src/format/frame.ts';
import type { Resume } from '../../../src/media/exact-cursor.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FollowEncoder, FollowSink, relayTo } from '../../support/followers.ts';
import {
  FakeSink,
  frameOf,
  GONE,
  NEWER,
  type PayloadName,
  payloadOf,
  runOf,
  StreamBench,
} from '../../support/media.ts';

const WHO = { remote: 'b' };

let bench: StreamBench;
let encoder: FollowEncoder;

beforeEach(() => {
  bench = new StreamBench();
  encoder = new FollowEncoder();
});

function follow(resume?: Resume, sink = new FollowSink(encoder)): FollowSink {
  sink.player = bench.stream.follow(encoder, sink, WHO, resume);
  return sink;
}

function append(name: PayloadName, seq: number, dts = seq, size = 0): void {
  bench.append(frameOf(name, seq, dts, size));
}

const seqsOf = ({ copy }: FollowSink) => copy.frames.map(({ frame, run }) => `${run.epoch}:${frame.seq}`);

describe('a follower of a stream', () => {
  test('gets what players start with, then shares each flush with the others, encoded once', () => {
    bench.start();
    append('avc header', 1);
    append('avc key', 2);
    bench.clock.turn();
    const sinks = [follow(), follow(), follow({ epoch: 1, from: 2 })];
    append('avc delta', 3);
    bench.clock.turn();
    const before = encoder.encodeCount;
    append('avc delta', 4);
    bench.append(new Frame(FrameKind.video, 'header', 5, 5, payloadOf('avc header', 1)));
    append('aac sample', 6);
    bench.clock.turn();
    expect(encoder.encodeCount).toBe(before + 1);
    expect(new Set(sinks.map(({ buffers }) => buffers.at(-1))).size).toBe(1);
    expect(sinks.map(({ player }) => player?.state)).toEqual(['live', 'live', 'live']);
    expect(sinks.map(({ copy }) => copy.seqs)).toEqual(sinks.map(() => [2, 3, 4, 5, 6]));
  });

  test('that has all there is goes on with the next frame, in a write of its own, and is live then', () => {
    bench.start();
    append('avc key', 1);
    append('avc delta', 2);
    const sink = follow({ epoch: 1, from: 3 });
    expect([sink.buffers.length, sink.player?.state]).toEqual([0, 'waiting']);
    bench.clock.turn();
    expect([sink.buffers.length, sink.player?.state]).toEqual([0, 'waiting']);
    append('avc delta', 3);
    bench.clock.turn();
    expect([seqsOf(sink), sink.player?.state]).toEqual([['1:3'], 'live']);
    expect(sink.copy.frames[0]).toMatchObject({ opens: true, run: { epoch: 1, from: 3 } });
  });

  test('goes on from a frame that is not flushed yet', () => {
    bench.start();
    append('avc key', 1);
    bench.clock.turn();
    follow();
    for (const seq of [2, 3, 4]) append('avc delta', seq);
    const sink = follow({ epoch: 1, from: 4 });
    expect(sink.player?.state).toBe('waiting');
    bench.clock.turn();
    append('avc delta', 5);
    bench.clock.turn();
    expect(seqsOf(sink)).toEqual(['1:4', '1:5']);
    expect(sink.player?.state).toBe('live');
  });

  test('is no player: it is not counted as one, not logged, not ended by another codec', () => {
    bench.start();
    append('avc header', 1);
    append('avc key', 2);
    const sink = follow();
    const player = bench.play();
    bench.clock.turn();
    expect([bench.stream.playerCount, bench.stream.followerCount]).toEqual([1, 1]);
    append('hevc header', 3);
    append('hevc key', 4);
    bench.clock.turn();
    expect(player.ends).toEqual([{ how: 'end', code: 'stream.codec-changed' }]);
    expect(sink.ends).toEqual([]);
    expect(sink.copy.seqs.at(-1)).toBe(4);
    sink.player?.leave(GONE);
    expect(bench.stream.followerCount).toBe(0);
    expect(bench.log.of('play.start')).toHaveLength(1);
    expect(bench.log.of('play.end')).toHaveLength(1);
  });

  test('reads on through hold and into the next epoch, and ends with the stream', () => {
    const first = bench.start();
    append('avc key', 1);
    const sink = follow();
    bench.clock.turn();
    bench.stream.detach(first, GONE, 5000);
    bench.clock.pass(4000);
    const late = follow();
    expect(late.player?.state).toBe('waiting');
    const second = bench.start(900);
    append('avc key', 1, 900);
    bench.clock.turn();
    expect([seqsOf(sink), seqsOf(late)]).toEqual([['1:1', '2:1'], ['2:1']]);
    bench.stream.detach(second, GONE, 5000);
    bench.clock.pass(5000);
    expect([sink.ends, late.ends]).toEqual([
      [{ how: 'end', code: 'stream.hold-over' }],
      [{ how: 'end', code: 'stream.hold-over' }],
    ]);
    expect([bench.stream.followerCount, bench.clock.timerCount]).toEqual([0, 0]);
    expect(follow().ends).toEqual([{ how: 'end', code: 'stream.hold-over' }]);
  });

  test('keeps a stream in hold that has no frame and no player', () => {
    const source = bench.attach();
    follow();
    bench.stream.detach(source, GONE, 5000);
    expect(bench.stream.state.at).toBe('held');
  });

  test('that drains while it waits for its turn gets every frame once', () => {
    bench.start();
    for (let seq = 1; seq <= 12; seq += 1) append(seq === 1 ? 'avc key' : 'avc delta', seq, seq, 35_000);
    const sink = follow();
    expect([sink.player?.state, bench.clock.soonCount]).toEqual(['behind', 1]);
    sink.drain();
    expect(sink.player?.state).toBe('live');
    bench.clock.turn();
    for (const seq of [13, 14]) {
      append('avc delta', seq);
      bench.clock.pass(100);
    }
    expect(sink.copy.seqs).toEqual(Array.from({ length: 14 }, (_, at) => at + 1));
  });

  test('has stretches kept for it no longer than two sweeps, and none once it left', () => {
    bench.start();
    for (let seq = 1; seq <= 60; seq += 1) append(seq === 1 ? 'avc key' : 'avc delta', seq, seq, 50_000);
    const kept = () => bench.budget.bytesOf('backlog');
    const sink = follow();
    while (sink.player?.state !== 'live') bench.clock.turn();
    bench.clock.advance(1000);
    expect(kept()).toBeGreaterThan(2_000_000);
    bench.clock.advance(1000);
    expect([kept(), sink.player.state]).toEqual([0, 'live']);
    const other = follow();
    bench.clock.pass(1000);
    expect(kept()).toBeGreaterThan(0);
    for (const { player } of [sink, other]) player?.leave(GONE);
    expect([kept(), bench.clock.timerCount]).toEqual([0, 0]);
  });

  test('that takes no byte is never closed: it lacks video, later it starts anew', () => {
    bench.start();
    append('avc header', 1);
    append('avc key', 2, 0);
    const sink = follow(undefined, new FollowSink(encoder, 'by-hand'));
    bench.clock.turn();
    append('avc delta', 3, 0, 600_000);
    bench.clock.turn();
    let seq = 3;
    const pass = (ms: number) => {
      for (let at = 0; at < ms; at += 100) {
        seq += 1;
        append(seq % 20 === 0 ? 'avc key' : seq % 3 === 0 ? 'aac sample' : 'avc delta', seq, (seq - 3) * 100);
        bench.clock.pass(100);
      }
    };
    pass(6000);
    expect([sink.copy.seqs, sink.player?.state]).toEqual([[2, 3], 'behind']);
    sink.drainAll();
    const audio = Array.from({ length: 19 }, (_, index) => 3 + index * 3);
    expect(sink.copy.seqs).toEqual([2, ...audio, 60, 61, 62, 63]);
    expect([sink.copy.seqs.at(-1), sink.player?.state]).toEqual([seq, 'live']);
    seq += 1;
    append('avc delta', seq, (seq - 3) * 100, 600_000);
    bench.clock.turn();
    pass(60_000);
    expect(sink.player?.state).toBe('behind');
    sink.drainAll();
    expect(sink.copy.seqs.at(-1)).toBe(seq);
    expect([sink.player?.cursor.skips, sink.ends]).toEqual([1, []]);
  });
});

describe('a stream tells', () => {
  test('how far it is, what it keeps, and how long it is silent', () => {
    const { stream, clock } = bench;
    expect([stream.head, stream.oldestSeq, stream.usualIntervalMs]).toEqual([undefined, undefined, 0]);
    bench.start();
    for (let seq = 5; seq < 9; seq += 1) {
      append(seq === 5 ? 'avc key' : 'avc delta', seq);
      clock.pass(40);
    }
    expect([stream.head, stream.oldestSeq, stream.usualIntervalMs]).toEqual([{ epoch: 1, seq: 8 }, 5, 40]);
    clock.pass(60);
    expect(stream.silentMs(clock.now())).toBe(100);
    const source = bench.start();
    stream.appendSetUp(frameOf('avc header', 77, 0));
    expect([stream.head, stream.oldestSeq]).toEqual([{ epoch: 1, seq: 8 }, undefined]);
    append('avc key', 1);
    expect([stream.head, stream.oldestSeq]).toEqual([{ epoch: 2, seq: 1 }, 1]);
    expect(stream.holdLeftMs(clock.now())).toBe(0);
    stream.detach(source, GONE, 500);
    clock.pass(200);
    expect(stream.holdLeftMs(clock.now())).toBe(300);
  });
});

describe('a source that comes back', () => {
  test('goes on with its run, as if nothing had been: no player notices, and a joiner waits for a key frame', () => {
    const { stream, clock } = bench;
    const sink = bench.play();
    const source = bench.start();
    for (let seq = 1; seq <= 3; seq += 1) append(seq === 1 ? 'avc key' : 'avc delta', seq, seq * 40);
    clock.turn();
    stream.detach(source, GONE, 5000);
    clock.pass(4999);
    stream.attach(source, NEWER);
    const joiner = bench.play();
    for (let seq = 4; seq <= 6; seq += 1) append('avc delta', seq, seq * 40);
    expect(stream.usualIntervalMs).toBe(0);
    clock.pass(10_000);
    expect(sink.times).toEqual([40, 80, 120, 160, 200, 240]);
    expect([joiner.ids, sink.ends, source.displacedBy]).toEqual([[], [], []]);
    append('avc key', 7, 280);
    clock.turn();
    expect([sink.ids.at(-1), joiner.ids]).toEqual([7, [7]]);
    expect(stream.state.at).toBe('live');
  });

  test('with a broken timeline is spliced, and its decoder set-up stays known', () => {
    const { stream, clock } = bench;
    const sink = bench.play();
    bench.start();
    append('avc header', 1, 0);
    append('avc key', 2, 0);
    append('avc delta', 3, 40);
    clock.turn();
    clock.pass(1000);
    const { codecs } = stream;
    stream.begin(runOf(1, 50, 9000, 9040));
    expect(stream.codecs).toEqual(codecs);
    expect(codecs.video).toBeDefined();
    stream.appendSetUp(frameOf('avc header', 1, 9000));
    const late = bench.play();
    clock.turn();
    expect(late.frames).toEqual([]);
    append('avc key', 50, 9000);
    append('avc delta', 51, 9040);
    clock.turn();
    expect([sink.ids, late.ids]).toEqual([
      [1, 2, 3, 50, 51],
      [1, 50, 51],
    ]);
    expect(sink.times).toEqual([0, 0, 40, 1000, 1040]);
  });

  test('may begin a higher epoch without leaving: nobody starts in the one before', () => {
    const { stream, clock } = bench;
    const source = bench.start();
    append('avc header', 1);
    append('avc key', 2);
    clock.turn();
    stream.begin(runOf(9, 30, 0));
    const joiner = bench.play();
    clock.turn();
    expect(joiner.frames).toEqual([]);
    append('avc key', 30);
    clock.turn();
    expect(joiner.ids).toEqual([30]);
    expect([stream.epoch, stream.head, source.displacedBy]).toEqual([9, { epoch: 9, seq: 30 }, []]);
  });
});

const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      name: fc.constantFrom<PayloadName>(
        ...([
          'avc key',
          'avc delta',
          'avc delta',
          'avc disposable',
          'aac sample',
          'avc header',
          'metadata',
        ] as const),
      ),
      hole: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(3)),
      size: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(400_000)),
      ms: fc.nat(200),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const), newEpoch: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'come or go' as const }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(300) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('drain' as const), one: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), one: fc.nat(5) }) },
);

test('what a second node relays is a copy, too, and time never falls for players there, whatever happens', () => {
  let relayed = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }), (steps) => {
      const clock = new FakeClock();
      const origin = new StreamBench({ clock });
      const replica = new StreamBench({ clock });
      const formats = [new FollowEncoder(), new FollowEncoder()] as const;
      const logged = new Map<string, Buffer>();
      replica.attach();
      const relay = relayTo(replica.stream);
      const note = (given: LoggedFrame) => {
        relayed += 1;
        relay(given);
      };
      const upstream = new FollowSink(formats[0], 'by-hand', note);
      upstream.player = origin.stream.follow(formats[0], upstream, WHO);
      const children = [0, 1, 2].map((at) => {
        const child = new FollowSink(formats[1], at === 0 ? 'fast' : 'by-hand');
        child.player = replica.stream.follow(formats[1], child, WHO);
        return child;
      });
      const player = replica.play(new FakeSink());
      let source = origin.start();
      let [epoch, seq, dts] = [1, 0, 0];
      for (const now of steps) {
        if (now.do === 'append') {
          seq += 1 + now.hole;
          dts += now.ms;
          const frame = frameOf(now.name, seq, dts, now.size);
          logged.set(`${epoch}:${seq}`, frame.payload);
          if (origin.stream.state.at === 'live') origin.append(frame);
        } else if (now.do === 'begin') {
          if (now.newEpoch) [epoch, seq] = [epoch + 1, 0];
          seq += 1;
          if (origin.stream.state.at === 'live') origin.stream.begin(runOf(epoch, seq + 1, dts));
        } else if (now.do === 'come or go') {
          if (origin.stream.state.at === 'live') origin.stream.detach(source, GONE, 60_000);
          else {
            source = origin.attach();
            epoch = Math.max(epoch + 1, source.epoch);
            seq = 0;
            origin.stream.begin(runOf(epoch, 1, dts));
          }
        } else if (now.do === 'pass') clock.pass(now.ms);
        else if (now.do === 'drain') [upstream, ...children][now.one % 4]?.drain();
        else if (now.one % 2 === 0 && upstream.player?.state !== 'ended') {
          // The link to the origin closes, and the replica subscribes again from where it is.
          upstream.player?.leave(GONE);
          upstream.backlogBytes = 0;
          const { head } = replica.stream;
          const resume = head && { epoch: head.epoch, from: head.seq + 1 };
          upstream.player = origin.stream.follow(formats[0], upstream, WHO, resume);
        } else {
          const child = children[now.one % 3];
          child?.player?.leave(GONE);
          if (!child) continue;
          child.backlogBytes = 0;
          const resume = child.copy.frames.length > 0 ? child.copy.resume : undefined;
          child.player = replica.stream.follow(formats[1], child, WHO, resume);
        }
      }
      for (let round = 0; round < 3; round += 1) {
        clock.pass(200);
        for (const sink of [upstream, ...children]) sink.drainAll();
      }
      const { head } = origin.stream;
      if (head && upstream.copy.seqs.length > 0 && upstream.player?.cursor.isInStep) {
        expect(replica.stream.head).toEqual(head);
      }
      for (const { copy } of [upstream, ...children]) {
        for (const { frame, run } of copy.frames) {
          expect(logged.get(`${run.epoch}:${frame.seq}`)).toBe(frame.payload);
        }
      }
      expect(player.ends).toEqual([]);
      for (const kind of Object.values(FrameKind)) {
        // Set-up that opens a start has the start's time; its track may be a little behind.
        const isShown = (payload: Buffer) => !['header', 'metadata'].includes(classify(kind, payload));
        const shown = player.frames.filter((frame) => frame.kind === kind && isShown(frame.payload));
        const times = shown.map(({ time }) => time);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
    }),
    { numRuns: 60 },
  );
  expect(relayed).toBeGreaterThan(1000);
});
