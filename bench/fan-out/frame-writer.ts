// Frames on their way to RTMP servers: one buffer per kind of frame, in which only time and mark are rewritten, so that
// hundreds of publishers cost little. It keeps no schedule and opens no connection.
import type { Socket } from 'node:net';
import { FrameKind } from '../../src/format/frame.ts';
import { MEDIA_STREAM_ID, OUT_CHUNK_BYTES, writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { markAt, writeMark } from './mark.ts';
import { blankPayload, type MediaPlan, type PlanWalk, type SetUp } from './media-plan.ts';
import { nowUs } from './now.ts';

/** Basic header of one byte, message header of fmt 0. */
const HEAD_BYTES = 12;
/** Times that need no extension: 4.6 hours. */
const MAX_STAMP = 0xfffffe;

/** Writes frames of one plan to any number of sockets that were told a chunk size of OUT_CHUNK_BYTES. */
export class FrameWriter {
  readonly #plan: MediaPlan;
  /** Undefined once the last buffer was left to a socket that had not sent it. */
  #key: Buffer | undefined;
  #delta: Buffer | undefined;
  #audio: Buffer | undefined;

  constructor(plan: MediaPlan) {
    this.#plan = plan;
  }

  /** Writes the frame that a walk stands at, marked with the present time, in one write. */
  write(socket: Socket, frame: PlanWalk): void {
    const buffer = this.#bufferOf(frame);
    buffer.writeUIntBE(Math.min(MAX_STAMP, Math.round(frame.dueMs)), 1, 3);
    const { kind, isKey, number, bytes, beforeBytes } = frame;
    const mark = { kind, isKey, number, bytes, beforeBytes, sentUs: nowUs() };
    writeMark(buffer, HEAD_BYTES + markAt(kind), mark);
    socket.write(buffer);
    // What the kernel took at once may be overwritten; what waits in the socket may not.
    if (socket.writableLength > 0) this.#forget(frame);
  }

  #bufferOf({ kind, isKey }: PlanWalk): Buffer {
    const { keyBytes, deltaBytes, audioBytes } = this.#plan;
    if (kind === FrameKind.audio) {
      this.#audio ??= messageOf({ kind, payload: blankPayload(kind, false, audioBytes) });
      return this.#audio;
    }
    if (isKey) {
      this.#key ??= messageOf({ kind, payload: blankPayload(kind, true, keyBytes) });
      return this.#key;
    }
    this.#delta ??= messageOf({ kind, payload: blankPayload(kind, false, deltaBytes) });
    return this.#delta;
  }

  #forget({ kind, isKey }: PlanWalk): void {
    if (kind === FrameKind.audio) this.#audio = undefined;
    else if (isKey) this.#key = undefined;
    else this.#delta = undefined;
  }
}

/** A media message of time 0. */
export function messageOf({ kind, payload }: SetUp): Buffer {
  const chunkStreamId = kind === FrameKind.audio ? 4 : 6;
  const message = { chunkStreamId, type: kind, timestamp: 0, streamId: MEDIA_STREAM_ID, payload };
  return writeMessage(message, OUT_CHUNK_BYTES);
}
