import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { FakePublisher, FakeSink, frameOf, GONE, StreamBench, TestEncoder } from '../../support/media.ts';

const HOLDS = { holdMs: 30_000, holdAfterStopMs: 4000 };
const STOPPED = { code: 'publish.stopped', message: 'done' };

/** What an encoder sends first, and then for `seconds`: 25 frames of video a second and audio 7 ms beside them. */
function publish(
  bench: StreamBench,
  publisher: FakePublisher,
  { from, seconds, version = 1 }: { from: number; seconds: number; version?: number },
): void {
  publisher.send('metadata', 0, 1);
  publisher.send('avc header', 0, version);
  publisher.send('aac header', 0, 9);
  for (let ms = 0; ms < seconds * 1000; ms += 40) {
    publisher.send(ms % 1000 === 0 ? 'avc key' : 'avc delta', from + ms, 100 + ms);
    publisher.send('aac sample', from + ms + 7, 100 + ms);
    bench.clock.pass(40);
  }
}

describe('a publisher that restarts 20 times', () => {
  test('ends no player, keeps time going, keeps audio and video together, and repeats no equal header', () => {
    const bench = new StreamBench();
    const sinks = Array.from({ length: 3 }, () => bench.play());
    let expectedVersions: number[] = [];
    for (let round = 0; round <= 20; round += 1) {
      const publisher = new FakePublisher(bench, HOLDS);
      // Round 7 comes with another set-up of the same codec, round 8 keeps it, 9 has the first again.
      const version = round === 7 || round === 8 ? 2 : 1;
      if (expectedVersions.at(-1) !== version) expectedVersions = [...expectedVersions, version];
      publish(bench, publisher, { from: (round * 2 ** 28 + 12_345) % 2 ** 32, seconds: 2, version });
      publisher.publication.end(round % 2 === 0 ? GONE : STOPPED);
      bench.clock.pass(round % 3 === 0 ? 3900 : 150);
      expect(bench.stream.state.at).toBe('held');
    }
    for (const sink of sinks) {
      expect(sink.ends).toEqual([]);
      expect(sink.openings).toHaveLength(1);
      const of = (kind: number, isHeader: boolean) =>
        sink.frames.filter((frame) => frame.kind === kind && (frame.payload[1] === 0) === isHeader);
      expect(of(FrameKind.video, true).map(({ id }) => id)).toEqual(expectedVersions);
      expect(of(FrameKind.audio, true).map(({ id }) => id)).toEqual([9]);
      const video = of(FrameKind.video, false);
      const audio = of(FrameKind.audio, false);
      expect(video).toHaveLength(21 * 50);
      expect(audio.map(({ id }) => id)).toEqual(video.map(({ id }) => id));
      expect(audio.map(({ time }, index) => time - (video[index]?.time ?? 0))).toEqual(video.map(() => 7));
      const steps = video.slice(1).map(({ time }, index) => time - (video[index]?.time ?? 0));
      expect(Math.min(...steps)).toBeGreaterThan(0);
      expect(Math.max(...steps)).toBeLessThanOrEqual(3000 + 7);
      expect(steps.filter((step) => step !== 40)).toHaveLength(20);
    }
  });

  test('keeps the real time of a gap, up to 3 s', () => {
    for (const [gapMs, step] of [
      [500, 500],
      [2000, 2000],
      [9000, 3000],
    ] as const) {
      const bench = new StreamBench();
      const sink = bench.play();
      const first = new FakePublisher(bench);
      first.send('avc key', 1000, 1);
      bench.clock.turn();
      first.publication.end(GONE);
      bench.clock.pass(gapMs);
      new FakePublisher(bench).send('avc key', 77, 2);
      bench.clock.turn();
      expect(sink.times).toEqual([1000, 1000 + step]);
    }
  });

  test('is spliced at its first key frame; the old tail goes on until then', () => {
    const bench = new StreamBench();
    const sink = bench.play();
    const old = new FakePublisher(bench);
    old.send('avc key', 0, 1);
    bench.clock.turn();
    old.send('avc delta', 40, 2);
    const newer = new FakePublisher(bench);
    newer.send('avc delta', 9000, 3);
    newer.send('aac sample', 9010, 4);
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2]);
    newer.send('avc key', 9040, 5);
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2, 4, 5]);
    expect(old.endedBy).toEqual(['test.newer']);
    expect(newer.publication.dropped).toBe(1);
  });
});

