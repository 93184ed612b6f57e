// The fan-outs that one kind of a stream's readers has: one for each wire format and way of serving it, opened when it is
// wanted first. It knows no reader.
import type { ByteCount } from '../base/byte-count.ts';
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, TimedFrame } from '../format/frame.ts';
import type { MediaCounters } from './counters.ts';
import { FanOut, type FanOutNeeds, type Serving } from './fan-out.ts';
import type { Position } from './frame-log.ts';

export interface FanOutsNeeds extends Omit<FanOutNeeds, 'counters' | 'given'> {
  readonly counters: MediaCounters;
  /** Of what the players of a format are given. */
  readonly given: (format: string) => ByteCount;
}

export class FanOuts<F extends TimedFrame> {
  readonly #needs: FanOutsNeeds;
  /** Open ones; a closed one is only known to those who still read it out. */
  #open: FanOut<F>[] = [];

  constructor(needs: FanOutsNeeds) {
    this.#needs = needs;
  }

  /** Up to here all was flushed; what is newer must not be evicted. */
  get mark(): Position {
    let lowest = this.#needs.log.next;
    for (const fanOut of this.#open) if (!fanOut.isClosed) lowest = Math.min(lowest, fanOut.mark);
    return lowest;
  }

  /** The one of this format that serves from the same base. */
  open(encoder: FrameEncoder<F>, serving: Serving<F>): FanOut<F> {
    this.#forgetClosed();
    const known = this.#open.find((fanOut) => fanOut.encoder === encoder && fanOut.base === serving.base);
    if (known) return known;
    const counters = this.#needs.counters.of(encoder.format);
    const given = this.#needs.given(encoder.format);
    const fanOut = new FanOut(encoder, serving, { ...this.#needs, counters, given });
    this.#open.push(fanOut);
    return fanOut;
  }

  /** A frame was appended: it will be flushed. */
  appended(): void {
    for (const fanOut of this.#open) fanOut.appended();
  }

  /** Gives all that was appended to those that are live. */
  flushNow(): void {
    for (const fanOut of this.#open) fanOut.flushNow();
  }

  /** Nothing more will come of those that are open now. */
  close(why: Reason): void {
    for (const fanOut of this.#open) fanOut.close(why);
    this.#open = [];
  }

  /** Nobody is left to be served. */
  stop(): void {
    for (const fanOut of this.#open) fanOut.stop();
    this.#open = [];
  }

  /** Lets go of what nobody was given since the last time. Answers what is kept, bytes. */
  sweep(): number {
    this.#forgetClosed();
    let bytes = 0;
    for (const fanOut of this.#open) {
      fanOut.sweep();
      bytes += fanOut.stretchBytes;
    }
    return bytes;
  }

  /** One that came to its end time closed itself. */
  #forgetClosed(): void {
    this.#open = this.#open.filter((fanOut) => !fanOut.isClosed);
  }
}
