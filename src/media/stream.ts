// One stream: its source, its log, its readers, its hold and its end. It knows no socket and no peer.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { codecName } from '../format/codec.ts';
import {
  type Frame,
  type FrameEncoder,
  FrameKind,
  type LoggedFrame,
  type Run,
  type Tracks,
} from '../format/frame.ts';
import type { MediaCounters } from './counters.ts';
import type { Resume } from './exact-cursor.ts';
import { Followers } from './followers.ts';
import { FrameLog, headersIn, type LogLimits, NO_HEADERS, type TrackHeaders } from './frame-log.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { Pace } from './pace.ts';
import type { Player, PlayerIdentity, PlayerLimits, Sink } from './player.ts';
import { Players } from './players.ts';
import type { SessionRegister } from './session-register.ts';
import { StreamMeter } from './stream-meter.ts';
import { TakeoverLimit } from './takeover.ts';
import { Timeline } from './timeline.ts';
import type { Turns } from './turns.ts';

/** What appends to a stream: a publication, or an upstream. Exactly one at a time. */
export interface StreamSource {
  /** Of what it appends; 0: not known yet. */
  readonly epoch: number;
  /** Ms since it last had a frame. */
  silentMs(nowMs: number): number;
  /** The stream has a newer source, or ends: this one is done. It does not detach itself. */
  displace(why: Reason): void;
}

export interface StreamOptions {
  readonly log: LogLimits;
  readonly player: PlayerLimits;
  /** The longest that a frame may wait to be flushed with others, ms. */
  readonly maxDelayMs: number;
}

export interface StreamNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: MemoryBudget;
  readonly turns: Turns;
  readonly counters: MediaCounters;
  /** What players of a format are given of a stream is added to this count; undefined: nobody asks. */
  readonly given?: ((key: StreamKey, format: string) => ByteCount) | undefined;
  /** Told of its players; undefined: nobody is. */
  readonly sessions?: SessionRegister | undefined;
  /** It went live, into hold, or ended: forget it then. */
  readonly changed: (stream: Stream) => void;
}

export type StreamState =
  | { readonly at: 'idle' }
  | { readonly at: 'live'; readonly source: StreamSource; readonly sinceMs: number }
  | {
      readonly at: 'held';
      readonly why: Reason;
      readonly sinceMs: number;
      readonly untilMs: number;
      readonly timer: Timer;
    }
  | { readonly at: 'ended'; readonly why: Reason };

/** Codec names of the tracks of the current epoch (format/codec.ts). */
export interface Codecs {
  readonly video: string | undefined;
  readonly audio: string | undefined;
}

const CODEC_CHANGED: Reason = {
  code: 'stream.codec-changed',
  message: 'the publisher came back with another codec: connect again',
};
const HOLD_OVER: Reason = { code: 'stream.hold-over', message: 'the publisher did not come back' };

export class Stream {
  readonly key: StreamKey;
  /** Asked before a publisher displaces another. */
  readonly takeovers = new TakeoverLimit();
  /** What came of it. */
  readonly meter = new StreamMeter();
  readonly #clock: Clock;
  readonly #changed: (stream: Stream) => void;
  readonly #log: FrameLog;
  readonly #timeline = new Timeline();
  readonly #pace: Pace;
  #state: StreamState = { at: 'idle' };
  #epoch = 0;
  /** Of each track's newest frame, whatever its epoch. */
  #codecs: Codecs = { video: undefined, audio: undefined };
  /** The tracks that the current epoch has had. */
  #tracks: Tracks = { audio: false, video: false };
  readonly #players: Players;
  readonly #followers: Followers;

