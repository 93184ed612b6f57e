// One stream for other nodes: its frames as WebSocket messages that every child node gets alike, and between them what
// a child must be told of the row: where a run begins, what was dropped on purpose. Who gets them is the fan-out's.
import type { Frame, FrameEncoder, LoggedFrame } from '../frame.ts';
import { writeWsHead, wsHeadLength } from '../ws-frame.ts';
import { frameControl } from './control-codec.ts';
import {
  MAX_MEDIA_FRAMES,
  type MediaHead,
  type MediaKind,
  mediaFrameBytes,
  mediaHeadBytes,
  writeMediaFrame,
  writeMediaHead,
} from './media-codec.ts';

/** A media message has at most so many bytes, or one frame: a link takes turns between streams. */
export const MESSAGE_BYTES = 256 * 1024;
/** Epochs of one stream whose number is remembered: more than a log holds, since takeovers are limited. */
const MAX_EPOCHS = 256;

/** Frames that go into one message. */
interface Group {
  readonly head: MediaHead;
  readonly frames: Frame[];
  bodyBytes: number;
}

/**
 * The format `mesh`. One per stream, shared by all who read it. What it writes is whole, unmasked WebSocket messages;
 * a link that was dialled sends maskedMessages of them (format/ws-frame.ts).
 *
 * Each run begins with an `epoch` message, since a reader's first frame of a run `opens` it, and it introduces the
 * epoch's number. Were an epoch so old that its number is forgotten, it would get one that its readers don't know, and
 * they would subscribe again.
 */
export class MeshEncoder implements FrameEncoder<LoggedFrame> {
  readonly format = 'mesh';
  readonly streamRef: number;
  /** The numbers of the newest MAX_EPOCHS epochs, oldest first. */
  readonly #epochRefs = new Map<number, number>();
  #nextEpochRef = 0;

  /** @param streamRef the stream's number at this node, 1 to 2^32: a counter per process, never reused */
  constructor(streamRef: number) {
    this.streamRef = streamRef;
  }

  /** Nothing: a run says itself where it begins. */
  open(): Buffer {
    return Buffer.alloc(0);
  }

  /** The number of an epoch, if frames of it were encoded lately. */
  epochRefOf(epoch: number): number | undefined {
    return this.#epochRefs.get(epoch);
  }

  /** Frames keep their publication time: neither `time` nor a base goes on the mesh. */
  encode(batch: readonly LoggedFrame[]): Buffer {
    const parts: (Buffer | Group)[] = [];
    let group: Group | undefined;
    for (const entry of batch) {
      const { epoch } = entry.run;
      const epochRef = this.#epochRefs.get(epoch) ?? this.#number(epoch);
      const told = this.#tell(entry, epochRef);
      if (told) {
        parts.push(told);
        group = undefined;
      }
      const kind = entry.isSetUp ? 'set-up' : 'media';
      if (!group || !fits(group, kind, epochRef, entry.frame)) {
        group = newGroup(kind, this.streamRef, epochRef, entry.frame);
        parts.push(group);
      }
      group.bodyBytes += mediaFrameBytes(group.head, entry.frame);
      group.frames.push(entry.frame);
    }
    return join(parts);
  }

  /** What a reader must know before the frame: that a run begins, and what of it was dropped on purpose. */
  #tell(entry: LoggedFrame, epochRef: number): Buffer | undefined {
    const { run, frame, afterSeq, opens, isSetUp } = entry;
    const { epoch, from, firstDts, newestDts } = run;
    const ref = this.streamRef;
    const next = Math.max(from, afterSeq + 1);
    const lacks = !isSetUp && next < frame.seq;
    const told: Buffer[] = [];
    if (opens) told.push(frameControl({ is: 'epoch', ref, epochRef, epoch, from, firstDts, newestDts }));
    if (lacks) told.push(frameControl({ is: 'skip', ref, epochRef, from: next, to: frame.seq - 1 }));
    return told.length > 0 ? Buffer.concat(told) : undefined;
  }

  #number(epoch: number): number {
    const epochRef = this.#nextEpochRef;
    this.#nextEpochRef += 1;
    this.#epochRefs.set(epoch, epochRef);
    if (this.#epochRefs.size > MAX_EPOCHS) {
      const [oldest] = this.#epochRefs.keys();
      if (oldest !== undefined) this.#epochRefs.delete(oldest);
    }
    return epochRef;
  }
}

function newGroup(kind: MediaKind, streamRef: number, epochRef: number, first: Frame): Group {
  const head = { kind, streamRef, epochRef, baseSeq: first.seq, baseDts: first.dts };
  return { head, frames: [], bodyBytes: mediaHeadBytes(head) };
}

function fits({ head, frames, bodyBytes }: Group, kind: MediaKind, epochRef: number, frame: Frame): boolean {
  if (head.kind !== kind || head.epochRef !== epochRef || frames.length === MAX_MEDIA_FRAMES) return false;
  return bodyBytes + mediaFrameBytes(head, frame) <= MESSAGE_BYTES;
}

function join(parts: readonly (Buffer | Group)[]): Buffer {
  let size = 0;
  for (const part of parts) {
    size += Buffer.isBuffer(part) ? part.length : wsHeadLength(part.bodyBytes) + part.bodyBytes;
  }
  const joined = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const part of parts) at = Buffer.isBuffer(part) ? at + part.copy(joined, at) : write(joined, at, part);
  return joined;
}

function write(target: Buffer, start: number, { head, frames, bodyBytes }: Group): number {
  writeWsHead(target, bodyBytes, start);
  let at = writeMediaHead(target, start + wsHeadLength(bodyBytes), head);
  for (const frame of frames) at = writeMediaFrame(target, at, head, frame);
  return at;
}