describe('a stream in hold', () => {
  test('keeps its players, and ends them when the hold is over', () => {
    const bench = new StreamBench();
    const sink = bench.play();
    const publisher = new FakePublisher(bench, HOLDS);
    publisher.send('avc key', 0, 1);
    bench.clock.turn();
    publisher.send('avc delta', 40, 2);
    publisher.publication.end(GONE);
    expect(bench.stream.state.at).toBe('held');
    expect(sink.ids).toEqual([1, 2]);
    bench.clock.advance(29_999);
    expect(sink.ends).toEqual([]);
    bench.clock.advance(1);
    expect(sink.ends).toEqual([{ how: 'end', code: 'stream.hold-over' }]);
    expect(bench.endedCount).toBe(1);
    expect(bench.stream.playerCount).toBe(0);
    expect(bench.budget.usedBytes).toBe(0);
    bench.clock.turn();
    expect(bench.clock.timerCount + bench.clock.soonCount).toBe(0);
  });

  test('is not held if there was not one frame and no player: its key is free again', () => {
    const bench = new StreamBench();
    const publisher = new FakePublisher(bench, HOLDS);
    publisher.publication.end(GONE);
    expect(bench.stream.state.at).toBe('ended');
  });

  test('holds for less time after a publisher that said that it is done', () => {
    const bench = new StreamBench();
    const publisher = new FakePublisher(bench, HOLDS);
    bench.play();
    publisher.publication.end(STOPPED);
    bench.clock.advance(3999);
    expect(bench.stream.state.at).toBe('held');
    bench.clock.advance(1);
    expect(bench.stream.state.at).toBe('ended');
    expect(publisher.endedBy).toEqual([]);
  });

  test('gives a player that joins nothing of the old GOP, then the new one from its start', () => {
    const bench = new StreamBench();
    const old = new FakePublisher(bench);
    publish(bench, old, { from: 0, seconds: 2 });
    old.publication.end(GONE);
    const sink = bench.play();
    bench.clock.pass(1000);
    expect(sink.buffers).toEqual([]);
    const newer = new FakePublisher(bench);
    const duringLeadIn = bench.play();
    bench.clock.pass(1000);
    expect(sink.buffers).toEqual([]);
    newer.send('avc header', 0, 1);
    newer.send('aac header', 0, 9);
    newer.send('avc key', 5, 1000);
    bench.clock.turn();
    for (const one of [sink, duringLeadIn, bench.play()]) {
      expect(one.openings).toEqual([{ audio: true, video: true }]);
      expect(one.ids).toEqual([1, 9, 1000]);
    }
  });

  test('stops its hold when a source comes, and a hold that was left behind ends nothing', () => {
    const bench = new StreamBench();
    const sink = bench.play();
    const first = new FakePublisher(bench);
    first.publication.end(GONE);
    bench.clock.advance(29_000);
    new FakePublisher(bench);
    bench.clock.advance(60_000);
    expect(sink.ends).toEqual([]);
    expect(bench.stream.state.at).toBe('live');
  });

  test('is not put into hold by a source that was displaced', () => {
    const bench = new StreamBench();
    const first = new FakePublisher(bench);
    new FakePublisher(bench);
    first.publication.end(GONE);
    expect(bench.stream.state.at).toBe('live');
    const source = bench.attach();
    bench.attach();
    bench.stream.detach(source, GONE, 0);
    expect(bench.stream.state.at).toBe('live');
    expect(source.displacedBy).toEqual(['test.newer']);
  });
});

