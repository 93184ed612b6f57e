// How well a stream comes, at one node: what is in it, its rates and its flaws; the hop that it came over; its recent past.
// Pure.
import { z } from 'zod';
import { bitsPerS, count, ms, nodeId, signedMs } from './common.ts';

export const videoQuality = z.object({
  codec: z.string(),
  /** Null: nobody said, or it could not be read. */
  width: count.nullable(),
  height: count.nullable(),
  frameRate: z.number().min(0),
  bitsPerS,
  /** Stream time between the last two key frames; null before there were two. */
  keyIntervalMs: ms.nullable(),
  /** Real time since the last key frame; null before the first. */
  keyAgeMs: ms.nullable(),
});

export const audioQuality = z.object({
  codec: z.string(),
  sampleRate: count.nullable(),
  channels: count.nullable(),
  bitsPerS,
});

/** Of the last seconds, but where it says otherwise. */
export const streamQuality = z.object({
  video: videoQuality.nullable(),
  audio: audioQuality.nullable(),
  /** All tracks. */
  bitsPerS,
  /** How unevenly frames come, against their dts (RFC 3550 §6.4.1). */
  jitterMs: ms,
  /** The longest pause between two frames. */
  longestGapMs: ms,
  /** dts of the newest audio less that of the newest video; null without one of them. */
  skewMs: signedMs.nullable(),
  /** Frames that no decoder could use, or that were missing, since the stream began here. */
  dropped: count,
  /** Since the last frame. */
  silentMs: ms,
});
export type StreamQuality = z.output<typeof streamQuality>;

/** The way from the node that a stream is pulled from. */
export const hopQuality = z.object({
  from: nodeId,
  to: nodeId,
  /** From a frame's arrival there to its arrival here; null before the first sample. */
  delayMs: ms.nullable(),
  /** How far `delayMs` may be wrong, by what the clocks of the two nodes are known; null as above. */
  errorMs: ms.nullable(),
  /** Mean deviation of the delay. */
  jitterMs: ms.nullable(),
  /** Of the link, smoothed; null before the first sample. */
  rttMs: ms.nullable(),
  /** Times that frames were missing which nobody had, since the stream began here. */
  gaps: count,
  /** Changes of upstream, since then. */
  resumes: count,
  /** Frames that the sender left out on purpose, since then. */
  skipped: count,
  /** Bytes of this stream that were sent here and not read yet, as the sender knows; null where it was not asked. */
  queueBytes: count.nullable(),
});
export type HopQuality = z.output<typeof hopQuality>;

/** One point each `stepMs`, oldest first, the last one ending now. */
export const history = z.object({
  stepMs: ms,
  bitsPerS: z.array(bitsPerS),
  frameRate: z.array(z.number().min(0)),
  players: z.array(count),
});
export type History = z.output<typeof history>;
