// A frame: one media message, and what a wire format must offer to carry it. No bytes are read or written here.

/** What a frame carries; the numbers are the FLV tag types and RTMP message types (FLV v10.1 §E.4.1). */
export const FrameKind = { audio: 8, video: 9, data: 18 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/**
 * What a frame means to a decoder:
 * `header` decoder set-up (AVC, HEVC, AV1 record, AudioSpecificConfig); `key` a video frame that decoding can
 * start at; `delta` one that needs others; `disposable` one that nobody needs; `metadata` an onMetaData;
 * `sample` audio, and any other data.
 */
export type FrameRole = 'header' | 'key' | 'delta' | 'disposable' | 'metadata' | 'sample';

/** One media message. Immutable; its payload is owned, at most 8 MiB, and the same bytes in every format. */
export class Frame {
  readonly kind: FrameKind;
  readonly role: FrameRole;
  /** Number within its epoch, +1 each. */
  readonly seq: number;
  /** Publication time in ms, unwrapped, the same on every node. */
  readonly dts: number;
  /** The FLV tag body = the RTMP message payload. */
  readonly payload: Buffer;

  constructor(kind: FrameKind, role: FrameRole, seq: number, dts: number, payload: Buffer) {
    this.kind = kind;
    this.role = role;
    this.seq = seq;
    this.dts = dts;
    this.payload = payload;
  }
}

/** A frame, and the ms at which this node's players show it (design §4: splice offset applied, era not yet). */
export interface TimedFrame {
  readonly frame: Frame;
  readonly time: number;
}

/**
 * A stretch of one epoch without a break: it begins with the epoch, or behind frames that are missing and that nobody
 * dropped on purpose. Immutable.
 */
export interface Run {
  readonly epoch: number;
  /** The seq of its first frame; decoder set-up that is sent ahead of it may have lower ones. */
  readonly from: number;
  /** The lowest and the highest dts of the frames that it begins with, ms: what a splice needs. */
  readonly firstDts: number;
  readonly newestDts: number;
}

/** A frame as a log has it: what another node needs to log it likewise. */
export interface LoggedFrame extends TimedFrame {
  readonly run: Run;
  /** The first that a reader gets of its run. */
  readonly opens: boolean;
  /** Decoder set-up from before the run's first frame, sent ahead: its seq is no place in the row. */
  readonly isSetUp: boolean;
  /** The seq of the frame before it in the run; what lies between was dropped on purpose (design §6, SKIP). */
  readonly afterSeq: number;
}

/**
 * The wire time of a frame, ms. Metadata belongs to no moment and is stamped 0: ffmpeg takes one with another time
 * for a track of text.
 */
export function stampOf({ frame, time }: TimedFrame, base: number): number {
  return frame.role === 'metadata' ? 0 : time - base;
}

/** Which tracks a player may expect (FLV v10.1 §E.2 TypeFlags). */
export interface Tracks {
  readonly audio: boolean;
  readonly video: boolean;
}

/**
 * What a fan-out needs from a wire format. Pure: the same frames give the same bytes, so that one buffer serves every
 * reader.
 */
export interface FrameEncoder<F extends TimedFrame = TimedFrame> {
  /** The format's name in logs and metrics: `http-flv`, `ws-flv`, `rtmp`, `mesh`. */
  readonly format: string;
  /** What opens a player's stream, before its first frame; may be empty. */
  open(tracks: Tracks): Buffer;
  /** Joins the frames into one new buffer; each has the stamp of stampOf, in ms, below 2^31. */
  encode(batch: readonly F[], base: number): Buffer;
}
