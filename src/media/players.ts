// The players of one stream: those that wait for a frame to start at, and the fan-outs of those that started. It closes
// those that take nothing; when a stream ends is the stream's to say.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { every } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { FrameEncoder, TimedFrame } from '../format/frame.ts';
import { CatchUp, type CatchUpState } from './catch-up.ts';
import type { MediaCounters } from './counters.ts';
import { Cursor } from './cursor.ts';
import { eraFrom, type FanOut } from './fan-out.ts';
import { FanOuts } from './fan-outs.ts';
import type { FrameLog, Position } from './frame-log.ts';
import type { MemoryBudget, MemoryCharge } from './memory-budget.ts';
import { Player, type PlayerIdentity, type PlayerLimits, type PlayerOwner, type Sink } from './player.ts';
import type { SessionRegister } from './session-register.ts';
import { eraBase } from './timeline.ts';
import type { Turns } from './turns.ts';

const SWEEP_MS = 1000;
/** Where memory is short, who is behind by more stream time is closed, ms, */
const SLOW_MS = 1000;
/** unless it came in so long ago at most, ms: a start lies in the past. */
const SPARED_MS = 10_000;

const NO_MEMORY: Reason = {
  code: 'player.no-memory',
  message: 'the node is short of memory, and the player is behind the stream',
};
const STALLED: Reason = { code: 'player.stalled', message: 'the player took no byte for too long' };

export interface PlayersNeeds {
  readonly clock: Clock;
  readonly turns: Turns;
  /** Of events. */
  readonly logger: Log;
  /** Of frames. */
  readonly log: FrameLog;
  readonly counters: MediaCounters;
  /** Of what the players of a format are given. */
  readonly given: (format: string) => ByteCount;
  readonly budget: MemoryBudget;
  readonly sessions?: SessionRegister | undefined;
  /** No frame waits longer to be flushed with others, ms. */
  readonly maxDelayMs: number;
  /** Something was flushed: what is older can be evicted. */
  readonly flushed: () => void;
  /** Has the current epoch had audio? */
  readonly hasAudio: () => boolean;
}

export class Players implements PlayerOwner {
  readonly #key: StreamKey;
  readonly #limits: PlayerLimits;
  readonly #needs: PlayersNeeds;
  /** Of needs, a field of its own: each append reads it. */
  readonly #log: FrameLog;
  readonly #fanOuts: FanOuts<TimedFrame>;
  /** All players; without a fan-out one has not started yet. Bounded by the doors' connection limits. */
  readonly #all = new Map<Player, FanOut | undefined>();
  readonly #catchUp: CatchUp<Player>;
  #sweepTimer: Timer | undefined;
  /** What players that are behind have not sent, and what is kept for them. */
  readonly #backlog: MemoryCharge;

  constructor(key: StreamKey, limits: PlayerLimits, needs: PlayersNeeds) {
    this.#key = key;
    this.#limits = limits;
    this.#needs = needs;
    this.#log = needs.log;
    this.#backlog = needs.budget.charge('backlog');
    this.#catchUp = new CatchUp(needs.turns, (player) => this.#serve(player));
    const { clock, turns, log, counters, given, maxDelayMs } = needs;
    this.#fanOuts = new FanOuts({ clock, turns, log, counters, given, maxDelayMs, moved: this.#moved });
  }

  get count(): number {
    return this.#all.size;
  }

  /** All of them, as they are now. */
  get all(): Iterable<Player> {
    return this.#all.keys();
  }

  /** Up to here all was flushed; what is newer must not be evicted. */
  get mark(): Position {
    return this.#fanOuts.mark;
  }

