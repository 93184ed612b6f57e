// Another node's view of a log: what it is given must be a copy, but for what is announced.
import type { Reason } from '../../src/base/errors.ts';
import type { FrameEncoder, LoggedFrame } from '../../src/format/frame.ts';
import type { Player, Sink } from '../../src/media/player.ts';
import type { Stream } from '../../src/media/stream.ts';
import type { SinkEnd } from './media.ts';

/** Believes what it is given, as a node would; throws where that breaks the row without a word. */
export class LogCopy {
  readonly frames: LoggedFrame[] = [];
  #epoch = 0;
  #lastSeq = 0;
  /** [epoch, seq] of the newest frame in the row. */
  #newest: readonly [number, number] = [0, 0];

  take(given: LoggedFrame): void {
    const { frame, run, opens, isSetUp, afterSeq } = given;
    const what = `${isSetUp ? 'set-up ' : ''}${run.epoch}:${frame.seq}`;
    if (this.frames.length === 0 && !opens) throw new Error(`${what} came first and opens no run`);
    this.frames.push(given);
    if (opens) {
      this.#epoch = run.epoch;
      this.#lastSeq = run.from - 1;
    }
    if (run.epoch !== this.#epoch) throw new Error(`${what} is of an epoch that was not opened`);
    if (isSetUp) {
      if (frame.role !== 'header' && frame.role !== 'metadata') throw new Error(`${what} is no set-up`);
      return;
    }
    const [epoch, seq] = this.#newest;
    if (run.epoch < epoch || (run.epoch === epoch && frame.seq <= seq)) {
      throw new Error(`${what} came after ${epoch}:${seq}`);
    }
    if (afterSeq !== this.#lastSeq) {
      throw new Error(`${what} says that it follows ${afterSeq}, but ${this.#lastSeq} was the last`);
    }
    this.#newest = [run.epoch, frame.seq];
    this.#lastSeq = frame.seq;
  }

  /** Of the frames in the row. */
  get seqs(): number[] {
    return this.frames.flatMap(({ frame, isSetUp }) => (isSetUp ? [] : [frame.seq]));
  }

  /** Where it would go on. */
  get resume(): { epoch: number; from: number } {
    return { epoch: this.#epoch, from: this.#lastSeq + 1 };
  }
}

/** A format whose bytes are as many as the payloads', and that remembers what they stand for. */
export class FollowEncoder implements FrameEncoder<LoggedFrame> {
  readonly format = 'mesh';
  encodeCount = 0;
  readonly #batches = new WeakMap<Buffer, readonly LoggedFrame[]>();

  open(): Buffer {
    throw new Error('a follower has no opening');
  }

  encode(batch: readonly LoggedFrame[], base: number): Buffer {
    if (base !== 0) throw new Error(`a base of ${base} was asked for`);
    if (batch.length === 0) throw new Error('an empty batch was encoded');
    this.encodeCount += 1;
    const bytes = Buffer.alloc(batch.reduce((sum, { frame }) => sum + frame.payload.length, 0));
    this.#batches.set(bytes, [...batch]);
    return bytes;
  }

  decode(bytes: Buffer): readonly LoggedFrame[] {
    return this.#batches.get(bytes) ?? [];
  }
}

/** Another node's end of a link: it copies what it gets. */
export class FollowSink implements Sink {
  readonly copy = new LogCopy();
  readonly buffers: Buffer[] = [];
  readonly ends: SinkEnd[] = [];
  player: Player | undefined;
  backlogBytes = 0;
  readonly #encoder: FollowEncoder;
  readonly #mode: 'fast' | 'by-hand';
  readonly #onFrame: (given: LoggedFrame) => void;

  constructor(
    encoder: FollowEncoder,
    mode: 'fast' | 'by-hand' = 'fast',
    onFrame: (given: LoggedFrame) => void = () => {},
  ) {
    this.#encoder = encoder;
    this.#mode = mode;
    this.#onFrame = onFrame;
  }

  write(bytes: Buffer): boolean {
    if (this.ends.length > 0) throw new Error('bytes were written to a sink that is over');
    this.buffers.push(bytes);
    if (this.#mode === 'by-hand') this.backlogBytes += bytes.length;
    for (const given of this.#encoder.decode(bytes)) {
      this.copy.take(given);
      this.#onFrame(given);
    }
    return this.backlogBytes === 0;
  }

  end(why: Reason): void {
    this.ends.push({ how: 'end', code: why.code });
  }

  destroy(why: Reason): void {
    this.ends.push({ how: 'destroy', code: why.code });
  }

  drain(): void {
    this.backlogBytes = 0;
    this.player?.drained();
  }

  drainAll(): void {
    for (let before = -1; before !== this.buffers.length; ) {
      before = this.buffers.length;
      this.drain();
    }
  }
}

/** A node's upstream, in short: what a follower is given goes into another node's stream. */
export function relayTo(stream: Stream): (given: LoggedFrame) => void {
  return ({ frame, run, opens, isSetUp }) => {
    const { head } = stream;
    const goesOn = head?.epoch === run.epoch && head.seq + 1 === run.from;
    if (opens && !goesOn) stream.begin(run);
    if (isSetUp) stream.appendSetUp(frame);
    else stream.append(frame);
  };
}
