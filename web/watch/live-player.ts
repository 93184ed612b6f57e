// Plays one live stream in a video element, for as long as it is wanted: mpegts.js plays, and this reconnects when the
// stream ends, the node restarts, or the network dies quietly, none of which mpegts.js does.
import type Mpegts from 'mpegts.js';

/** Set by mpegts.js, a classic script that runs before this module. */
declare const mpegts: typeof Mpegts;

/**
 * What the reader is told. `waiting`: connected, and no new picture or sound comes. `away`: not connected, tried
 * again and again. `unplayable`: this browser can't decode the stream; tried again now and then.
 */
export type PlayState =
  | 'connecting'
  | 'playing'
  | 'waiting'
  | 'paused'
  | 'away'
  | 'unplayable'
  | 'unsupported';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5000;
/** Only another codec helps, and the page says when it sees one (`hurry`). */
const UNPLAYABLE_RETRY_MS = 30_000;
const LOOK_MS = 500;
/** Longer than a hiccup that nobody needs to be told of. */
const WAITING_MS = 2000;
/** Longer than the node waits for a slow frame, shorter than it holds a stream whose publisher is gone. */
const STUCK_MS = 12_000;
/** DOMException NotSupportedError: the browser has no decoder for it. */
const NOT_SUPPORTED = 9;
/** A join begins with the newest key frame, which may be far back: behind by more, play goes on near the live end. */
const JOIN_LATENCY_S = 3;
/** The same, later: a publisher that was frozen sends all it missed at once. Playing faster mends less than this. */
const MAX_LATENCY_S = 10;
const FROZEN_QUALITY = 0.7;

const TARGET_LATENCY_S = 0.8;

const CONFIG: Mpegts.Config = {
  enableWorker: false,
  enableStashBuffer: false,
  lazyLoad: false,
  // Play a little faster when behind: a seek would be seen.
  liveSync: true,
  liveSyncMaxLatency: 2,
  liveSyncTargetLatency: TARGET_LATENCY_S,
  autoCleanupSourceBuffer: true,
  autoCleanupMaxBackwardDuration: 60,
  autoCleanupMinBackwardDuration: 30,
};

export class LivePlayer {
  readonly #video: HTMLVideoElement;
  readonly #url: string;
  readonly #changed: () => void;
  readonly #closed = new AbortController();
  readonly #look: number;
  /** The node says that the publisher is away and its players are held: silence is no fault of the connection. */
  isHeld = false;
  #state: PlayState = 'connecting';
  #hasPlayed = false;
  #player: Mpegts.Player | undefined;
  #retryTimer = 0;
  #retryMs = FIRST_RETRY_MS;
  /** The connection has shown something. */
  #isJoined = false;
  #lastTime = 0;
  #movedMs = performance.now();

