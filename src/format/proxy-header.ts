// The header of the PROXY protocol, version 2 (haproxy's proxy-protocol.txt, §2.2), by which a proxy tells whose connection it
// passes on. Pure: bytes in any segmentation.
import { WireError } from '../base/errors.ts';

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Signature, version and command, family, length. */
const HEAD_BYTES = 16;
/** Addresses and what is told beside them: proxies send some hundred bytes. */
const MAX_BODY_BYTES = 4096;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const TCP4_BYTES = 12;
const TCP6_BYTES = 36;

/** Whom a proxy speaks for. */
export interface ProxiedPeer {
  /** As Node writes addresses; IPv4 in IPv6 as IPv4. */
  readonly address: string;
  readonly port: number;
}

/** `more` bytes are needed; `none`: these bytes are no such header; `header`, with what came behind it. */
export type ProxyHeader =
  | { readonly is: 'more' }
  | { readonly is: 'none'; readonly bytes: Buffer }
  | { readonly is: 'header'; readonly peer: ProxiedPeer | undefined; readonly rest: Buffer };

const MORE: ProxyHeader = { is: 'more' };

export class ProxyHeaderReader {
  #bytes: Buffer = Buffer.alloc(0);

  /**
   * @returns `peer` is undefined where the proxy speaks for itself, as for its health checks
   * @throws WireError `proxy.header`; the reader is dead afterwards
   */
  push(more: Buffer): ProxyHeader {
    const bytes = this.#bytes.length === 0 ? more : Buffer.concat([this.#bytes, more]);
    this.#bytes = bytes;
    const known = Math.min(bytes.length, SIGNATURE.length);
    if (bytes.compare(SIGNATURE, 0, known, 0, known) !== 0) return { is: 'none', bytes };
    if (bytes.length < HEAD_BYTES) return MORE;
    const command = bytes.readUInt8(12);
    const family = bytes.readUInt8(13);
    const bodyBytes = bytes.readUInt16BE(14);
    if (command !== LOCAL && command !== PROXY) throw broken(`version and command are ${command}`);
    if (bodyBytes > MAX_BODY_BYTES) throw broken(`${bodyBytes} bytes are told of the connection`);
    if (bytes.length < HEAD_BYTES + bodyBytes) return MORE;
    const body = bytes.subarray(HEAD_BYTES, HEAD_BYTES + bodyBytes);
    const peer = command === LOCAL ? undefined : peerOf(family, body);
    return { is: 'header', peer, rest: bytes.subarray(HEAD_BYTES + bodyBytes) };
  }
}

function peerOf(family: number, body: Buffer): ProxiedPeer {
  const isIpv4 = family === TCP4;
  if (!isIpv4 && family !== TCP6)
    throw broken(`family and transport are ${family}: neither TCP by IPv4 nor by IPv6`);
  if (body.length < (isIpv4 ? TCP4_BYTES : TCP6_BYTES)) throw broken('the addresses are cut short');
  return isIpv4
    ? { address: body.subarray(0, 4).join('.'), port: body.readUInt16BE(8) }
    : { address: ipv6Text(body.subarray(0, 16)), port: body.readUInt16BE(32) };
}

function ipv6Text(bytes: Buffer): string {
  const isMapped =
    bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0 && bytes.readUInt32BE(8) === 0xffff;
  if (isMapped) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  // Shortened as RFC 5952 has it, and Node.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function broken(what: string): WireError {
  return new WireError('proxy.header', `the PROXY header can't be read: ${what}`);
}
