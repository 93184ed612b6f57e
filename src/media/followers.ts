// The followers of one stream: readers that copy its log to other nodes. They read on through hold and into new epochs,
// and are never closed for being slow: frames are left out for them instead.
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, LoggedFrame } from '../format/frame.ts';
import { CatchUp, type CatchUpState } from './catch-up.ts';
import type { MediaCounters } from './counters.ts';
import { ExactCursor, type Resume } from './exact-cursor.ts';
import { type FanOut, WHOLE_LOG } from './fan-out.ts';
import { FanOuts } from './fan-outs.ts';
import type { FrameLog, Position } from './frame-log.ts';
import type { MemoryBudget, MemoryCharge } from './memory-budget.ts';
import { Player, type PlayerIdentity, type PlayerOwner, type Sink } from './player.ts';
import type { Turns } from './turns.ts';

const SWEEP_MS = 1000;

export interface FollowersNeeds {
  readonly clock: Clock;
  readonly turns: Turns;
  /** Of frames. */
  readonly log: FrameLog;
  readonly counters: MediaCounters;
  readonly budget: MemoryBudget;
  /** No frame waits longer to be flushed with others, ms. */
  readonly maxDelayMs: number;
  /** Something was flushed: what is older can be evicted. */
  readonly flushed: () => void;
}

export class Followers implements PlayerOwner<LoggedFrame> {
  readonly #needs: FollowersNeeds;
  readonly #fanOuts: FanOuts<LoggedFrame>;
  /** Bounded by who lets them in (design §6, trees). */
  readonly #all = new Map<Player<LoggedFrame>, FanOut<LoggedFrame>>();
  readonly #catchUp: CatchUp<Player<LoggedFrame>>;
  #sweepTimer: Timer | undefined;
  /** What is kept for those who catch up. */
  readonly #backlog: MemoryCharge;

  constructor(needs: FollowersNeeds) {
    this.#needs = needs;
    this.#backlog = needs.budget.charge('backlog');
    this.#catchUp = new CatchUp(needs.turns, (follower) => this.#serve(follower));
    const { clock, turns, log, counters, maxDelayMs } = needs;
    // Each follower counts what it is given, by where it goes.
    const given = () => ({ bytes: 0 });
    this.#fanOuts = new FanOuts({ clock, turns, log, counters, given, maxDelayMs, moved: this.#moved });
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
    return this.#fanOuts.mark;
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
    this.#all.set(follower, this.#fanOuts.open(encoder, WHOLE_LOG));
    this.#sweepTimer ??= every(this.#needs.clock, SWEEP_MS, () => this.#backlog.hold(this.#fanOuts.sweep()));
    this.drained(follower);
    return follower;
  }

  /** A frame was appended: it will be flushed. */
  appended(): void {
    this.#fanOuts.appended();
  }

  /** Gives all that was appended to those that are live. */
  flushNow(): void {
    this.#fanOuts.flushNow();
  }

  /** At once: whose turn it is on a link that others share, the link says. */
  drained(follower: Player<LoggedFrame>): void {
    this.#catchUp.remove(follower);
    this.#catchUp.settle(follower, this.#serve(follower));
  }

  settle(follower: Player<LoggedFrame>): void {
    this.#all.get(follower)?.settle(follower);
  }

  left(follower: Player<LoggedFrame>): void {
    this.#needs.counters.over(follower.cursor);
    this.#all.get(follower)?.remove(follower);
    this.#all.delete(follower);
    this.#catchUp.remove(follower);
    if (this.#all.size === 0) this.#rest();
  }

  /** Nobody is left. */
  #rest(): void {
    this.#sweepTimer?.cancel();
    this.#sweepTimer = undefined;
    this.#fanOuts.stop();
    this.#backlog.hold(0);
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
}
