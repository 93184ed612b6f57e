import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import { FakePublisher, type FakeSink, StreamBench } from '../../support/media.ts';

const { video, audio } = FrameKind;

/** An Enhanced RTMP message with an id at its end. */
function enhanced(head: readonly number[], fourCc: string, more: readonly number[], id: number): Buffer {
  return Buffer.from([...head, ...Buffer.from(fourCc), ...more, 0, 0, 0, id]);
}

const header = (id: number) => enhanced([0x90], 'hvc1', [], id);
const colour = (id: number) => enhanced([0x94], 'hvc1', [], id);
const key = (id: number) => enhanced([0x93], 'hvc1', [], id);
const delta = (id: number) => enhanced([0xa3], 'hvc1', [], id);
const otherHeader = (track: number, id: number) => enhanced([0x96, 0x00], 'av01', [track], id);
const otherKey = (track: number, id: number) => enhanced([0x96, 0x03], 'av01', [track], id);
const audioHeader = (id: number) => enhanced([0x90], 'Opus', [], id);
const channelOrder = (id: number) => enhanced([0x94], 'Opus', [], id);
const otherAudioHeader = (track: number, id: number) => enhanced([0x95, 0x00], 'Opus', [track], id);
const sound = (id: number) => enhanced([0x91], 'Opus', [], id);

function bench() {
  const stream = new StreamBench();
  const publisher = new FakePublisher(stream);
  return {
    stream,
    send(kind: FrameKind, timestamp: number, ...payloads: Buffer[]): void {
      for (const payload of payloads) publisher.publication.append(kind, timestamp, payload);
      stream.clock.turn();
    },
    join(): FakeSink {
      const sink = stream.play();
      stream.clock.turn();
      return sink;
    },
  };
}

function ids(sink: FakeSink): (number | undefined)[] {
  return sink.frames.map(({ payload }) => payload.at(-1));
}

describe('set-up of further tracks', () => {
  test('that comes before the first key frame reaches those who wait and those who join later', () => {
    const { send, join } = bench();
    const early = join();
    send(video, 0, header(1), colour(2), otherHeader(1, 3));
    send(audio, 0, audioHeader(4), channelOrder(5), otherAudioHeader(1, 6));
    send(video, 40, key(10), otherKey(1, 11));
    const late = join();
    send(video, 80, delta(12));
    expect(ids(early)).toEqual([1, 4, 2, 3, 5, 6, 10, 11, 12]);
    expect(ids(late)).toEqual(ids(early));
    expect(early.times).toEqual([40, 40, 40, 40, 40, 40, 40, 40, 80]);
  });

  test('in mid-stream passes in its order, moves no time, and its newest is what joiners get', () => {
    const { send, join } = bench();
    send(video, 0, header(1), otherHeader(1, 2));
    send(video, 0, key(10));
    const early = join();
    send(video, 0, otherHeader(1, 3)); // Time 0, as encoders stamp set-up.
    send(video, 40, delta(11));
    send(video, 80, key(12));
    const late = join();
    expect(ids(early)).toEqual([1, 2, 10, 3, 11, 12]);
    expect(early.times).toEqual([0, 0, 0, 0, 40, 80]);
    expect(ids(late)).toEqual([1, 3, 12]);
  });

  test('equal set-up of a track is not sent twice, over a restart either', () => {
    const stream = new StreamBench();
    const sink = stream.play();
    for (const round of [1, 2]) {
      const { publication } = new FakePublisher(stream);
      for (const payload of [header(1), otherHeader(1, 2), otherHeader(2, 2 + round)])
        publication.append(video, 0, payload);
      publication.append(video, 0, key(10 * round));
      stream.clock.pass(1000);
    }
    expect(ids(sink)).toEqual([1, 2, 3, 10, 4, 20]);
  });

  test('is kept for at most 32 slots; what is beyond still passes', () => {
    const { send, join } = bench();
    send(video, 0, header(1), key(2));
    const early = join();
    for (let track = 1; track <= 40; track += 1) send(video, 0, otherHeader(track, 100 + track));
    send(video, 40, key(3));
    expect(early.frames).toHaveLength(2 + 40 + 1);
    expect(join().frames).toHaveLength(1 + 32 + 1);
  });

  test('of audio reaches joiners of a stream without video', () => {
    const { send, join } = bench();
    send(audio, 0, audioHeader(1), otherAudioHeader(1, 2));
    for (let at = 0; at <= 1000; at += 20) send(audio, at, sound(at & 0x7f));
    expect(ids(join()).slice(0, 2)).toEqual([1, 2]);
  });
});
