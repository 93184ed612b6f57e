// The chunk stream of one RTMP connection, read: bytes -> messages, under the limits of design §3. It faces the
// internet: whatever comes, it throws nothing but WireError and holds little more than it was sent.
import { WireError } from '../../base/errors.ts';
import { PayloadSlab } from '../payload-slab.ts';
import { ChunkStream } from './chunk-stream.ts';
import { MessageType, maxPayloadBytes, parseControl, type RtmpMessage } from './message.ts';

/** The chunk size until a peer sets another (RTMP 1.0 §5.4.1). */
export const DEFAULT_CHUNK_BYTES = 128;
export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
const MAX_CHUNK_STREAMS = 32;
/** Two of the biggest messages: more at once is no encoder that multiplexes, but one that fills memory. */
const MAX_UNFINISHED_BYTES = 16 * 1024 * 1024;

/** Message header bytes of fmt 0, 1, 2 and 3 (§5.3.1.2). */
const MESSAGE_HEADER_BYTES = [11, 7, 3, 0] as const;
/** This timestamp, or delta, says that the real one follows in four bytes (§5.3.1.3). */
const EXTENDED = 0xffffff;

const EMPTY: Buffer = Buffer.alloc(0);
const NO_MESSAGES: readonly RtmpMessage[] = [];

/**
 * Reads chunks in any segmentation. Set Chunk Size and Abort are obeyed here and not handed out.
 * A reader that threw is dead: it throws the same error from then on.
 */
