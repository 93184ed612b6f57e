// Messages -> chunks (RTMP 1.0 §5.3). Every message starts with fmt 0, so that its bytes depend on no other
// message and one buffer serves every player.
import { type FrameEncoder, FrameKind, stampOf, type TimedFrame } from '../frame.ts';
import type { RtmpMessage } from './message.ts';

/** What we announce by Set Chunk Size: SRS sends the same to every player, and ffmpeg when it publishes. */
export const OUT_CHUNK_BYTES = 60_000;

/** The one message stream that createStream grants (design §3). */
export const MEDIA_STREAM_ID = 1;

const EXTENDED = 0xffffff;
const EMPTY: Buffer = Buffer.alloc(0);

/** Writes one message in chunks of `chunkBytes`, into a buffer of its own. */
export function writeMessage(message: RtmpMessage, chunkBytes: number): Buffer {
  const { chunkStreamId, timestamp, type, streamId, payload } = message;
  const target = Buffer.allocUnsafe(chunkedBytes(chunkStreamId, timestamp, payload.length, chunkBytes));
  writeChunks(target, 0, chunkStreamId, timestamp, type, streamId, payload, chunkBytes);
  return target;
}

/** Frames for RTMP players that were told OUT_CHUNK_BYTES and play on message stream 1. */
export const rtmpEncoder: FrameEncoder = {
  format: 'rtmp',

  open: () => EMPTY,

  encode(batch: readonly TimedFrame[], base: number): Buffer {
    let size = 0;
    for (const timed of batch) {
      const { kind, payload } = timed.frame;
      size += chunkedBytes(chunkStreamOf(kind), stampOf(timed, base), payload.length, OUT_CHUNK_BYTES);
    }
    const target = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (const timed of batch) {
      const { kind, payload } = timed.frame;
      const stamp = stampOf(timed, base);
      at = writeChunks(
        target,
        at,
        chunkStreamOf(kind),
        stamp,
        kind,
        MEDIA_STREAM_ID,
        payload,
        OUT_CHUNK_BYTES,
      );
    }
    return target;
  },
};

function chunkStreamOf(kind: FrameKind): number {
  return kind === FrameKind.audio ? 4 : kind === FrameKind.video ? 6 : 5;
}

/** Bytes of one message with all its chunk headers. */
function chunkedBytes(chunkStreamId: number, timestamp: number, size: number, chunkBytes: number): number {
  const headerBytes = basicBytes(chunkStreamId) + (timestamp >= EXTENDED ? 4 : 0);
  const chunks = Math.max(1, Math.ceil(size / chunkBytes));
  return 11 + chunks * headerBytes + size;
}

/** Writes one message at `at`; returns where it ends. The extended timestamp is repeated on fmt 3 (§5.3.1.3). */
function writeChunks(
  target: Buffer,
  at: number,
  chunkStreamId: number,
  timestamp: number,
  type: number,
  streamId: number,
  payload: Buffer,
  chunkBytes: number,
): number {
  const extended = timestamp >= EXTENDED;
  let end = writeBasicHeader(target, at, 0, chunkStreamId);
  end = target.writeUIntBE(extended ? EXTENDED : timestamp, end, 3);
  end = target.writeUIntBE(payload.length, end, 3);
  end = target.writeUInt8(type, end);
  end = target.writeUInt32LE(streamId, end);
  if (extended) end = target.writeUInt32BE(timestamp, end);
  end += payload.copy(target, end, 0, chunkBytes);
  for (let sent = chunkBytes; sent < payload.length; sent += chunkBytes) {
    end = writeBasicHeader(target, end, 3, chunkStreamId);
    if (extended) end = target.writeUInt32BE(timestamp, end);
    end += payload.copy(target, end, sent, sent + chunkBytes);
  }
  return end;
}

function basicBytes(chunkStreamId: number): 1 | 2 | 3 {
  return chunkStreamId < 64 ? 1 : chunkStreamId < 320 ? 2 : 3;
}

/** §5.3.1.1 */
function writeBasicHeader(target: Buffer, at: number, fmt: 0 | 3, chunkStreamId: number): number {
  switch (basicBytes(chunkStreamId)) {
    case 1:
      return target.writeUInt8((fmt << 6) | chunkStreamId, at);
    case 2:
      return target.writeUInt8(chunkStreamId - 64, target.writeUInt8(fmt << 6, at));
    case 3:
      return target.writeUInt16LE(chunkStreamId - 64, target.writeUInt8((fmt << 6) | 1, at));
  }
}
