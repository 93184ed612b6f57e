// PROXY headers, version 2, as a proxy writes them.
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** @param body addresses, ports, and what is told beside them */
export function proxyHeader(
  body: Buffer,
  { command = 0x21, family = 0x11, bodyBytes = body.length } = {},
): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(command, 0);
  head.writeUInt8(family, 1);
  head.writeUInt16BE(bodyBytes, 2);
  return Buffer.concat([SIGNATURE, head, body]);
}

/** Of a TCP connection by IPv4, with `more` bytes of what is told beside the addresses. */
export function tcp4Header(address: string, port: number, more = 0): Buffer {
  const body = Buffer.alloc(12 + more);
  body.set(address.split('.').map(Number));
  body.set([127, 0, 0, 1], 4);
  body.writeUInt16BE(port, 8);
  body.writeUInt16BE(1935, 10);
  return proxyHeader(body);
}
