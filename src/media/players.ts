// The players of one stream: those that wait for a frame to start at, and the fan-outs of those that started. It closes
// those that take nothing; when a stream is flushed, and when it ends, is the stream's to say.
import type { Clock, Timer } from '../base/clock.ts';
import { every } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { FrameEncoder } from '../format/frame.ts';
import { Cursor } from './cursor.ts';
import { eraFrom, FanOut } from './fan-out.ts';
import type { FrameLog } from './frame-log.ts';
import { Player, type PlayerIdentity, type PlayerLimits, type PlayerOwner, type Sink } from './player.ts';
import { eraBase } from './timeline.ts';

const SWEEP_MS = 1000;

const STALLED: Reason = { code: 'player.stalled', message: 'the player took no byte for too long' };

export interface PlayersNeeds {
  readonly clock: Clock;
  /** Of events. */
  readonly logger: Log;
  /** Of frames. */
  readonly log: FrameLog;
  /** Has the current epoch had audio? */
  readonly hasAudio: () => boolean;
}

export class Players implements PlayerOwner {
  readonly #key: StreamKey;
  readonly #limits: PlayerLimits;
  readonly #needs: PlayersNeeds;
  /** A field of its own: each flush reads it. */
  readonly #log: FrameLog;
  /** Open fan-outs; a closed one is only known to the players that still read it out. */
  #fanOuts: FanOut[] = [];
  /** All players; without a fan-out one has not started yet. Bounded by the doors' connection limits. */
  readonly #all = new Map<Player, FanOut | undefined>();
  readonly #waiting = new Set<Player>();
  #sweepTimer: Timer | undefined;

  constructor(key: StreamKey, limits: PlayerLimits, needs: PlayersNeeds) {
    this.#key = key;
    this.#limits = limits;
    this.#needs = needs;
    this.#log = needs.log;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Adds one; it starts at the newest key frame, or waits for one. */
  add(encoder: FrameEncoder, sink: Sink, identity: PlayerIdentity): Player {
    const { clock, logger } = this.#needs;
    const deps = { cursor: new Cursor(this.#limits), owner: this, nowMs: clock.now() };
    const player = new Player(encoder, sink, identity, deps);
    logger.info({ stream: this.#key, format: encoder.format, remote: identity.remote }, 'play.start');
    this.#all.set(player, undefined);
    this.#waiting.add(player);
    this.#sweepTimer ??= every(clock, SWEEP_MS, () => this.#sweep());
    this.#startWaiting();
    return player;
  }

  /** Gives all of them what was appended. */
  flush(): void {
    let isAnyClosed = false;
    for (const fanOut of this.#fanOuts) {
      fanOut.flush();
      if (fanOut.isClosed) isAnyClosed = true;
    }
    if (isAnyClosed) this.#fanOuts = this.#fanOuts.filter((fanOut) => !fanOut.isClosed);
    this.#startWaiting();
  }

  /** Those that started end once they have all that was flushed; those that wait stay. */
  endStarted(why: Reason): void {
    for (const fanOut of this.#fanOuts) fanOut.close(why);
    this.#fanOuts = [];
  }

  end(why: Reason): void {
    for (const player of [...this.#all.keys()]) player.end(why);
  }

  drained(player: Player): void {
    this.#all.get(player)?.pump(player);
    this.#waitIfIdle(player);
  }

  left(player: Player, why: Reason): void {
    this.#all.get(player)?.remove(player);
    this.#all.delete(player);
    this.#waiting.delete(player);
    if (this.#all.size === 0) {
      this.#sweepTimer?.cancel();
      this.#sweepTimer = undefined;
    }
    this.#needs.logger.info(
      {
        stream: this.#key,
        format: player.encoder.format,
        remote: player.remote,
        reason: why.code,
        durationMs: Math.round(this.#needs.clock.now() - player.startedMs),
        bytes: player.bytesTaken - player.backlogBytes,
        skips: player.cursor.skips,
      },
      'play.end',
    );
  }

  /** Starts those that wait, if there is something to start at. */
  #startWaiting(): void {
    if (this.#waiting.size === 0) return;
    const position = this.#log.startPosition();
    const start = position === undefined ? undefined : this.#log.at(position);
    if (!start) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const player of waiting) {
      const fanOut = this.#all.get(player);
      if (fanOut) fanOut.pump(player);
      else this.#join(player, start.time);
      this.#waitIfIdle(player);
    }
  }

  #join(player: Player, startTime: number): void {
    const fanOut = this.#fanOutFor(player.encoder, eraBase(startTime));
    this.#all.set(player, fanOut);
    fanOut.join(player, { audio: this.#needs.hasAudio(), video: this.#log.hasVideo });
  }

  #waitIfIdle(player: Player): void {
    if (player.state === 'waiting' && this.#all.has(player)) this.#waiting.add(player);
  }

  #fanOutFor(encoder: FrameEncoder, base: number): FanOut {
    const open = this.#fanOuts.find((fanOut) => fanOut.encoder === encoder && fanOut.base === base);
    if (open) return open;
    const fanOut = new FanOut(encoder, this.#log, eraFrom(base));
    this.#fanOuts.push(fanOut);
    return fanOut;
  }

  /** Once a second: players that take nothing are closed with the reason. */
  #sweep(): void {
    const nowMs = this.#needs.clock.now();
    for (const player of [...this.#all.keys()]) {
      if (player.stalledMs(nowMs) >= this.#limits.stallMs) player.destroy(STALLED);
    }
  }
}
