import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ServerEvent, SseReader } from '../../../src/cli/sse-reader.ts';

const TEXT = [
  ': a comment\n\nevent: hello\r\ndata: {"a":1}\r\n\r\n',
  'data: one\ndata:two\ndata\n\n',
  'event: lost\n\nid: 5\nretry: 10\nevent:event\ndata: é\n\n',
  'data: not whole\n',
].join('');

const EVENTS: ServerEvent[] = [
  { name: 'hello', data: '{"a":1}' },
  { name: 'message', data: 'one\ntwo\n' },
  { name: 'event', data: 'é' },
];

test('events are read, comments and events without data are not', () => {
  expect(new SseReader().push(TEXT)).toEqual(EVENTS);
});

test('however the text is cut, the events are the same', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
      const reader = new SseReader();
      const events: ServerEvent[] = [];
      for (let at = 0, turn = 0; at < TEXT.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        events.push(...reader.push(TEXT.slice(at, at + size)));
        at += size;
      }
      expect(events).toEqual(EVENTS);
    }),
  );
});

test('an event without end is refused', () => {
  const reader = new SseReader();
  const megabyte = `data: ${'x'.repeat(1024 * 1024)}\n`;
  expect(() => {
    for (let count = 0; count < 20; count += 1) reader.push(megabyte);
  }).toThrow(expect.objectContaining({ code: 'cli.not-tideway' }));
  const line = new SseReader();
  expect(() => {
    for (let count = 0; count < 20; count += 1) line.push('x'.repeat(1024 * 1024));
  }).toThrow(expect.objectContaining({ code: 'cli.not-tideway' }));
});