describe('decoder set-up', () => {
  test('of an epoch before is not given to players of an epoch without that track', () => {
    const bench = new StreamBench();
    const first = new FakePublisher(bench);
    publish(bench, first, { from: 0, seconds: 1 });
    first.publication.end(GONE);
    const audioOnly = new FakePublisher(bench);
    audioOnly.send('aac header', 0, 9);
    for (let ms = 0; ms <= 1000; ms += 20) audioOnly.send('aac sample', ms, 5000 + ms);
    const sink = bench.play();
    expect(sink.openings).toEqual([{ audio: true, video: false }]);
    expect(sink.ids.slice(0, 2)).toEqual([9, 5000]);
    expect(sink.frames.every(({ kind }) => kind === FrameKind.audio)).toBe(true);
  });

  test('that came back after an epoch without it is sent again, since some players never had it', () => {
    const bench = new StreamBench();
    publish(bench, new FakePublisher(bench), { from: 0, seconds: 1 });
    const videoOnly = new FakePublisher(bench);
    videoOnly.send('avc header', 0, 1);
    videoOnly.send('avc key', 0, 2);
    const sink = bench.play();
    expect(sink.ids).toEqual([1, 2]);
    const both = new FakePublisher(bench);
    both.send('avc header', 0, 1);
    both.send('aac header', 0, 9);
    both.send('avc key', 0, 3);
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2, 9, 3]);
  });

  test('that comes behind the first key frame reaches players that joined between, although others have it', () => {
    const bench = new StreamBench();
    publish(bench, new FakePublisher(bench), { from: 0, seconds: 1 });
    const newer = new FakePublisher(bench);
    newer.send('avc header', 0, 1);
    newer.send('avc key', 0, 2);
    bench.clock.turn();
    const sink = bench.play();
    newer.send('aac header', 0, 9);
    newer.send('aac sample', 10, 3);
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2, 9, 3]);
  });

  test('of the codec before is not given to players of the next', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('aac header', 9, 0), frameOf('aac sample', 1, 0), frameOf('mp3 sample', 2, 20));
    const sink = bench.play();
    expect(sink.ids).toEqual([2]);
  });

  test('is given once to a player that skips, unless it changed', () => {
    const bench = new StreamBench({
      options: { log: { logMs: 10_000, gopMs: 30_000, logBytes: 2 ** 20, logFrames: 4 } },
    });
    bench.start();
    bench.append(frameOf('avc header', 1, 0), frameOf('aac header', 9, 0), frameOf('avc key', 100, 0));
    const slow = bench.play(new FakeSink('by-hand', { weight: 16 * 1024 }));
    expect(slow.ids).toEqual([1, 9, 100]);
    // It is live, and over 512 KiB with the next frame; what comes then it must read from the log.
    bench.append(frameOf('avc key', 101, 101));
    bench.clock.turn();
    for (let id = 102; id < 120; id += 1) bench.append(frameOf('avc key', id, id));
    bench.clock.turn();
    slow.drain();
    expect(slow.ids).toEqual([1, 9, 100, 101, 119]);
    expect(slow.player?.cursor.skips).toBe(1);
    bench.append(frameOf('avc key', 120, 120));
    bench.clock.turn();
    bench.append(frameOf('avc header', 2, 120));
    for (let id = 121; id < 130; id += 1) bench.append(frameOf('avc key', id, id));
    bench.clock.turn();
    slow.drain();
    expect(slow.ids).toEqual([1, 9, 100, 101, 119, 120, 2, 129]);
    expect(slow.player?.cursor.skips).toBe(2);
  });
});

describe('a codec change', () => {
  test('ends the players cleanly, with what was before it, and the next ones start with the new codec', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc header', 1, 0), frameOf('avc key', 10, 0));
    const old = bench.play();
    const slow = bench.play(new FakeSink('by-hand', { weight: 16 * 1024 }));
    bench.append(frameOf('avc delta', 11, 40));
    bench.append(frameOf('hevc header', 2, 80));
    expect(old.ids).toEqual([1, 10, 11]);
    expect(old.ends).toEqual([{ how: 'end', code: 'stream.codec-changed' }]);
    expect(bench.stream.codecs).toEqual({ video: 'hevc', audio: undefined });
    const joiner = bench.play();
    bench.clock.turn();
    expect(joiner.buffers).toEqual([]);
    bench.append(frameOf('hevc key', 12, 120), frameOf('hevc delta', 13, 160));
    bench.clock.turn();
    expect(joiner.ids).toEqual([2, 12, 13]);
    expect(joiner.ends).toEqual([]);
    slow.drainAll();
    expect(slow.ids).toEqual([1, 10, 11]);
    expect(slow.ends).toEqual([{ how: 'end', code: 'stream.codec-changed' }]);
  });

  test('over a restart does the same', () => {
    const bench = new StreamBench();
    const old = bench.play();
    const first = new FakePublisher(bench);
    first.send('avc header', 0, 1);
    first.send('avc key', 0, 10);
    bench.clock.turn();
    first.publication.end(GONE);
    const second = new FakePublisher(bench);
    second.send('hevc header', 0, 2);
    second.send('hevc key', 0, 20);
    bench.clock.turn();
    expect(old.ids).toEqual([1, 10]);
    expect(old.ends).toEqual([{ how: 'end', code: 'stream.codec-changed' }]);
    expect(bench.play().ids).toEqual([2, 20]);
  });

  test('of a codec that comes for the first time ends nobody', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play();
    bench.append(frameOf('aac sample', 2, 0));
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2]);
    expect(sink.ends).toEqual([]);
    expect(bench.stream.codecs).toEqual({ video: 'avc', audio: 'aac' });
  });
});

