// The first moments of an epoch, held back until it is known where players can start: at a key frame, or at once
// because there is no video. Pure.
import { FrameKind, type FrameRole } from '../format/frame.ts';
import { keptBytes } from './memory-budget.ts';

export interface LeadInFrame {
  readonly kind: FrameKind;
  readonly role: FrameRole;
  /** Undefined for headers and metadata that came before any media frame. */
  readonly dts: number | undefined;
  readonly payload: Buffer;
}

/** The epoch starts with these frames, in the order they came. */
export interface EpochStart {
  readonly frames: readonly LeadInFrame[];
  /** The lowest dts of a media frame among them. */
  readonly firstDts: number;
  /** The highest. */
  readonly newestDts: number;
  /** Frames that were left out: nobody can decode them, or they are of another time. */
  readonly dropped: number;
}

/** Audio for this long without a video frame: the stream is audio only. */
const AUDIO_ONLY_MS = 1000;
/**
 * Media that is further from a start with video is left out: players would wait through it if it is older; if it is newer,
 * the clock stepped back since.
 */
const KEPT_MS = 1000;
/** Audio for this long while video has no key frame: it starts without video. */
const KEY_WAIT_MS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_FRAMES = 4096;

export class LeadIn {
  #frames: LeadInFrame[] = [];
  #bytes = 0;
  #dropped = 0;
  #sawVideo = false;
  #firstAudioDts: number | undefined;

  /** Bytes that it holds, overhead included; at most 16 MiB. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the next frame; answers the start of the epoch once it is known, and is done then. */
  push(frame: LeadInFrame): EpochStart | undefined {
    if (isShown(frame) && frame.kind === FrameKind.video && frame.role !== 'key') {
      this.#sawVideo = true;
      this.#dropped += 1;
      return undefined;
    }
    this.#frames.push(frame);
    this.#bytes += keptBytes(frame.payload);
    if (frame.role === 'key') return this.#start(frame.dts ?? 0);
    if (frame.kind === FrameKind.audio && frame.dts !== undefined) {
      // A clock that steps back in these moments is waited for from there.
      this.#firstAudioDts = Math.min(this.#firstAudioDts ?? frame.dts, frame.dts);
      const heldMs = frame.dts - this.#firstAudioDts;
      if (!this.#sawVideo && heldMs >= AUDIO_ONLY_MS) return this.#start(frame.dts, heldMs);
      if (heldMs >= KEY_WAIT_MS) return this.#start(frame.dts);
    }
    this.#bound();
    return undefined;
  }

  /** @param keptMs media that is further from `atDts` is left out */
  #start(atDts: number, keptMs = KEPT_MS): EpochStart {
    const frames = this.#frames.filter(
      (held) => !isShown(held) || Math.abs((held.dts ?? 0) - atDts) <= keptMs,
    );
    const times = frames.flatMap((held) => (isShown(held) && held.dts !== undefined ? [held.dts] : []));
    return {
      frames,
      firstDts: Math.min(atDts, ...times),
      newestDts: Math.max(atDts, ...times),
      dropped: this.#dropped + this.#frames.length - frames.length,
    };
  }

  /** Drops the oldest media; of all, where set-up is the most. A sixteenth at once: each drop moves all the rest. */
  #bound(): void {
    if (this.#frames.length <= MAX_FRAMES && this.#bytes <= MAX_BYTES) return;
    const media = this.#frames.filter((held) => !isSetUp(held));
    const oldest = media.length * 2 >= this.#frames.length ? media : this.#frames;
    const gone = new Set(oldest.slice(0, Math.ceil(oldest.length / 16)));
    this.#frames = this.#frames.filter((held) => !gone.has(held));
    for (const { payload } of gone) this.#bytes -= keptBytes(payload);
    this.#dropped += gone.size;
    this.#bound();
  }
}

/** What a decoder, or a player, is opened with. */
function isSetUp(frame: LeadInFrame): boolean {
  return frame.role === 'header' || frame.role === 'metadata';
}

/** Audio or video that is shown: neither set-up nor data. */
function isShown(frame: LeadInFrame): boolean {
  return frame.kind !== FrameKind.data && frame.role !== 'header';
}
