import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { FakePublisher, FakeSink, GONE, payloadOf, StreamBench, TestEncoder } from '../../support/media.ts';

describe('a publication', () => {
  test('numbers its frames from 1, each once, decoder set-up and data alike', () => {
    const bench = new StreamBench();
    const encoded: number[] = [];
    const sink = bench.play();
    const publisher = new FakePublisher(bench);
    publisher.send('avc delta', 0, 1);
    publisher.send('metadata', 0, 2);
    publisher.send('avc header', 0, 3);
    publisher.send('avc key', 40, 4);
    publisher.send('data', 41, 5);
    publisher.send('aac sample', 42, 6);
    const spy = {
      format: 'spy',
      open: () => Buffer.alloc(0),
      encode: (batch: readonly { frame: { seq: number } }[]) => {
        encoded.push(...batch.map(({ frame }) => frame.seq));
        return Buffer.alloc(1);
      },
    };
    bench.stream.play(
      spy,
      { backlogBytes: 0, write: () => true, end() {}, destroy() {} },
      { remote: 'test' },
    );
    bench.clock.turn();
    expect(encoded).toEqual([1, 2, 3, 4, 5]);
    expect(sink.ids).toEqual([2, 3, 4, 5, 6]);
  });

  test('gives decoder set-up the dts of its track, and metadata the newest, although they come with time 0', () => {
    const bench = new StreamBench();
    const encoder = new TestEncoder();
    bench.play(new FakeSink(), encoder);
    const publisher = new FakePublisher(bench);
    publisher.send('metadata', 0, 1);
    publisher.send('avc header', 0, 2);
    publisher.send('avc key', 3_000_000_000, 3);
    publisher.send('aac header', 0, 4);
    publisher.send('aac sample', 3_000_000_007, 5);
    publisher.send('avc header', 0, 6);
    publisher.send('aac header', 0, 7);
    publisher.send('metadata', 0, 8);
    publisher.send('data', 3_000_000_005, 9);
    publisher.send('data', 0, 10);
    bench.clock.turn();
    const ahead = encoder.batches.flat().map(({ frame }) => frame.dts - 3_000_000_000);
    expect(ahead).toEqual([0, 0, 0, 0, 7, 0, 7, 7, 5, 7]);
  });

  test('is charged for what it holds back, until players can start or it ends', () => {
    const bench = new StreamBench();
    const leadIn = () => bench.budget.bytesOf('lead-in');
    const publisher = new FakePublisher(bench);
    publisher.send('avc header', 0, 1, 1000);
    publisher.send('avc delta', 0, 2, 1000);
    publisher.send('aac sample', 0, 3, 500);
    expect(leadIn()).toBe(1500 + 2 * 256);
    publisher.send('avc key', 40, 4, 1000);
    const keptAsSetUp = 1000 + 256;
    expect([leadIn(), bench.budget.usedBytes]).toEqual([0, 2500 + 3 * 256 + keptAsSetUp]);
    const next = new FakePublisher(bench);
    next.send('aac sample', 0, 5, 700);
    expect(leadIn()).toBe(700 + 256);
    next.publication.end(GONE);
    expect(leadIn()).toBe(0);
    next.send('aac sample', 20, 6, 700);
    expect(leadIn()).toBe(0);
  });

  test('counts what came and what nobody could decode, and says so in one line at its end', () => {
    const bench = new StreamBench();
    const publisher = new FakePublisher(bench);
    const { publication } = publisher;
    publisher.send('avc delta', 0, 1, 100);
    publisher.send('avc key', 40, 2, 100);
    publication.append(FrameKind.video, 80, Buffer.alloc(0));
    bench.clock.advance(1234.4);
    publication.end(GONE);
    publication.end({ code: 'test.again', message: '' });
    publisher.send('avc key', 80, 3, 100);
    expect([publication.frames, publication.bytes, publication.dropped]).toEqual([2, 200, 1]);
    const who = {
      ...{ stream: 'live/test', session: 'publisher123', epoch: 1 },
      ...{ protocol: 'rtmp', remote: '203.0.113.2:40000' },
    };
    expect(bench.log.of('publish.start')).toEqual([who]);
    expect(bench.log.of('publish.end')).toEqual([
      { ...who, reason: 'test.gone', durationMs: 1234, bytes: 200, frames: 2, dropped: 1 },
    ]);
    expect(publisher.endedBy).toEqual([]);
  });

  test('tells its publisher once if the node ends it, never after its own end', () => {
    const bench = new StreamBench();
    const displaced = new FakePublisher(bench);
    const gone = new FakePublisher(bench);
    expect(displaced.endedBy).toEqual(['test.newer']);
    gone.publication.end(GONE);
    bench.stream.end(GONE);
    gone.publication.displace(GONE);
    displaced.publication.displace(GONE);
    expect(displaced.endedBy).toEqual(['test.newer']);
    expect(gone.endedBy).toEqual([]);
  });

  test('knows for how long it was silent', () => {
    const bench = new StreamBench();
    const publisher = new FakePublisher(bench);
    bench.clock.advance(500);
    expect(publisher.publication.silentMs(bench.clock.now())).toBe(500);
    publisher.send('aac sample', 0, 1);
    bench.clock.advance(70);
    expect(publisher.publication.silentMs(bench.clock.now())).toBe(70);
  });

  test('that starts with audio drops video until its first key frame', () => {
    const bench = new StreamBench();
    const sink = bench.play();
    const publisher = new FakePublisher(bench);
    for (let ms = 0; ms <= 1000; ms += 500) publisher.send('aac sample', ms, ms);
    publisher.send('avc header', 0, 7);
    publisher.send('avc delta', 1100, 1100);
    publisher.send('aac sample', 1110, 1110);
    publisher.send('avc key', 1120, 1120);
    publisher.send('avc delta', 1140, 1140);
    bench.clock.turn();
    expect(sink.ids).toEqual([7, 1120, 1140]);
    expect(publisher.publication.dropped).toBe(1);
  });

  test('owns no stream once another took it: what it still sends goes nowhere', () => {
    const bench = new StreamBench();
    const sink = bench.play();
    const old = new FakePublisher(bench);
    const newer = new FakePublisher(bench);
    old.publication.append(FrameKind.video, 0, payloadOf('avc key', 1));
    newer.send('avc key', 0, 2);
    bench.clock.turn();
    expect(sink.ids).toEqual([2]);
    expect(bench.stream.epoch).toBe(newer.publication.epoch);
  });
});