describe('formats', () => {
  test('are encoded once each, however many play them', () => {
    const bench = new StreamBench();
    const encoders = [new TestEncoder('a'), new TestEncoder('b')];
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    bench.clock.turn();
    for (const encoder of encoders) {
      for (let players = 0; players < 50; players += 1) bench.play(new FakeSink(), encoder);
      encoder.batches.length = 0;
    }
    for (let id = 2; id < 12; id += 1) {
      bench.append(frameOf('avc delta', id, id));
      bench.clock.turn();
    }
    expect(encoders.map(({ batches }) => batches.map((batch) => batch.length))).toEqual([
      Array(10).fill(1),
      Array(10).fill(1),
    ]);
  });

  test('join frames that are due together into one write', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play();
    bench.append(frameOf('aac sample', 2, 1), frameOf('avc delta', 3, 2), frameOf('aac sample', 4, 3));
    expect(sink.ids).toEqual([1]);
    expect(bench.clock.soonCount).toBe(1);
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2, 3, 4]);
    expect(sink.buffers).toHaveLength(3);
  });

  test('are flushed at once when a MiB has gathered', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play();
    bench.clock.turn();
    bench.append(frameOf('avc delta', 2, 1, 2 ** 19), frameOf('avc delta', 3, 2, 2 ** 19));
    bench.clock.turn();
    expect(sink.ids).toEqual([1, 2, 3]);
  });

  test('are flushed within the turn when 8,192 frames have gathered, and the log is trimmed', () => {
    const bench = new StreamBench({
      options: { log: { logMs: 10_000, gopMs: 30_000, logBytes: 2 ** 20, logFrames: 10 } },
    });
    bench.start();
    bench.append(frameOf('avc key', 0, 0));
    const sink = bench.play();
    for (let id = 1; id < 8192; id += 1) bench.append(frameOf('avc delta', id, 0));
    expect(sink.ids).toHaveLength(1);
    bench.append(frameOf('avc delta', 8192, 0));
    expect(sink.ids).toHaveLength(8193);
    expect(bench.stream.logBytes).toBeLessThan(10 * 300);
  });

  test('gather frames for longer as a flush gets dearer, up to maxDelayMs', () => {
    const bench = new StreamBench({ options: { maxDelayMs: 50 } });
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play(new FakeSink('fast', { onWrite: () => bench.clock.spend(30) }));
    const waits: number[] = [];
    for (let id = 2; id < 30; id += 1) {
      bench.append(frameOf('avc delta', id, id));
      const startedMs = bench.clock.now();
      bench.clock.turn();
      while (sink.ids.at(-1) !== id) {
        bench.clock.advance(1);
        bench.clock.turn();
      }
      waits.push(Math.round(bench.clock.now() - startedMs - 30));
    }
    expect(waits[0]).toBe(0);
    // A window and a quarter, of which 30 ms go by while the flush before is written.
    expect(waits.at(-1)).toBe(33);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
  });
});

