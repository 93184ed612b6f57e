import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../src/base/errors.ts';
import { type ProxyHeader, ProxyHeaderReader } from '../../../src/format/proxy-header.ts';
import { proxyHeader, tcp4Header } from '../../support/proxy-headers.ts';

const REST = Buffer.from([3, 1, 2, 3]);

/** What a reader makes of bytes that come in parts of these sizes. */
function read(bytes: Buffer, sizes: readonly number[] = [bytes.length]): ProxyHeader {
  const reader = new ProxyHeaderReader();
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const end = Math.min(bytes.length, at + (sizes[turn % sizes.length] ?? 1));
    const header = reader.push(bytes.subarray(at, end));
    at = end;
    if (header.is === 'more') continue;
    const left = bytes.subarray(at);
    return header.is === 'none'
      ? { is: 'none', bytes: Buffer.concat([header.bytes, left]) }
      : { ...header, rest: Buffer.concat([header.rest, left]) };
  }
  return { is: 'more' };
}

function tcp6(address: string, bodyBytes = 36): Buffer {
  const body = Buffer.alloc(bodyBytes);
  body.set(Buffer.from(address, 'hex'));
  body.writeUInt16BE(5555, 32);
  return proxyHeader(body, { family: 0x21 });
}

describe('a header', () => {
  test('names the peer, and leaves what comes behind it', () => {
    expect(read(Buffer.concat([tcp4Header('203.0.113.9', 40_000), REST]))).toEqual({
      ...{ is: 'header', peer: { address: '203.0.113.9', port: 40_000 }, rest: REST },
    });
  });

  test('may have more beside the addresses, which is passed over', () => {
    const header = read(Buffer.concat([tcp4Header('203.0.113.9', 1, 300), REST]));
    expect(header).toMatchObject({ peer: { address: '203.0.113.9', port: 1 }, rest: REST });
  });

  test.each([
    ['20010db8000000000000000000000007', '2001:db8::7'],
    ['00000000000000000000ffffcb007109', '203.0.113.9'],
    ['00000000000000000000000000000001', '::1'],
  ])('names one by IPv6 as Node writes it: %s', (hex, address) => {
    expect(read(tcp6(hex))).toMatchObject({ is: 'header', peer: { address, port: 5555 } });
  });

  test.each([
    ['without addresses', Buffer.alloc(0)],
    ['with some, which mean nothing', Buffer.alloc(12, 7)],
  ])('may be of the proxy itself, %s', (_what, body) => {
    expect(read(proxyHeader(body, { command: 0x20, family: 0 }))).toMatchObject({
      is: 'header',
      peer: undefined,
    });
  });

  test('that is not there is found out by the first byte that differs', () => {
    expect(read(REST)).toEqual({ is: 'none', bytes: REST });
    const nearly = Buffer.from('\r\n\r\n\0\r\nQUIT\r', 'latin1');
    expect(read(nearly, [1])).toEqual({ is: 'none', bytes: nearly });
    expect(read(Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'))).toMatchObject({ is: 'none' });
  });

  test('is waited for until it is whole', () => {
    const whole = tcp4Header('203.0.113.9', 1, 20);
    for (let size = 1; size < whole.length; size += 1)
      expect(read(whole.subarray(0, size))).toEqual({ is: 'more' });
  });
});

test.each([
  ['another version', proxyHeader(Buffer.alloc(12), { command: 0x11 })],
  ['another command', proxyHeader(Buffer.alloc(12), { command: 0x22 })],
  ['UDP', proxyHeader(Buffer.alloc(12), { family: 0x12 })],
  ['a Unix socket', proxyHeader(Buffer.alloc(216), { family: 0x31 })],
  ['nothing that is named, though it passes on', proxyHeader(Buffer.alloc(0), { family: 0 })],
  ['addresses that are cut short', proxyHeader(Buffer.alloc(11))],
  ['IPv6 addresses that are cut short', proxyHeader(Buffer.alloc(35), { family: 0x21 })],
  ['more than any proxy tells', proxyHeader(Buffer.alloc(0), { bodyBytes: 4097 })],
])('%s is refused', (_what, bytes) => {
  expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'proxy.header' }));
});

test('any bytes in any parts give the same, and nothing but what is known', () => {
  const anyBytes = fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 80 })).map(([signed, bytes]) => {
    const body = Buffer.from(bytes);
    return signed ? Buffer.concat([proxyHeader(Buffer.alloc(0)).subarray(0, 12), body]) : body;
  });
  const outcome = (bytes: Buffer, sizes?: readonly number[]) => {
    try {
      return read(bytes, sizes);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
      return (error as WireError).code;
    }
  };
  fc.assert(
    fc.property(anyBytes, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (bytes, sizes) => {
      expect(outcome(bytes, sizes)).toEqual(outcome(bytes));
    }),
  );
});
