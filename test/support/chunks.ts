// A second, naive chunk writer that shares no code with src: it compresses headers as real encoders do.
import type { RtmpMessage } from '../../src/format/rtmp/message.ts';

export interface ChunkStyle {
  readonly chunkBytes: number;
  /** Uses fmt 1, 2 and 3 where RTMP allows it; otherwise each message starts with fmt 0. */
  readonly compress: boolean;
  /** Repeats extended timestamps on fmt 3, as the specification asks and some encoders do not. */
  readonly repeatExtended: boolean;
}

interface LastHeader {
  readonly message: RtmpMessage;
  readonly field: number;
}

export class NaiveChunker {
  readonly #style: ChunkStyle;
  readonly #last = new Map<number, LastHeader>();
  /** An extended timestamp was left out before payload that starts like it: nobody can read that for sure. */
  ambiguous = false;

  constructor(style: ChunkStyle) {
    this.#style = style;
  }

  /** The message's chunks, header and payload each, in order. */
  chunks(message: RtmpMessage): Buffer[] {
    const { fmt, field } = this.#choose(message);
    this.#last.set(message.chunkStreamId, { message, field });
    const extension = field >= 0xffffff ? uint(field, 4) : Buffer.alloc(0);
    const repeated = this.#style.repeatExtended ? extension : Buffer.alloc(0);
    const body = message.payload;
    const { chunkBytes } = this.#style;
    if (extension.length > 0 && !this.#style.repeatExtended) {
      if (fmt === 3 && body.length === 0) this.ambiguous = true;
      for (let at = fmt === 3 ? 0 : chunkBytes; at < body.length; at += chunkBytes) {
        if (body[at] === extension[0]) this.ambiguous = true;
      }
    }
    const chunks = [
      Buffer.concat([
        basicHeader(fmt, message.chunkStreamId),
        messageHeader(fmt, message, Math.min(field, 0xffffff)),
        fmt === 3 ? repeated : extension,
        body.subarray(0, chunkBytes),
      ]),
    ];
    for (let at = chunkBytes; at < body.length; at += chunkBytes) {
      chunks.push(
        Buffer.concat([basicHeader(3, message.chunkStreamId), repeated, body.subarray(at, at + chunkBytes)]),
      );
    }
    return chunks;
  }

  #choose(message: RtmpMessage): { fmt: number; field: number } {
    const last = this.#last.get(message.chunkStreamId);
    if (!this.#style.compress || !last || last.message.streamId !== message.streamId) {
      return { fmt: 0, field: message.timestamp };
    }
    const field = (message.timestamp - last.message.timestamp) >>> 0;
    const same = last.message.type === message.type && last.message.payload.length === message.payload.length;
    if (!same) return { fmt: 1, field };
    return { fmt: field === last.field ? 3 : 2, field };
  }
}

function basicHeader(fmt: number, id: number): Buffer {
  if (id < 64) return Buffer.from([fmt * 64 + id]);
  if (id < 320) return Buffer.from([fmt * 64, id - 64]);
  return Buffer.from([fmt * 64 + 1, (id - 64) % 256, Math.floor((id - 64) / 256)]);
}

function messageHeader(fmt: number, message: RtmpMessage, time: number): Buffer {
  const parts: Buffer[] = [];
  if (fmt < 3) parts.push(uint(time, 3));
  if (fmt < 2) parts.push(uint(message.payload.length, 3), uint(message.type, 1));
  if (fmt < 1) parts.push(uint(message.streamId, 4).reverse());
  return Buffer.concat(parts);
}

/** A big-endian number. */
export function uint(value: number, bytes: number): Buffer {
  const target = Buffer.alloc(bytes);
  target.writeUIntBE(value, 0, bytes);
  return target;
}

/** Cuts bytes at the given places, whatever they are. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const starts = [0, ...ends];
  return starts.map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length));
}

/** A message whose payload is a string: test runners compare those much faster than buffers. */
export function plain(message: RtmpMessage): object {
  return { ...message, payload: message.payload.toString('latin1') };
}