  /** Adds one; in its turn it starts at the newest key frame, or waits for one. */
  add(encoder: FrameEncoder, sink: Sink, identity: PlayerIdentity): Player {
    const { clock, logger, counters, sessions } = this.#needs;
    const { remote } = identity;
    const session = identity.session && sessions ? sessions.free(identity.session) : identity.session;
    const deps = { cursor: new Cursor(this.#limits), owner: this, nowMs: clock.now() };
    const player = new Player(encoder, sink, { remote, session }, deps);
    logger.info({ stream: this.#key, session, format: encoder.format, remote }, 'play.start');
    sessions?.joined(this.#key, player);
    this.#all.set(player, undefined);
    counters.players += 1;
    this.#catchUp.add(player);
    this.#sweepTimer ??= every(clock, SWEEP_MS, () => this.#sweep());
    return player;
  }

  /** A frame was appended: it will be flushed. */
  appended(): void {
    this.#fanOuts.appended();
    if (this.#catchUp.hasIdle && this.#log.startPosition() !== undefined) this.#catchUp.wake();
  }

  /** Gives all that was appended to those that are live. */
  flushNow(): void {
    this.#fanOuts.flushNow();
  }

  /** Those that started end once they have all that was flushed; those that wait stay. */
  endStarted(why: Reason): void {
    this.#fanOuts.close(why);
    this.#catchUp.wake();
  }

  end(why: Reason): void {
    for (const player of [...this.#all.keys()]) player.end(why);
  }

  drained(player: Player): void {
    this.#catchUp.add(player);
  }

  settle(player: Player): void {
    this.#all.get(player)?.settle(player);
  }

  left(player: Player, why: Reason): void {
    const { logger, clock, counters, sessions } = this.#needs;
    const fanOut = this.#all.get(player);
    fanOut?.remove(player);
    this.#all.delete(player);
    this.#catchUp.remove(player);
    if (this.#all.size === 0) this.#rest();
    const { leftOut, skips } = player.cursor;
    counters.players -= 1;
    counters.countEnd(why.code);
    counters.over(player.cursor);
    sessions?.left(player, why);
    logger.info(
      {
        stream: this.#key,
        session: player.session,
        format: player.encoder.format,
        remote: player.remote,
        reason: why.code,
        durationMs: Math.round(clock.now() - player.startedMs),
        bytes: player.bytesTaken - player.backlogBytes,
        skips,
        leftOut: leftOut.disposable + leftOut.video,
      },
      'play.end',
    );
  }

  /** Nobody is left. */
  #rest(): void {
    this.#sweepTimer?.cancel();
    this.#sweepTimer = undefined;
    this.#fanOuts.stop();
    this.#backlog.hold(0);
  }

  /** Gives a player the next of the log, if it has started or can start. */
  #serve(player: Player): CatchUpState {
    const fanOut = this.#all.get(player);
    return fanOut ? fanOut.pump(player) : this.#join(player);
  }

  #join(player: Player): CatchUpState {
    const position = this.#log.startPosition();
    const start = position === undefined ? undefined : this.#log.at(position);
    if (!start) return 'idle';
    const fanOut = this.#fanOuts.open(player.encoder, eraFrom(eraBase(start.time)));
    this.#all.set(player, fanOut);
    return fanOut.join(player, { audio: this.#needs.hasAudio(), video: this.#log.hasVideo });
  }

  readonly #moved = (): void => {
    this.#catchUp.wake();
    this.#needs.flushed();
  };

  /** Once a second: who takes nothing is closed with the reason and, where memory is short, who is behind. */
  #sweep(): void {
    const nowMs = this.#needs.clock.now();
    const isShort = this.#needs.budget.closesSlow;
    let bytes = 0;
    for (const [player, fanOut] of [...this.#all]) {
      fanOut?.settle(player);
      if (player.stalledMs(nowMs) >= this.#limits.stallMs) player.destroy(STALLED);
      if (player.state !== 'behind') continue;
      // A socket does not say that it ran empty if it never held much.
      if (player.backlogBytes === 0) this.#catchUp.add(player);
      const isNew = nowMs - player.startedMs < SPARED_MS;
      if (isShort && !isNew && fanOut && fanOut.lag(player).ms > SLOW_MS) player.destroy(NO_MEMORY);
      else bytes += player.backlogBytes;
    }
    bytes += this.#fanOuts.sweep();
    if (this.#all.size > 0) this.#backlog.hold(bytes);
  }
}