describe('a slow player', () => {
  test('that takes no byte for stallMs is closed with the reason, and healthy ones go on', () => {
    const bench = new StreamBench({
      options: { player: { maxBacklogBytes: 1e9, maxBacklogMs: 1e9, stallMs: 5000 } },
    });
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const stalled = bench.play(new FakeSink('by-hand'));
    const trickling = bench.play(new FakeSink('by-hand'));
    const healthy = bench.play();
    for (let ms = 40; ms <= 6000; ms += 40) {
      bench.append(frameOf('avc delta', ms, ms));
      trickling.release(1);
      bench.clock.pass(40);
    }
    expect(stalled.ends).toEqual([{ how: 'destroy', code: 'player.stalled' }]);
    expect(trickling.ends).toEqual([]);
    expect(healthy.ends).toEqual([]);
    expect(healthy.ids.at(-1)).toBe(6000);
    expect(bench.stream.playerCount).toBe(2);
    expect(bench.log.of('play.end')).toMatchObject([
      { reason: 'player.stalled', remote: '203.0.113.1:50000' },
    ]);
  });

  test('whose backlog grows by what others write to its socket has made no progress', () => {
    const bench = new StreamBench({
      options: { player: { maxBacklogBytes: 1e9, maxBacklogMs: 1e9, stallMs: 5000 } },
    });
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play(new FakeSink('by-hand'));
    for (let seconds = 0; seconds < 6; seconds += 1) {
      sink.release(-10);
      bench.clock.pass(1000);
    }
    expect(sink.ends).toEqual([{ how: 'destroy', code: 'player.stalled' }]);
  });

  test('whose socket ran empty without a word, since it held little, is given what it lacks within a second', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('aac sample', 1, 0));
    const sink = bench.play(new FakeSink('by-hand'));
    sink.drain();
    let id = 1;
    const play = (ms: number): void => {
      while (id < ms / 20) {
        id += 1;
        bench.append(frameOf('aac sample', id, id * 20));
        bench.clock.pass(20);
      }
    };
    play(1500);
    expect(sink.player?.state).toBe('behind');
    sink.release(2 ** 30);
    play(2600);
    expect(sink.player?.state).toBe('live');
    expect(sink.ids.at(-1)).toBe(id);
    expect(sink.ids).toEqual(Array.from({ length: id }, (_, at) => at + 1));
  });

  test('that waits in a long hold with nothing to take is not stalled', () => {
    const bench = new StreamBench({
      options: { player: { maxBacklogBytes: 1e9, maxBacklogMs: 1e9, stallMs: 5000 } },
    });
    const sink = bench.play(new FakeSink('by-hand'));
    const source = bench.start();
    bench.append(frameOf('avc key', 1, 0));
    bench.clock.turn();
    sink.drain();
    bench.stream.detach(source, GONE, 60_000);
    bench.clock.pass(50_000);
    expect(sink.ends).toEqual([]);
  });

  test.each([
    ['time', { maxBacklogBytes: 1e12, maxBacklogMs: 5000, stallMs: 1e9 }, 600],
    ['bytes', { maxBacklogBytes: 2 ** 20, maxBacklogMs: 1e9, stallMs: 1e9 }, 7_000],
  ])(
    'that is too far behind in %s goes without video up to a key frame, and is not closed',
    (_, player, size) => {
      const bench = new StreamBench({ options: { player } });
      bench.start();
      bench.append(frameOf('avc key', 1, 0));
      const slow = bench.play(new FakeSink('by-hand'));
      const steady = bench.play(new FakeSink('by-hand'));
      bench.append(frameOf('avc delta', 2, 20, 600_000));
      bench.clock.turn();
      let id = 2;
      for (let ms = 40; ms <= 9000; ms += 40) {
        id += 1;
        const name = id % 5 === 0 ? 'aac sample' : id % 48 === 0 ? 'avc key' : 'avc delta';
        bench.append(frameOf(name, id, ms, size));
        bench.clock.pass(40);
        steady.drainAll();
      }
      slow.drainAll();
      bench.append(frameOf('avc delta', 1000, 9040));
      bench.clock.turn();
      const audio = Array.from({ length: 45 }, (_, index) => 5 + index * 5);
      const newestKey = 192;
      const goesOn = Array.from({ length: id - newestKey + 1 }, (_, index) => newestKey + index);
      const kept = audio.filter((at) => at < newestKey);
      expect(slow.ids).toEqual([1, 2, ...kept, ...goesOn, 1000]);
      expect(slow.player?.cursor).toMatchObject({ without: 'nothing', skips: 0, leftOut: { disposable: 0 } });
      expect([slow.ends, slow.player?.state]).toEqual([[], 'live']);
      expect(steady.player?.cursor.leftOut).toEqual({ disposable: 0, video: 0 });
      expect([steady.ids.length, steady.player?.state]).toEqual([id + 1, 'live']);
    },
  );

  test('is not taken for too slow while it reads its first GOP', () => {
    const bench = new StreamBench({
      options: { player: { maxBacklogBytes: 100, maxBacklogMs: 100, stallMs: 1e9 } },
    });
    bench.start();
    for (let ms = 0; ms < 5000; ms += 40)
      bench.append(frameOf(ms === 0 ? 'avc key' : 'avc delta', ms, ms, 50_000));
    bench.clock.turn();
    const sink = bench.play(new FakeSink('by-hand'));
    for (let turns = 0; turns < 10; turns += 1) {
      sink.drain();
      bench.clock.pass(1000);
    }
    expect(sink.ends).toEqual([]);
    sink.drainAll();
    expect(sink.ids).toHaveLength(125);
  });
});

