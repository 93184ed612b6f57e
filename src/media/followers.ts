// The followers of one stream: readers that copy its log to other nodes. They read on through hold and into new epochs,
// and are never closed for being slow: frames are left out for them instead.
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, LoggedFrame } from '../format/frame.ts';
import { CatchUp, type CatchUpState } from './catch-up.ts';
import type { MediaCounters } from './counters.ts';
import { ExactCursor, type Resume } from './exact-cursor.ts';
import { FanOut, WHOLE_LOG } from './fan-out.ts';
import type { FrameLog, Position } from './frame-log.ts';
import { Player, type PlayerIdentity, type PlayerOwner, type Sink } from './player.ts';
import type { Turns } from './turns.ts';

export interface FollowersNeeds {
  readonly clock: Clock;
  readonly turns: Turns;
  /** Of frames. */
  readonly log: FrameLog;
  readonly counters: MediaCounters;
  /** No frame waits longer to be flushed with others, ms. */
  readonly maxDelayMs: number;
  /** Something was flushed: what is older can be evicted. */
  readonly flushed: () => void;
}

export class Followers implements PlayerOwner<LoggedFrame> {
  readonly #needs: FollowersNeeds;
  readonly #fanOuts: FanOut<LoggedFrame>[] = [];
  /** Bounded by who lets them in (design §6, trees). */
  readonly #all = new Map<Player<LoggedFrame>, FanOut<LoggedFrame>>();
  readonly #catchUp: CatchUp<Player<LoggedFrame>>;

  constructor(needs: FollowersNeeds) {
    this.#needs = needs;
    this.#catchUp = new CatchUp(needs.turns, (follower) => this.#serve(follower));
  }

  get count(): number {
    return this.#all.size;
  }

  /** All of them, as they are now. */
  get all(): Iterable<Player<LoggedFrame>> {
    return this.#all.keys();
  }

  /** Up to here all was flushed; what is newer must not be evicted. */
  get mark(): Position {
    let lowest = this.#needs.log.next;
    for (const { mark } of this.#fanOuts) lowest = Math.min(lowest, mark);
    return lowest;
  }

  /** Adds one; it is given what is there. */
  add(
    encoder: FrameEncoder<LoggedFrame>,
    sink: Sink,
    identity: PlayerIdentity,
    resume: Resume | undefined,
  ): Player<LoggedFrame> {
    const deps = { cursor: new ExactCursor(resume), owner: this, nowMs: this.#needs.clock.now() };
    const follower = new Player<LoggedFrame>(encoder, sink, identity, deps);
    this.#all.set(follower, this.#fanOutFor(encoder));
    this.drained(follower);
    return follower;
  }

  /** A frame was appended: it will be flushed. */
  appended(): void {
    for (const fanOut of this.#fanOuts) fanOut.appended();
  }

  /** Gives all that was appended to those that are live. */
  flushNow(): void {
    for (const fanOut of this.#fanOuts) fanOut.flushNow();
  }

  /** At once: whose turn it is on a link that others share, the link says. */
  drained(follower: Player<LoggedFrame>): void {
    this.#catchUp.settle(follower, this.#serve(follower));
  }

  left(follower: Player<LoggedFrame>): void {
    const { counters } = this.#needs;
    const { leftOut, skips } = follower.cursor;
    counters.leftOutDisposable += leftOut.disposable;
    counters.leftOutVideo += leftOut.video;
    counters.skips += skips;
    this.#all.get(follower)?.remove(follower);
    this.#all.delete(follower);
    this.#catchUp.remove(follower);
    if (this.#all.size > 0) return;
    for (const fanOut of this.#fanOuts) fanOut.stop();
    this.#fanOuts.length = 0;
  }

  end(why: Reason): void {
    for (const follower of [...this.#all.keys()]) follower.end(why);
  }

  #serve(follower: Player<LoggedFrame>): CatchUpState {
    return this.#all.get(follower)?.pump(follower) ?? 'done';
  }

  readonly #moved = (): void => {
    this.#catchUp.wake();
    this.#needs.flushed();
  };

  #fanOutFor(encoder: FrameEncoder<LoggedFrame>): FanOut<LoggedFrame> {
    const open = this.#fanOuts.find((fanOut) => fanOut.encoder === encoder);
    if (open) return open;
    const { clock, turns, log, counters, maxDelayMs } = this.#needs;
    const fanOut = new FanOut(encoder, WHOLE_LOG, {
      ...{ clock, turns, log, maxDelayMs },
      counters: counters.of(encoder.format),
      moved: this.#moved,
    });
    this.#fanOuts.push(fanOut);
    return fanOut;
  }
}
