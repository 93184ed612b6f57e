// Plays one live stream in a video element, for as long as it is wanted: mpegts.js plays, and this reconnects when the
// stream ends, the node restarts, or the network dies quietly, none of which mpegts.js does.
import type Mpegts from 'mpegts.js';

/** Set by mpegts.js, a classic script that runs before this module. */
declare const mpegts: typeof Mpegts;

/** What the reader is told. */
export type PlayState = 'connecting' | 'playing' | 'away' | 'unsupported';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5000;
const LOOK_MS = 500;
/** Longer than the node waits for a slow frame, shorter than it holds a stream whose publisher is gone. */
const STUCK_MS = 12_000;

const CONFIG: Mpegts.Config = {
  enableWorker: false,
  enableStashBuffer: false,
  lazyLoad: false,
  // Play a little faster when behind: a seek would be seen.
  liveSync: true,
  liveSyncMaxLatency: 2,
  liveSyncTargetLatency: 0.8,
  autoCleanupSourceBuffer: true,
  autoCleanupMaxBackwardDuration: 60,
  autoCleanupMinBackwardDuration: 30,
};

export class LivePlayer {
  readonly #video: HTMLVideoElement;
  readonly #url: string;
  readonly #changed: (state: PlayState) => void;
  readonly #look: number;
  #player: Mpegts.Player | undefined;
  #retryTimer = 0;
  #retryMs = FIRST_RETRY_MS;
  #lastTime = 0;
  #movedMs = performance.now();

  constructor(video: HTMLVideoElement, url: string, changed: (state: PlayState) => void) {
    this.#video = video;
    this.#url = url;
    this.#changed = changed;
    this.#look = window.setInterval(() => this.#watch(), LOOK_MS);
    this.#connect();
  }

  close(): void {
    window.clearInterval(this.#look);
    window.clearTimeout(this.#retryTimer);
    this.#drop();
  }

  #connect(): void {
    if (!mpegts.isSupported()) {
      this.#changed('unsupported');
      return;
    }
    this.#changed('connecting');
    this.#movedMs = performance.now();
    const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: this.#url }, CONFIG);
    this.#player = player;
    // Later, as mpegts.js must not be destroyed inside its own events.
    const over = () => window.setTimeout(() => this.#retry(player));
    player.on(mpegts.Events.ERROR, over);
    player.on(mpegts.Events.LOADING_COMPLETE, over);
    player.attachMediaElement(this.#video);
    player.load();
    // Refused only where even muted videos may not start by themselves; the controls are there for that.
    Promise.resolve(player.play()).catch(() => undefined);
  }

  #retry(failed: Mpegts.Player): void {
    if (failed !== this.#player) return;
    this.#drop();
    this.#changed('away');
    this.#retryTimer = window.setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 1.5, MAX_RETRY_MS);
  }

  #drop(): void {
    const player = this.#player;
    this.#player = undefined;
    player?.destroy();
  }

  /** Is the picture moving? If not: over a gap in the buffer, or connect again. */
  #watch(): void {
    const { currentTime, paused, buffered } = this.#video;
    const nowMs = performance.now();
    if (!this.#player || paused) {
      this.#movedMs = nowMs;
      return;
    }
    if (currentTime !== this.#lastTime) {
      this.#lastTime = currentTime;
      this.#movedMs = nowMs;
      this.#retryMs = FIRST_RETRY_MS;
      this.#changed('playing');
      return;
    }
    for (let range = 0; range < buffered.length; range += 1) {
      // A publisher that came back leaves up to 3 s of stream time without pictures.
      if (buffered.start(range) > currentTime) {
        this.#video.currentTime = buffered.start(range) + 0.05;
        return;
      }
    }
    if (nowMs - this.#movedMs > STUCK_MS) this.#retry(this.#player);
  }
}
