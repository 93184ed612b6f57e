// WebSocket messages written by hand, so that one buffer serves every WS-FLV player. Only what a server sends:
// heads are unmasked (RFC 6455 §5.1) and each message is one frame. Handshake, pings and closing are the door's.
import { flvHeader, flvTagsLength, writeFlvTags } from './flv.ts';
import type { FrameEncoder } from './frame.ts';

/** FIN, and opcode 2: a whole binary message (§5.2). */
const FIN_BINARY = 0x82;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Bytes of the head before a body of `bodyBytes`. */
export function wsHeadLength(bodyBytes: number): number {
  if (bodyBytes < LENGTH_16) return 2;
  return bodyBytes < 0x10000 ? 4 : 10;
}

/** Writes the head of one binary message at the start of `target` (§5.2). */
export function writeWsHead(target: Buffer, bodyBytes: number): void {
  target[0] = FIN_BINARY;
  switch (wsHeadLength(bodyBytes)) {
    case 2:
      target[1] = bodyBytes;
      return;
    case 4:
      target[1] = LENGTH_16;
      target.writeUInt16BE(bodyBytes, 2);
      return;
    default:
      target[1] = LENGTH_64;
      target.writeUInt32BE(Math.floor(bodyBytes / 2 ** 32), 2);
      target.writeUInt32BE(bodyBytes % 2 ** 32, 6);
  }
}

/** WS-FLV: the FLV header is the first binary message, each batch of tags one more. */
export const wsFlv: FrameEncoder = {
  format: 'ws-flv',
  open(tracks) {
    const header = flvHeader(tracks);
    const message = newMessage(header.length);
    header.copy(message, wsHeadLength(header.length));
    return message;
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