  constructor(key: StreamKey, options: StreamOptions, needs: StreamNeeds) {
    this.key = key;
    this.#clock = needs.clock;
    this.#changed = needs.changed;
    const { clock, turns, counters, budget } = needs;
    this.#log = new FrameLog(options.log, budget);
    const shared = {
      clock,
      turns,
      counters,
      budget,
      log: this.#log,
      maxDelayMs: options.maxDelayMs,
      flushed: () => this.trim(),
    };
    this.#players = new Players(key, options.player, {
      ...{ ...shared, logger: needs.log, sessions: needs.sessions },
      given: (format) => needs.given?.(key, format) ?? { bytes: 0 },
      hasAudio: () => this.#tracks.audio,
    });
    this.#followers = new Followers(shared);
    this.#pace = new Pace(clock.now());
  }

  get state(): StreamState {
    return this.#state;
  }

  /** The highest epoch that ever fed this stream; 0 if none did. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Of the tracks that the current epoch has. */
  get codecs(): Codecs {
    return {
      video: this.#tracks.video ? this.#codecs.video : undefined,
      audio: this.#tracks.audio ? this.#codecs.audio : undefined,
    };
  }

  /** Followers not counted. */
  get playerCount(): number {
    return this.#players.count;
  }

  /** Its players and followers, as they are now. */
  get readers(): Iterable<Pick<Player, 'state' | 'cursor' | 'bytesTaken' | 'backlogBytes' | 'remote'>> {
    return [...this.#players.all, ...this.#followers.all];
  }

  get followerCount(): number {
    return this.#followers.count;
  }

  /** Epoch and seq of the newest frame; undefined if there was none. */
  get head(): { readonly epoch: number; readonly seq: number } | undefined {
    return this.#log.headSeq;
  }

  /** The oldest seq of the current epoch that its log keeps. */
  get oldestSeq(): number | undefined {
    return this.#log.oldestSeq;
  }

  /** The usual pause between frames of all tracks, ms of real time; 0 if not known yet. */
  get usualIntervalMs(): number {
    return this.#pace.usualIntervalMs;
  }

  /** Ms since the last frame, or since it was made. */
  silentMs(nowMs: number): number {
    return this.#pace.silentMs(nowMs);
  }

  /** What is left of the hold, ms; 0 if it is not held. */
  holdLeftMs(nowMs: number): number {
    return this.#state.at === 'held' ? Math.max(0, this.#state.untilMs - nowMs) : 0;
  }

  /** Media bytes that its log holds. */
  get logBytes(): number {
    return this.#log.bytes;
  }

  /** The newest metadata and decoder set-up that the current epoch had. */
  get setUp(): readonly Frame[] {
    return headersIn(this.headers);
  }

  /** The same, by track; another object each time that one of them changes. */
  get headers(): TrackHeaders {
    return this.#log.head?.headers ?? NO_HEADERS;
  }

  /**
   * Takes a source in place of the one before. Its frames may come after `begin`; or at once, if they go on with the run
   * that the stream is in.
   */
  attach(source: StreamSource, why: Reason): void {
    const before = this.#state;
    this.#state = { at: 'live', source, sinceMs: this.#clock.now() };
    if (before.at === 'held') before.timer.cancel();
    if (before.at === 'live') before.source.displace(why);
    this.#epoch = Math.max(this.#epoch, source.epoch);
    this.#log.closeToJoiners();
    this.#pace.restart();
    this.meter.attached();
    this.#changed(this);
  }

  /**
   * The attached source begins a run, and its first frames follow: they are spliced to what players have received. A run
   * of the same epoch is a timeline that broke: decoder set-up stays known.
   */
  begin(run: Run): void {
    const isEpoch = run.epoch !== this.#log.run.epoch;
    this.#epoch = Math.max(this.#epoch, run.epoch);
    this.meter.begin(run, isEpoch);
    this.#timeline.splice(run.firstDts, this.#clock.now(), run.newestDts);
    this.#log.begin(run);
    if (isEpoch) this.#tracks = { audio: false, video: false };
  }

  /**
   * Appends a frame of the attached source's run; it is flushed within `maxDelayMs`. Its seq is above the one before it:
   * what lies between was dropped on purpose.
   */
  append(frame: Frame): void {
    const nowMs = this.#clock.now();
    const follows = frame.role === 'header' || frame.kind === FrameKind.data;
    const time = follows
      ? this.#timeline.follow(frame.kind, frame.dts)
      : this.#timeline.place(frame.kind, frame.dts, nowMs);
    this.#pace.arrived(nowMs);
    this.meter.appended(frame, nowMs);
    this.#enter(frame, time, nowMs, false);
  }

  /** Appends decoder set-up from before the run that was begun: its seq is no place in the row. */
  appendSetUp(frame: Frame): void {
    this.#enter(frame, this.#timeline.follow(frame.kind, frame.dts), this.#clock.now(), true);
  }

  #enter(frame: Frame, time: number, nowMs: number, isSetUp: boolean): void {
    this.#followCodec(frame);
    this.#log.append(frame, time, nowMs, isSetUp);
    this.#players.appended();
    this.#followers.appended();
    this.trim();
  }

  /** Lets the log evict what is over its bounds; what is not flushed yet stays. */
  trim(): void {
    this.#log.trim(Math.min(this.#players.mark, this.#followers.mark));
  }

  /** The source is gone: players are held until another comes or `holdMs` are over. */
  detach(source: StreamSource, why: Reason, holdMs: number): void {
    if (this.#state.at !== 'live' || this.#state.source !== source) return;
    this.#flush();
    this.#log.closeToJoiners();
    // Without a frame and without a player there is nothing to hold, but a key that others may need.
    if (this.#log.next === 0 && this.#players.count === 0 && this.#followers.count === 0) {
      this.end(why);
      return;
    }
    const timer = this.#clock.after(holdMs, () => this.end(HOLD_OVER));
    const sinceMs = this.#clock.now();
    this.#state = { at: 'held', why, sinceMs, untilMs: sinceMs + holdMs, timer };
    this.#changed(this);
  }

  /** Adds a player; it starts at the newest key frame, or waits for one. */
  play(encoder: FrameEncoder, sink: Sink, identity: PlayerIdentity): Player {
    const player = this.#players.add(encoder, sink, identity);
    if (this.#state.at === 'ended') player.end(this.#state.why);
    return player;
  }

  /**
   * Adds a reader that copies the log, frame by frame, until the stream ends. It goes on at `resume`; without it, or where
   * frames that it lacks are not kept, it starts as a player does. It is not logged.
   */
  follow(
    encoder: FrameEncoder<LoggedFrame>,
    sink: Sink,
    identity: PlayerIdentity,
    resume?: Resume,
  ): Player<LoggedFrame> {
    const follower = this.#followers.add(encoder, sink, identity, resume);
    if (this.#state.at === 'ended') follower.end(this.#state.why);
    return follower;
  }

  /** Ends its players; source and followers go on. */
  endPlayers(why: Reason): void {
    this.#flush();
    this.#players.end(why);
  }

  /** Ends it for its source and all its players, and lets its memory go. Calm when repeated. */
  end(why: Reason): void {
    const before = this.#state;
    if (before.at === 'ended') return;
    this.#flush();
    this.#state = { at: 'ended', why };
    if (before.at === 'held') before.timer.cancel();
    if (before.at === 'live') before.source.displace(why);
    this.#players.end(why);
    this.#followers.end(why);
    this.#log.clear();
    this.#changed(this);
  }

  /** A changed codec is a new stream to a decoder: today's players end, the next start with it. */
  #followCodec(frame: Frame): void {
    if (frame.kind === FrameKind.data) return;
    const track = frame.kind === FrameKind.video ? 'video' : 'audio';
    if (!this.#tracks[track]) this.#tracks = { ...this.#tracks, [track]: true };
    const codec = codecName(frame.kind, frame.payload);
    const before = this.#codecs[track];
    if (codec === undefined || codec === before) return;
    this.#codecs = { ...this.#codecs, [track]: codec };
    if (before === undefined) return;
    this.#flush();
    this.#players.endStarted(CODEC_CHANGED);
    this.#log.closeToJoiners();
    this.#log.forgetHeader(frame.kind);
  }

  #flush(): void {
    this.#players.flushNow();
    this.#followers.flushNow();
  }
}
