// WebSocket messages written by hand, so that one buffer serves every WS-FLV player and every node. Each is one frame;
// heads are a server's, unmasked (RFC 6455 §5.1), and a copy has them masked. Handshake, pings, closing are the door's.
import { flvHeader, flvTagsLength, writeFlvTags } from './flv.ts';
import type { FrameEncoder } from './frame.ts';

/** FIN, and opcode 2: a whole binary message (§5.2). */
const FIN_BINARY = 0x82;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BIT = 0x80;
const KEY_BYTES = 4;

/** Bytes of the head before a body of `bodyBytes`. */
export function wsHeadLength(bodyBytes: number): number {
  if (bodyBytes < LENGTH_16) return 2;
  return bodyBytes < 0x10000 ? 4 : 10;
}

/** Writes the head of one binary message into `target` at `start` (§5.2). */
export function writeWsHead(target: Buffer, bodyBytes: number, start = 0): void {
  target[start] = FIN_BINARY;
  switch (wsHeadLength(bodyBytes)) {
    case 2:
      target[start + 1] = bodyBytes;
      return;
    case 4:
      target[start + 1] = LENGTH_16;
      target.writeUInt16BE(bodyBytes, start + 2);
      return;
    default:
      target[start + 1] = LENGTH_64;
      target.writeUInt32BE(Math.floor(bodyBytes / 2 ** 32), start + 2);
      target.writeUInt32BE(bodyBytes % 2 ** 32, start + 6);
  }
}

/** One binary message with a copy of the body. */
export function wsMessage(body: Buffer): Buffer {
  const message = newMessage(body.length);
  body.copy(message, wsHeadLength(body.length));
  return message;
}

/**
 * The same messages as a client sends them: a new buffer, each head with the mask bit and a key of zeros, which leaves
 * the bodies as they are. §5.3 asks for keys that nobody foresees, for the sake of proxies that don't know WebSocket;
 * between two nodes that know each other there is none.
 * @param framed whole messages that `writeWsHead` began
 */
export function maskedMessages(framed: Buffer): Buffer {
  let count = 0;
  for (let at = 0; at < framed.length; at = endOfMessage(framed, at)) count += 1;
  const masked = Buffer.allocUnsafeSlow(framed.length + count * KEY_BYTES);
  let to = 0;
  for (let at = 0; at < framed.length; ) {
    const bodyAt = at + headLengthAt(framed, at);
    const end = endOfMessage(framed, at);
    const keyAt = to + framed.copy(masked, to, at, bodyAt);
    masked[to + 1] = framed.readUInt8(at + 1) | MASK_BIT;
    masked.fill(0, keyAt, keyAt + KEY_BYTES);
    to = keyAt + KEY_BYTES;
    to += framed.copy(masked, to, bodyAt, end);
    at = end;
  }
  return masked;
}

/** The masked form of buffers that many links send: made once for each, and kept as long as the buffer is. */
export class MaskedCopies {
  readonly #copies = new WeakMap<Buffer, Buffer>();

  /** @param framed as for maskedMessages; not written to again */
  of(framed: Buffer): Buffer {
    const known = this.#copies.get(framed);
    if (known) return known;
    const masked = maskedMessages(framed);
    this.#copies.set(framed, masked);
    return masked;
  }
}

function headLengthAt(framed: Buffer, at: number): number {
  const length = framed.readUInt8(at + 1);
  if (length < LENGTH_16) return 2;
  return length === LENGTH_16 ? 4 : 10;
}

function endOfMessage(framed: Buffer, at: number): number {
  switch (headLengthAt(framed, at)) {
    case 2:
      return at + 2 + framed.readUInt8(at + 1);
    case 4:
      return at + 4 + framed.readUInt16BE(at + 2);
    default:
      return at + 10 + framed.readUInt32BE(at + 2) * 2 ** 32 + framed.readUInt32BE(at + 6);
  }
}

/** WS-FLV: the FLV header is the first binary message, each batch of tags one more. */
export const wsFlv: FrameEncoder = {
  format: 'ws-flv',
  open(tracks) {
    return wsMessage(flvHeader(tracks));
  },
  encode(batch, base) {
    const bodyBytes = flvTagsLength(batch);
    const message = newMessage(bodyBytes);
    writeFlvTags(message, wsHeadLength(bodyBytes), batch, base);
    return message;
  },
};

function newMessage(bodyBytes: number): Buffer {
  const message = Buffer.allocUnsafeSlow(wsHeadLength(bodyBytes) + bodyBytes);
  writeWsHead(message, bodyBytes);
  return message;
}
