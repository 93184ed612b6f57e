// The followers of one stream: readers that copy its log to other nodes. They read on through hold and into new epochs,
// and are never closed for being slow: frames are left out for them instead.
import type { Reason } from '../base/errors.ts';
import type { FrameEncoder, LoggedFrame } from '../format/frame.ts';
import { ExactCursor, type Resume } from './exact-cursor.ts';
import { FanOut, WHOLE_LOG } from './fan-out.ts';
import type { FrameLog } from './frame-log.ts';
import { Player, type PlayerIdentity, type PlayerOwner, type Sink } from './player.ts';

export class Followers implements PlayerOwner<LoggedFrame> {
  readonly #log: FrameLog;
  readonly #fanOuts: FanOut<LoggedFrame>[] = [];
  /** Bounded by who lets them in (design §6, trees). */
  readonly #all = new Map<Player<LoggedFrame>, FanOut<LoggedFrame>>();

  constructor(log: FrameLog) {
    this.#log = log;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Adds one; it is given what is there. */
  add(
    encoder: FrameEncoder<LoggedFrame>,
    sink: Sink,
    identity: PlayerIdentity,
    { resume, nowMs }: { resume: Resume | undefined; nowMs: number },
  ): Player<LoggedFrame> {
    const cursor = new ExactCursor(resume);
    const follower = new Player<LoggedFrame>(encoder, sink, identity, { cursor, owner: this, nowMs });
    const fanOut = this.#fanOutFor(encoder);
    this.#all.set(follower, fanOut);
    fanOut.pump(follower);
    return follower;
  }

  /** Gives all of them what was appended. */
  flush(): void {
    if (this.#all.size === 0) return;
    for (const fanOut of this.#fanOuts) fanOut.flush();
    for (const [follower, fanOut] of this.#all) if (follower.state === 'waiting') fanOut.pump(follower);
  }

  drained(follower: Player<LoggedFrame>): void {
    this.#all.get(follower)?.pump(follower);
  }

  left(follower: Player<LoggedFrame>): void {
    const fanOut = this.#all.get(follower);
    fanOut?.remove(follower);
    this.#all.delete(follower);
    if (this.#all.size === 0) this.#fanOuts.length = 0;
  }

  end(why: Reason): void {
    for (const follower of [...this.#all.keys()]) follower.end(why);
  }

  #fanOutFor(encoder: FrameEncoder<LoggedFrame>): FanOut<LoggedFrame> {
    const open = this.#fanOuts.find((fanOut) => fanOut.encoder === encoder);
    if (open) return open;
    const fanOut = new FanOut(encoder, this.#log, WHOLE_LOG);
    this.#fanOuts.push(fanOut);
    return fanOut;
  }
}