describe('a publication that goes on under a higher epoch', () => {
  /** Epoch, seq, role and dts of the frames that the log got, as a format of its own sees them. */
  const watched = () => {
    const bench = new StreamBench();
    const encoder = new TestEncoder();
    const sink = bench.play(new FakeSink(), encoder);
    const publisher = new FakePublisher(bench);
    const seen = () => {
      bench.clock.turn();
      return encoder.batches.flat().map(({ frame }) => `${frame.seq} ${frame.role} ${frame.dts}`);
    };
    return { bench, sink, publisher, seen };
  };

  test('does so at the next key frame, with seq from 1, its set-up ahead, and players that go on', () => {
    const { bench, sink, publisher, seen } = watched();
    publisher.send('metadata', 0, 1);
    publisher.send('avc header', 0, 2);
    publisher.send('aac header', 0, 3);
    publisher.send('avc key', 0, 4);
    publisher.publication.goOnAs(9);
    publisher.send('aac sample', 20, 5);
    publisher.send('avc delta', 40, 6);
    expect(publisher.publication.epoch).toBe(1);
    seen();
    bench.clock.advance(40);
    publisher.send('avc key', 80, 7);
    publisher.send('avc delta', 120, 8);
    expect(publisher.publication.epoch).toBe(9);
    expect(bench.stream.epoch).toBe(9);
    expect(seen().slice(6)).toEqual(['1 metadata 80', '4 key 80', '5 delta 120']);
    expect(sink.ids).toEqual([1, 2, 3, 4, 5, 6, 1, 7, 8]);
    expect(sink.times).toEqual([0, 0, 0, 0, 20, 40, 80, 80, 120]);
    const late = bench.play();
    bench.clock.turn();
    expect(late.ids, 'a newcomer has it all').toEqual([1, 2, 3, 7, 8]);
    expect(publisher.endedBy).toEqual([]);
  });

  test('does so at the next audio frame where there is no video, or none any more', () => {
    for (const hasVideo of [false, true]) {
      const { publisher } = watched();
      if (hasVideo) publisher.send('avc key', 0, 1);
      publisher.send('aac header', 0, 2);
      for (let dts = 0; dts <= 1000; dts += 100) publisher.send('aac sample', dts, 3);
      publisher.publication.goOnAs(9);
      publisher.send('aac sample', 1100, 4);
      expect(publisher.publication.epoch).toBe(hasVideo ? 1 : 9);
      for (let dts = 1200; dts <= 10_000; dts += 100) publisher.send('aac sample', dts, 5);
      expect(publisher.publication.epoch).toBe(9);
    }
  });

  test('begins with it if it had no frame yet, and with the newest of several', () => {
    const { bench, publisher, seen } = watched();
    publisher.publication.goOnAs(5);
    publisher.send('avc key', 0, 1);
    expect([publisher.publication.epoch, bench.stream.epoch]).toEqual([5, 5]);
    seen();
    publisher.publication.goOnAs(7);
    publisher.publication.goOnAs(9);
    publisher.send('avc key', 40, 2);
    expect(publisher.publication.epoch).toBe(9);
    expect(seen()).toEqual(['1 key 0', '1 key 40']);
    expect(bench.log.of('publish.new-epoch')).toHaveLength(3);
  });
});