describe('the end of a stream', () => {
  test('ends its source and its players, gives its memory back, leaves no timer, and is calm when repeated', () => {
    const bench = new StreamBench();
    const publisher = new FakePublisher(bench);
    publisher.send('avc key', 0, 1, 100_000);
    const live = bench.play();
    const behind = bench.play(new FakeSink('by-hand'));
    publisher.send('avc delta', 40, 2);
    expect(bench.budget.usedBytes).toBeGreaterThan(100_000);
    bench.stream.end({ code: 'node.stopping', message: '' });
    bench.stream.end({ code: 'test.again', message: '' });
    expect(publisher.endedBy).toEqual(['node.stopping']);
    expect(live.ids).toEqual([1, 2]);
    for (const sink of [live, behind]) expect(sink.ends).toEqual([{ how: 'end', code: 'node.stopping' }]);
    expect(bench.endedCount).toBe(1);
    expect(bench.budget.usedBytes).toBe(0);
    bench.clock.turn();
    expect(bench.clock.timerCount + bench.clock.soonCount).toBe(0);
    publisher.send('avc key', 80, 3);
    expect(bench.budget.usedBytes).toBe(0);
    publisher.publication.end(GONE);
    expect(bench.stream.state).toMatchObject({ at: 'ended', why: { code: 'node.stopping' } });
  });

  test('is told at once to a player that comes too late', () => {
    const bench = new StreamBench();
    bench.stream.end({ code: 'node.stopping', message: '' });
    const sink = bench.play();
    expect(sink.ends).toEqual([{ how: 'end', code: 'node.stopping' }]);
    expect(bench.clock.timerCount).toBe(0);
  });
});

describe('a player', () => {
  test('that leaves is forgotten once, with one line in the log that says why and how much', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    const sink = bench.play();
    bench.clock.advance(2500);
    const bytes = sink.buffers.reduce((sum, { length }) => sum + length, 0);
    sink.player?.leave({ code: 'player.gone', message: '' });
    sink.player?.leave({ code: 'test.again', message: '' });
    sink.player?.end(GONE);
    sink.player?.drained();
    bench.append(frameOf('avc delta', 2, 40));
    bench.clock.turn();
    expect(sink.ids).toEqual([1]);
    expect(sink.ends).toEqual([]);
    expect(bench.stream.playerCount).toBe(0);
    expect(bench.log.of('play.end')).toEqual([
      {
        stream: 'live/test',
        format: 'test',
        remote: '203.0.113.1:50000',
        reason: 'player.gone',
        durationMs: 2500,
        bytes,
        skips: 0,
        leftOut: 0,
      },
    ]);
    expect(bench.log.of('play.start')).toEqual([
      { stream: 'live/test', format: 'test', remote: '203.0.113.1:50000' },
    ]);
    expect(bench.clock.timerCount).toBe(0);
  });

  test('whose sink is full from the first starts as soon as it has room', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    bench.clock.turn();
    const sink = bench.play(new FakeSink('by-hand', { weight: 64 * 1024 }));
    expect(sink.openings).toHaveLength(1);
    expect(sink.ids).toEqual([]);
    sink.drain();
    expect(sink.ids).toEqual([1]);
  });

  test('is told which tracks there are', () => {
    const bench = new StreamBench();
    bench.start();
    bench.append(frameOf('avc key', 1, 0));
    expect(bench.play().openings).toEqual([{ audio: false, video: true }]);
    bench.append(frameOf('aac header', 9, 0));
    expect(bench.play().openings).toEqual([{ audio: true, video: true }]);
  });

  test('starts at the newest key frame, with a GOP longer than the log at the next', () => {
    const bench = new StreamBench({
      options: { log: { logMs: 1000, gopMs: 2000, logBytes: 2 ** 20, logFrames: 1000 } },
    });
    bench.start();
    for (let ms = 0; ms <= 1500; ms += 100)
      bench.append(frameOf(ms % 500 === 0 ? 'avc key' : 'avc delta', ms, ms));
    bench.clock.turn();
    expect(bench.play().ids).toEqual([1500]);
    for (let ms = 1600; ms <= 4000; ms += 100) bench.append(frameOf('avc delta', ms, ms));
    bench.clock.turn();
    const waiting = bench.play();
    expect(waiting.buffers).toEqual([]);
    bench.append(frameOf('avc delta', 4100, 4100));
    bench.clock.turn();
    expect(waiting.buffers).toEqual([]);
    bench.append(frameOf('avc key', 4200, 4200), frameOf('avc delta', 4300, 4300));
    bench.clock.turn();
    expect(waiting.ids).toEqual([4200, 4300]);
  });
});
