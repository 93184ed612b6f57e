// Server-Sent Events in any segmentation, as HTML 9.2.6 has them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ServerEvent, ServerEventReader, serverEventText } from '../../../src/format/server-events.ts';

function parsed(...texts: string[]): ServerEvent[] {
  const parser = new ServerEventReader();
  return texts.flatMap((text) => parser.push(text));
}

test('an event has its name and its data, and is there with the empty line', () => {
  const parser = new ServerEventReader();
  expect(parser.push('event: status\ndata: {"a":1}\n')).toEqual([]);
  expect(parser.push('\n')).toEqual([{ name: 'status', data: '{"a":1}' }]);
});

test('lines of data are joined, one space is taken off, comments and other fields are passed over', () => {
  expect(parsed(': beat\n\nid: 4\nretry: 10\ndata:  two spaces\ndata:none\ndata\n\n')).toEqual([
    { name: 'message', data: ' two spaces\nnone\n' },
  ]);
});

test('an event without data is none, and its name is forgotten', () => {
  expect(parsed('event: gone\n\ndata: x\n\n')).toEqual([{ name: 'message', data: 'x' }]);
});

test('lines end by LF, CR or both, and a mark of the byte order is no data', () => {
  expect(parsed('\uFEFFdata: a\r\n\r\ndata: b\r\rdata: c\n\n')).toEqual([
    { name: 'message', data: 'a' },
    { name: 'message', data: 'b' },
    { name: 'message', data: 'c' },
  ]);
});

test('any segmentation gives the same events', () => {
  const line = fc.constantFrom('event: alarm', 'data: {"x": "ä😀"}', 'data:', ': hm', 'nonsense', '', '');
  const lines = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 30 });
  fc.assert(
    fc.property(lines, fc.array(fc.nat(400), { maxLength: 12 }), (rows, cuts) => {
      // A CR before a line that begins with LF would be one end of a line: none does.
      const text = rows.map(([words, end]) => words + end).join('');
      const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      const parts = [0, ...places].map((from, at) => text.slice(from, places[at] ?? text.length));
      expect(parsed(...parts)).toEqual(parsed(text));
    }),
    { numRuns: 500 },
  );
});

test('what is written is read', () => {
  const data = JSON.stringify({ a: 'two\nlines\r', b: ': 1' });
  expect(parsed('retry: 2000\n', serverEventText('status', 7, data), ': ping\n\n')).toEqual([
    { name: 'status', data },
  ]);
});

test('an event without an end is not kept without a bound', () => {
  const parser = new ServerEventReader();
  const megabyte = `data: ${'x'.repeat(1024 * 1024)}\n`;
  expect(() => {
    for (let sent = 0; sent < 20; sent += 1) parser.push(megabyte);
  }).toThrow(expect.objectContaining({ code: 'sse.event-size' }));
  const endless = new ServerEventReader();
  expect(() => {
    for (let sent = 0; sent < 20; sent += 1) endless.push('y'.repeat(1024 * 1024));
  }).toThrow(expect.objectContaining({ code: 'sse.event-size' }));
});