export class ChunkReader {
  /** Bytes of unfinished messages, all together, that the peer may make us hold; whoever knows it moves it. */
  maxUnfinishedBytes: number;
  /** Messages completed, those included that are not handed out. */
  completed = 0;
  #unfinishedBytes = 0;
  /** Bounded by MAX_CHUNK_STREAMS. */
  readonly #streams = new Map<number, ChunkStream>();
  /** One for each track, so that what is dropped of one is not kept by what is kept of the other. */
  readonly #slabs = new Map([
    [MessageType.audio, new PayloadSlab()],
    [MessageType.video, new PayloadSlab()],
  ]);
  #chunkBytes = DEFAULT_CHUNK_BYTES;
  /** The chunk stream whose chunk is being read, while #chunkLeft > 0. */
  #current: ChunkStream | undefined;
  #chunkLeft = 0;
  /** The start of a header whose rest has not come: at most 17 bytes, our own copy. */
  #partial = EMPTY;
  #failure: WireError | undefined;

  constructor(maxUnfinishedBytes = MAX_UNFINISHED_BYTES) {
    this.maxUnfinishedBytes = maxUnfinishedBytes;
  }

  /** Memory that unfinished messages hold, in bytes: at most what was received for them, and 1 MiB. */
  get heldBytes(): number {
    let sum = 0;
    for (const stream of this.#streams.values()) sum += stream.heldBytes;
    return sum;
  }

  /**
   * Takes the next bytes, which stay the caller's; returns the messages that they complete.
   * Payloads are owned copies, small ones side by side (payload-slab.ts). Messages that came in the same bytes as a violation are lost with it.
   * @throws WireError `rtmp.chunk-format`, `rtmp.chunk-streams`, `rtmp.chunk-size`, `rtmp.message-size`,
   * `rtmp.unfinished` or `rtmp.control-length`
   */
  push(bytes: Buffer): readonly RtmpMessage[] {
    if (this.#failure) throw this.#failure;
    try {
      return this.#read(bytes);
    } catch (error) {
      if (error instanceof WireError) this.#fail(error);
      throw error;
    }
  }

  #fail(error: WireError): void {
    this.#failure = error;
    this.#streams.clear();
    this.#current = undefined;
    this.#partial = EMPTY;
  }

  #read(received: Buffer): readonly RtmpMessage[] {
    const bytes = this.#partial.length === 0 ? received : Buffer.concat([this.#partial, received]);
    let messages: RtmpMessage[] | undefined;
    let at = 0;
    while (true) {
      if (this.#chunkLeft === 0) {
        const headerBytes = this.#readHeader(bytes, at);
        if (headerBytes === undefined) break;
        at += headerBytes;
      }
      const stream = this.#current;
      if (!stream) break;
      const inHand = bytes.length - at;
      const size = Math.min(this.#chunkLeft, inHand);
      stream.take(bytes, at, size, inHand);
      at += size;
      this.#chunkLeft -= size;
      this.#countUnfinished(size);
      if (this.#chunkLeft > 0) break;
      if (stream.received < stream.length) continue;
      const message = this.#finish(stream);
      if (message) {
        messages ??= [];
        messages.push(message);
      }
    }
    this.#partial = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
    return messages ?? NO_MESSAGES;
  }

  /** Reads the chunk header at `at` and enters its chunk. Returns its length, undefined while it isn't whole. */
  #readHeader(bytes: Buffer, at: number): number | undefined {
    const here = bytes.length - at;
    if (here < 1) return undefined;
    const first = bytes.readUInt8(at);
    const fmt = (first >> 6) as 0 | 1 | 2 | 3;
    const basicBytes = (first & 63) === 0 ? 2 : (first & 63) === 1 ? 3 : 1;
    const headBytes = basicBytes + MESSAGE_HEADER_BYTES[fmt];
    if (here < headBytes) return undefined;

    const stream = this.#stream(chunkStreamId(bytes, at, basicBytes), fmt);
    const head = at + basicBytes;
    if (fmt === 3) {
      const extensionBytes = stream.extended ? repeatedExtension(bytes, head, stream.field) : 0;
      if (extensionBytes === undefined) return undefined;
      if (!stream.inMessage) this.#begin(stream, (stream.timestamp + stream.field) >>> 0);
      this.#enter(stream);
      return headBytes + extensionBytes;
    }

    if (stream.inMessage) {
      throw new WireError('rtmp.chunk-format', `a chunk of fmt ${fmt} came in mid-message`, { fmt });
    }
    let field = bytes.readUIntBE(head, 3);
    const extended = field === EXTENDED;
    if (extended) {
      if (here < headBytes + 4) return undefined;
      field = bytes.readUInt32BE(at + headBytes);
    }
    stream.field = field;
    stream.extended = extended;
    if (fmt < 2) {
      stream.length = bytes.readUIntBE(head + 3, 3);
      stream.type = bytes.readUInt8(head + 6);
    }
    if (fmt === 0) stream.streamId = bytes.readUInt32LE(head + 7);
    this.#begin(stream, fmt === 0 ? field : (stream.timestamp + field) >>> 0);
    this.#enter(stream);
    return headBytes + (extended ? 4 : 0);
  }

  #stream(id: number, fmt: number): ChunkStream {
    const known = this.#streams.get(id);
    if (known) return known;
    // §5.3.1.2.1 asks for fmt 0; librtmp starts with fmt 1 where the stream id doesn't matter.
    if (fmt > 1) {
      throw new WireError('rtmp.chunk-format', `chunk stream ${id} starts with fmt ${fmt}`, { fmt });
    }
    if (this.#streams.size === MAX_CHUNK_STREAMS) {
      throw new WireError('rtmp.chunk-streams', `a peer uses more than ${MAX_CHUNK_STREAMS} chunk streams`);
    }
    const stream = new ChunkStream(id, this.#slabs);
    this.#streams.set(id, stream);
    return stream;
  }

  #begin(stream: ChunkStream, timestamp: number): void {
    const { type, length } = stream;
    if (length > maxPayloadBytes(type)) {
      const text = `a message of type ${type} promises ${length} bytes, allowed are ${maxPayloadBytes(type)}`;
      throw new WireError('rtmp.message-size', text, { type, length });
    }
    stream.timestamp = timestamp;
    stream.begin();
  }

  #enter(stream: ChunkStream): void {
    this.#current = stream;
    this.#chunkLeft = Math.min(this.#chunkBytes, stream.length - stream.received);
  }

  #finish(stream: ChunkStream): RtmpMessage | undefined {
    this.#current = undefined;
    this.completed += 1;
    this.#unfinishedBytes -= stream.received;
    const { id: chunkStreamId, type, timestamp, streamId } = stream;
    const message = { chunkStreamId, type, timestamp, streamId, payload: stream.finish() };
    switch (type) {
      case MessageType.setChunkSize:
        this.#setChunkBytes(parseControl(message));
        return undefined;
      case MessageType.abort:
        this.#abort(this.#streams.get(parseControl(message)));
        return undefined;
      default:
        return message;
    }
  }

  #countUnfinished(bytes: number): void {
    this.#unfinishedBytes += bytes;
    if (this.#unfinishedBytes <= this.maxUnfinishedBytes) return;
    const text = `unfinished messages hold more than ${this.maxUnfinishedBytes} bytes`;
    throw new WireError('rtmp.unfinished', text, { bytes: this.#unfinishedBytes });
  }

  #abort(stream: ChunkStream | undefined): void {
    if (!stream?.inMessage) return;
    this.#unfinishedBytes -= stream.received;
    stream.abort();
  }

  #setChunkBytes(bytes: number): void {
    if (bytes < 1 || bytes > MAX_CHUNK_BYTES) {
      throw new WireError('rtmp.chunk-size', `chunk size ${bytes} is not in 1..${MAX_CHUNK_BYTES}`, {
        bytes,
      });
    }
    this.#chunkBytes = bytes;
  }
}

/** The basic header's id, in one, two or three bytes (§5.3.1.1). */
function chunkStreamId(bytes: Buffer, at: number, basicBytes: 1 | 2 | 3): number {
  if (basicBytes === 1) return bytes.readUInt8(at) & 63;
  return 64 + (basicBytes === 2 ? bytes.readUInt8(at + 1) : bytes.readUInt16LE(at + 1));
}

/**
 * §5.3.1.3 repeats the extended timestamp on fmt 3 chunks; some encoders leave it out, so look before we eat it:
 * four bytes that say the same are a repetition, anything else is payload. The first byte that differs decides,
 * so that the end of a message never waits for the next one without need.
 * @returns 4 or 0; undefined while it can't be told
 */
function repeatedExtension(bytes: Buffer, at: number, field: number): number | undefined {
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    if (byte !== ((field >>> (24 - 8 * index)) & 0xff)) return 0;
  }
  return 4;
}