  /** @param changed called after each change of `state` */
  constructor(video: HTMLVideoElement, url: string, changed: () => void) {
    this.#video = video;
    this.#url = url;
    this.#changed = changed;
    const { signal } = this.#closed;
    video.addEventListener('pause', () => this.#paused(), { signal });
    this.#look = window.setInterval(() => this.#watch(), LOOK_MS);
    if (mpegts.isSupported()) this.#connect();
    else this.#state = 'unsupported';
  }

  get state(): PlayState {
    return this.#state;
  }

  /** Was it ever `playing`? */
  get hasPlayed(): boolean {
    return this.#hasPlayed;
  }

  close(): void {
    this.#closed.abort();
    window.clearInterval(this.#look);
    window.clearTimeout(this.#retryTimer);
    this.#drop();
    this.#video.removeAttribute('poster');
  }

  /** There is reason to believe that the next try works: it is made now, if one is due at all. */
  hurry(): void {
    if (this.#retryTimer !== 0) this.#connect();
  }

  /** Ends a pause. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#say('connecting');
    this.#connect();
  }

  #say(state: PlayState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'playing') this.#hasPlayed = true;
    this.#changed();
  }

  #connect(): void {
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#isJoined = false;
    this.#lastTime = 0;
    this.#movedMs = performance.now();
    const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: this.#url }, CONFIG);
    this.#player = player;
    // Later, as mpegts.js must not be destroyed inside its own events.
    const retry = (state: 'away' | 'unplayable') => window.setTimeout(() => this.#retry(player, state));
    player.on(mpegts.Events.LOADING_COMPLETE, () => retry('away'));
    player.on(mpegts.Events.ERROR, (_type: string, detail: string, { code }: { code?: number }) => {
      const { MEDIA_CODEC_UNSUPPORTED, MEDIA_MSE_ERROR } = mpegts.ErrorDetails;
      const isUnplayable =
        detail === MEDIA_CODEC_UNSUPPORTED || (detail === MEDIA_MSE_ERROR && code === NOT_SUPPORTED);
      retry(isUnplayable ? 'unplayable' : 'away');
    });
    player.attachMediaElement(this.#video);
    player.load();
    // Refused only where even muted videos may not start by themselves: then the reader starts it.
    Promise.resolve(player.play()).catch(() => this.#paused());
  }

  #retry(failed: Mpegts.Player, state: 'away' | 'unplayable'): void {
    if (failed !== this.#player) return;
    this.#drop();
    this.#say(state);
    // Spread, as all players of a node that restarts come back to it.
    const waitMs =
      (state === 'unplayable' ? UNPLAYABLE_RETRY_MS : this.#retryMs) * (0.75 + Math.random() / 2);
    this.#retryTimer = window.setTimeout(() => this.#connect(), waitMs);
    this.#retryMs = Math.min(this.#retryMs * 1.5, MAX_RETRY_MS);
  }

  #drop(): void {
    const player = this.#player;
    this.#player = undefined;
    this.#freeze();
    player?.destroy();
  }

  /** The last picture stays on the screen while there is none to play. */
  #freeze(): void {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth === 0) return;
    const canvas = document.createElement('canvas');
    canvas.width = videoWidth;
    canvas.height = videoHeight;
    canvas.getContext('2d')?.drawImage(this.#video, 0, 0);
    this.#video.poster = canvas.toDataURL('image/jpeg', FROZEN_QUALITY);
  }

  #keepLive(): void {
    const { buffered, currentTime } = this.#video;
    const live = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    const mostS = this.#isJoined ? MAX_LATENCY_S : JOIN_LATENCY_S;
    this.#isJoined = true;
    if (live - currentTime > mostS) this.#video.currentTime = live - TARGET_LATENCY_S;
  }

  /** The reader's pause. Nothing is loaded meanwhile: it would fill the memory, and play goes on live anyway. */
  #paused(): void {
    if (!this.#player || !this.#video.paused || this.#video.ended) return;
    this.#drop();
    this.#say('paused');
  }

  /** Is the picture moving? If not: over a gap in the buffer, or connect again. */
  #watch(): void {
    if (!this.#player) return;
    const { currentTime, buffered } = this.#video;
    const nowMs = performance.now();
    if (currentTime !== this.#lastTime) {
      this.#lastTime = currentTime;
      this.#movedMs = nowMs;
      this.#retryMs = FIRST_RETRY_MS;
      this.#keepLive();
      this.#say('playing');
      return;
    }
    for (let range = 0; range < buffered.length; range += 1) {
      // A publisher that came back leaves up to 3 s of stream time without pictures.
      if (buffered.start(range) > currentTime) {
        this.#video.currentTime = buffered.start(range) + 0.05;
        this.#lastTime = this.#video.currentTime; // Our own jump is no picture that moves.
        return;
      }
    }
    const stillMs = nowMs - this.#movedMs;
    if (this.#state === 'playing' && (this.isHeld || stillMs > WAITING_MS)) this.#say('waiting');
    if (this.isHeld) this.#movedMs = nowMs;
    else if (stillMs > STUCK_MS) this.#retry(this.#player, 'away');
  }
}
